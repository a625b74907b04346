"""Where things are kept when nobody says otherwise (XDG base directory specification)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gate.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = "gate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things are kept. `record` is a path or a database URL, `evidence` the folder that no cache prunes.

    `fingerprint_key` is the file of a key that an organisation shares, so that its allow entries hold everywhere; None: the
    installation's own, in `state`.
    """

    cache: Path
    databases: Path
    tools: Path | None
    state: Path
    record: str
    evidence: Path
    fingerprint_key: Path | None = None


def default_places(
    environment: Mapping[str, str],
    *,
    cache: Path | None = None,
    databases: Path | None = None,
    tools: Path | None = None,
    record: str | None = None,
) -> Places:
    """Return the places for this environment (`XDG_CACHE_HOME`, `XDG_STATE_HOME`, `HOME`), each one replaced where given.

    Evidence stands beside a record that is a file; beside a database server it stands in the state folder.

    Raises:
        StorageError: neither `HOME` nor the variable of a place that is needed names a folder.
    """
    cache_root = cache or _base(environment, "XDG_CACHE_HOME", ".cache") / _NAME
    state = _base(environment, "XDG_STATE_HOME", ".local/state") / _NAME
    place = record or str(state / "record.db")
    evidence = state / "evidence" if "://" in place else Path(place).absolute().parent / "evidence"
    return Places(
        cache=cache_root,
        databases=databases or cache_root / "databases",
        tools=tools,
        state=state,
        record=place,
        evidence=evidence,
    )


def _base(environment: Mapping[str, str], variable: str, default: str) -> Path:
    """Return a base directory; a relative one is ignored, as the specification says, and none is ever guessed."""
    for name, below in ((variable, ""), ("HOME", default)):
        named = Path(environment.get(name, ""))
        if named.is_absolute():
            return named / below
    raise StorageError(
        "there is no folder to keep things in",
        expected=f"{variable} or HOME with an absolute path",
        seen="neither",
        next_step="Set HOME, or XDG_STATE_HOME and, where --cache-dir or GATE_CACHE_DIR names no folder, XDG_CACHE_HOME.",
    )
