"""Where things are kept when nobody says otherwise (XDG base directory specification)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gate.pipeline.options import Places

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = "gate"


def default_places(
    environment: Mapping[str, str],
    *,
    cache: Path | None = None,
    databases: Path | None = None,
    tools: Path | None = None,
    record: str | None = None,
) -> Places:
    """Give the places for this environment (`XDG_CACHE_HOME`, `XDG_STATE_HOME`, `HOME`), each one replaced where given.

    Evidence stands beside a record that is a file; beside a database server it stands in the state folder.
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
    """Give a base directory; a relative one is ignored, as the specification says."""
    named = Path(environment.get(variable, ""))
    return named if named.is_absolute() else Path(environment.get("HOME", "/")) / default
