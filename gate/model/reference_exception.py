"""Exceptions from what is demanded of the references of a repository: recorded, owned, ending. They stand in the policy alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from gate.model.found_reference import FoundReference, ReferenceKind
from gate.model.glob import Glob

_FORGE = frozenset({ReferenceKind.ACTION, ReferenceKind.WORKFLOW})
# What a reference that only a run decides is called: `**` alone fits it.
_NAMELESS = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceException:
    """References by what they name, and optionally by their file, that refuse nothing until the end of a day."""

    pattern: Glob
    path: Glob | None = None
    reason: str
    owner: str
    expires: date

    def covers(self, found: FoundReference) -> bool:
        """Return whether the entry speaks of a reference, whatever the day."""
        file = found.path.removeprefix("./")
        inside = self.path is None or self.path.matches(file)
        return inside and any(self.pattern.matches(name) for name in names_of(found))

    def __str__(self) -> str:
        return f"{self.pattern} in {self.path}" if self.path is not None else str(self.pattern)


def names_of(found: FoundReference) -> tuple[str, ...]:
    """Return what a reference names, as patterns are written: an image with and without its tag, `github.com/...`, an address."""
    if found.image is not None:
        repository = str(found.image.repository)
        return (repository, f"{repository}:{found.image.tag}") if found.image.tag else (repository,)
    place = found.value.partition("@")[0].partition("#")[0].partition("?")[0]
    if found.kind in _FORGE:
        return (f"github.com/{place}",)
    return (place.partition("://")[2].rstrip("/") or _NAMELESS,)
