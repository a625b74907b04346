"""What this installation last saw of a record: so many rows, and the hash of the last one.

A record that has fewer rows now, or another one in that place, was cut, replaced or restored from an old copy. The file is a
lower bound, written without waiting for the disk: one that is missing proves nothing, and one that is older harms nothing. The
tree with signed checkpoints proves the rest.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Head:
    """The last row that was seen: its number and leaf hash in hex."""

    number: int
    leaf_hash: str


@dataclass(frozen=True, slots=True)
class HeadFile:
    """The head of one record, in a file named by the record's place."""

    path: Path

    @classmethod
    def of(cls, folder: Path, place: str) -> HeadFile:
        """Return the file for the record at this place (a path, or host and database)."""
        return cls(folder / "heads" / f"{hashlib.sha256(place.encode()).hexdigest()[:16]}.json")

    def read(self) -> Head | None:
        """Return the head, or None where no whole one is kept."""
        try:
            kept = json.loads(self.path.read_bytes())
            return Head(int(kept["number"]), str(kept["leafHash"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, head: Head) -> None:
        """Keep a head; where it cannot be written, the earlier one stays."""
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=".new-")
            with os.fdopen(descriptor, "w") as file:
                json.dump({"number": head.number, "leafHash": head.leaf_hash}, file)
            Path(name).replace(self.path)
