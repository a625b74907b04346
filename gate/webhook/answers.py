"""What was answered before, and for how long it holds.

A positive answer ends with what it rests on, and is looked at again before: then a refusal replaces it at once, and a fault of
the registry leaves it standing until its end, so that a cluster survives an hour without one. Refusals live seconds, so that a
new verdict counts soon; faults are never kept.

The key is a digest over the length of each part and the part (attack K16): the image's digest, its repository, and the
requirement's digest. No reference, no tag and nothing of the object that asks is part of it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gate.errors import GateError
    from gate.model.digest import Digest
    from gate.model.reference import Repository

_MOST: Final = 100_000
_REFUSAL_LIVES: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An answer about one digest: `refusal` is None where it is let in; `until` is when it ends, `again` when to look anew."""

    until: datetime
    again: datetime
    refusal: GateError | None = None
    verdict: str = ""


def key_of(digest: Digest, repository: Repository, requirement: Digest) -> bytes:
    """Return the key of an answer."""
    parts = [text.encode() for text in (str(digest), str(repository), str(requirement))]
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def refused(error: GateError, now: datetime) -> KeptAnswer:
    """Return a refusal, which lives for seconds."""
    return KeptAnswer(refusal=error, until=now + _REFUSAL_LIVES, again=now + _REFUSAL_LIVES)


class Answers:
    """Answers by key, at most so many, the least recently used gone first; for several threads."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: OrderedDict[bytes, KeptAnswer] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: bytes, now: datetime) -> KeptAnswer | None:
        """Return an answer that has not ended."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            if now >= found.until:
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
            return found

    def keep(self, key: bytes, answer: KeptAnswer) -> None:
        """Keep an answer in place of any earlier one."""
        with self._lock:
            self._kept[key] = answer
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def forget(self) -> int:
        """Forget everything, and return how much that was."""
        with self._lock:
            count = len(self._kept)
            self._kept.clear()
            return count

    def __len__(self) -> int:
        return len(self._kept)
