"""One automaton of many patterns over bytes: says which of them occur in a block, and where the matches end.

Hyperscan at the speed of memory; compiled once, and kept as a file that is named by patterns, version and processor. A
pattern is reported once a block, so that hostile text cannot make events without end; the few whose every place is wanted end
in a byte of their own, so that there are never more of them than bytes. It may say too much, never too little: what occurs is
decided afterwards. Specification: checks reference, section 8.2; Hyperscan developer reference.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import hyperscan

from gate.errors import PolicyError

_CPU_INFO: Final = Path("/proc/cpuinfo")
_DIGEST_BYTES: Final = 32


class Automaton:
    """Patterns numbered in their order; safe for one thread at a time."""

    def __init__(self, database: Any) -> None:  # noqa: ANN401 - the library has no types
        self._database = database
        self._found: dict[int, list[int]] = {}

    def scan(self, block: bytes | memoryview) -> Mapping[int, Sequence[int]]:
        """Return number → ascending ends of the matches in the block, for the patterns that occur."""
        self._found = {}
        self._database.scan(block, match_event_handler=self._note)
        return self._found

    def _note(self, number: int, start: int, end: int, flags: int, context: object) -> None:  # noqa: ARG002 - Hyperscan's
        ends = self._found.get(number)
        if ends is None:
            self._found[number] = [end]
        else:
            ends.append(end)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A pattern, the number that it is reported under (several may share one), and the name that a refusal gives it.

    Where `everywhere` is set, each of its places in a block is reported, otherwise the first one.
    """

    number: int
    name: str
    pattern: str
    everywhere: bool = False


def build_automaton(triggers: Sequence[Trigger], *, cache: Path | None = None) -> Automaton:
    """Return the automaton of these patterns, from the folder `cache` if it is there.

    Raises:
        PolicyError: `POL_REGEX`, a pattern is none that Hyperscan takes.
    """
    place = cache / f"{_key(triggers)}.hs" if cache is not None else None
    kept = _read(place) if place is not None else None
    if kept is not None:
        return Automaton(kept)
    database = _compile(triggers)
    if place is not None:
        with contextlib.suppress(OSError):
            _write(place, hyperscan.dumpb(database))
    return Automaton(database)


def _compile(triggers: Sequence[Trigger]) -> Any:  # noqa: ANN401
    try:
        return _database(triggers)
    except hyperscan.error as error:
        refused = next((trigger.name for trigger in triggers if _is_refused(trigger)), "all of them together")
        raise PolicyError(
            f"the pattern of a rule cannot be run ({refused})",
            code="POL_REGEX",
            expected="a pattern that RE2 and Hyperscan both take",
            seen=str(error)[:200],
        ) from error


def _database(triggers: Sequence[Trigger]) -> Any:  # noqa: ANN401
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[trigger.pattern.encode() for trigger in triggers],
        ids=[trigger.number for trigger in triggers],
        elements=len(triggers),
        flags=[0 if trigger.everywhere else hyperscan.HS_FLAG_SINGLEMATCH for trigger in triggers],
    )
    return database


def _is_refused(trigger: Trigger) -> bool:
    try:
        _database([trigger])
    except hyperscan.error:
        return True
    return False


def _key(triggers: Sequence[Trigger]) -> str:
    parts = (
        version("hyperscan"),
        _processor(),
        *(f"{one.number} {one.everywhere:d} {one.pattern}" for one in triggers),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@cache
def _processor() -> str:
    """Name what a compiled database depends on: the architecture and the processor's extensions."""
    flags = ""
    with contextlib.suppress(OSError):
        lines = _CPU_INFO.read_text("ascii", "replace").splitlines()
        flags = next((line for line in lines if line.startswith("flags")), "")
    return f"{platform.machine()} {flags}"


def _read(place: Path) -> Any | None:  # noqa: ANN401
    """Return a kept database; None where there is none, or it is not whole or could be another's."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_mode & 0o022:
                return None
            content = file.read()
    except OSError:
        return None
    digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    try:
        database = hyperscan.loadb(body, mode=hyperscan.HS_MODE_BLOCK)
        database.scratch = hyperscan.Scratch(database)
    except hyperscan.error:
        return None
    return database


def _write(place: Path, body: bytes) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".automaton-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(body).digest() + body)
        os.replace(name, place)  # noqa: PTH105 - a name, not a path
    except OSError:
        os.unlink(name)  # noqa: PTH108
        raise
