"""The search of files as they stream by: windows over their bytes, containers opened when they are whole.

Memory is bounded by the window, the spool of one container a level, and the findings; a container over the spool lies in a
file without a name, which ends with the search. What cannot be opened is named with its reason, and searched as bytes all the
same. Specification: checks reference, sections 8.2 and 8.5; attacks X01 to X09, L13, L14.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import IO, Final

from gate.errors import ImageError
from gate.model.digest import Digest
from gate.model.finding import Confidence
from gate.model.severity import Severity
from gate.secrets.budget import Budget
from gate.secrets.compressed import is_whole_gzip
from gate.secrets.container import HEAD_BYTES, Kind, SeekableBody, is_zlib, kind_of_container
from gate.secrets.embedded import MAX_PLACES, container_at, places_of
from gate.secrets.file_hashes import FileHashes, KeptFile
from gate.secrets.hit import Hit, Where
from gate.secrets.openers import OPENERS
from gate.secrets.rule_set import RuleSet
from gate.secrets.text_search import MAX_MATCH_BYTES, TextSearch

_WINDOW_BYTES: Final = 1024 * 1024
# What is kept of a window: a match that begins in its first half may reach to its end, and sees as much before it.
_KEPT_BYTES: Final = 64 * 1024
_AHEAD_BYTES: Final = 2 * MAX_MATCH_BYTES
_SPOOL_BYTES: Final = 8 * 1024 * 1024
_MAX_HITS_OF_FILE: Final = 500
_DIGEST_BYTES: Final = frozenset({20, 32, 48, 64})
_TOO_MANY: Final = "it has more findings than are kept"
_KEY_TITLES: Final = {
    "java-keystore": "Private key in a Java keystore",
    "pkcs12-key": "Private key in a PKCS #12 file",
    "der-private-key": "Private key in DER",
}

Report = Callable[[Hit], None]
ReportUnopened = Callable[[Where, str], None]


class Search:
    """Search files with one set of rules; what is found goes to `report`, what cannot be read to `report_unopened`."""

    def __init__(self, rules: RuleSet, budget: Budget, report: Report, report_unopened: ReportUnopened) -> None:
        self.budget = budget
        self._report = report
        self._report_unopened = report_unopened
        self._texts = TextSearch(rules, self._open_decoded, self._full)
        self._found: dict[tuple[str, bytes], Hit] = {}

    def begin(self, name: str, size_bytes: int) -> FileSearch:
        """Begin with a file of a layer or folder; one at a time."""
        self.budget.begin_file(size_bytes)
        self._found.clear()
        return FileSearch(self, Where(name), size_bytes, is_outermost=True)

    def whole_text(self, name: str, text: bytes) -> None:
        """Search a short text that is no file: a name, a link, a record of a header."""
        self._found.clear()
        self.budget.begin_file(len(text))
        self.text(Where(name), text)
        self.end()

    def end(self) -> None:
        """Hand over what the file held, each secret once: where it was found in a container rather than in its bytes."""
        for hit in self._found.values():
            self._report(hit)
        self._found.clear()

    def note(self, hit: Hit) -> None:
        """Take a finding."""
        key = (hit.rule, hit.value)
        before = self._found.get(key)
        if before is None and len(self._found) >= _MAX_HITS_OF_FILE:
            self._full(hit.where)
            return
        if before is None or _is_further_in(hit.where, before.where):
            self._found[key] = hit

    def name_file(self, content: bytes) -> None:
        """Note the digest of the file, where something was found in it and all of it is here."""
        if self._found:
            digest, hashes = Digest.of(content), FileHashes.of(content)
            self._found = {
                key: replace(hit, file_digest=digest, file_hashes=hashes) for key, hit in self._found.items()
            }

    def hash_file(self, kept: KeptFile) -> None:
        """Note the digests of a file that was too large to be here whole, where something was found in it."""
        hashes = kept.digests() if self._found else None
        kept.close()
        if hashes is not None:
            digest = Digest(f"sha256:{hashes.sha256}")
            self._found = {
                key: replace(hit, file_digest=digest, file_hashes=hashes) for key, hit in self._found.items()
            }

    # What openers call (`gate.secrets.container.Opened`).

    def member(self, where: Where, chunks: Iterator[bytes]) -> None:
        """Search one file of a container."""
        self.budget.member()
        try:
            self.budget.enter(where.depth)
            with closing(FileSearch(self, where, -1, is_outermost=False)) as inside:
                for chunk in chunks:
                    self.budget.spend(len(chunk))
                    inside.feed(memoryview(chunk))
                inside.finish()
        except ImageError as error:
            # Nothing more of this file may be opened: its outermost container says so, once.
            if error.code != "SECRET_INCOMPLETE" or self.budget.is_spent:
                raise
            self.unopened(where, error.message)

    def text(self, where: Where, text: bytes, note_embedded: Callable[[], None] | None = None) -> None:
        """Search a text as a whole."""
        for hit in self._texts.search(text, where, note_embedded=note_embedded):
            self.note(hit)

    def window(
        self, where: Where, block: bytes, low: int, high: int, note_embedded: Callable[[], None] | None = None
    ) -> Iterator[Hit]:
        """Yield what begins in a part of a window."""
        return self._texts.search(block, where, low=low, high=high, note_embedded=note_embedded)

    def open_embedded(self, body: IO[bytes], places: Sequence[int], where: Where) -> None:
        """Open the containers that begin at some places of a body; what stands behind one is searched with it."""
        end, over = body.seek(0, 2), 0
        for place in places:
            found = container_at(body, place, end) if place >= over else None
            if found is not None:
                kind, part = found
                self.open_body(part, kind, where.member(f"at byte {place}"))
                over = end

    def key(self, where: Where, rule: str, *, locked: bool, value: bytes) -> None:
        """Note a private key in a keystore."""
        self.note(
            Hit(
                rule=rule,
                title=_KEY_TITLES[rule],
                severity=Severity.MEDIUM if locked else Severity.CRITICAL,
                confidence=Confidence.HIGH if locked else Confidence.CERTAIN,
                value=value,
                where=where,
                offset=0,
            )
        )

    def unopened(self, where: Where, reason: str) -> None:
        """Note what could not be read."""
        self._report_unopened(where, reason)

    def _full(self, where: Where) -> None:
        self.unopened(where, _TOO_MANY)

    def open_body(self, body: SeekableBody, kind: Kind, where: Where) -> None:
        """Open a container that is here whole; what it refuses is noted."""
        try:
            self.budget.enter(where.depth)
            OPENERS[kind](body, where, self)
        except ImageError as error:
            if error.code != "SECRET_INCOMPLETE" or (self.budget.is_spent and where.depth):
                raise
            self.unopened(where, error.message)

    def _open_decoded(self, text: bytes, where: Where) -> bool:
        kind = kind_of_container(text[:HEAD_BYTES], where.innermost) or (Kind.ZLIB if is_zlib(text) else None)
        # One digest in 16 million begins like gzip when it is read as base64; signed jars list some thousands.
        is_digest = kind is Kind.GZIP and len(text) in _DIGEST_BYTES and not is_whole_gzip(text)
        if kind is None or is_digest:
            return False
        self.open_body(io.BytesIO(text), kind, where)
        return True


def _is_further_in(where: Where, before: Where) -> bool:
    """Say whether a place is in a file inside the other one, whose bytes show the same in clear, or in an encoding."""
    steps = len(before.chain) - before.chain[::-1].index(before.file) if before.file in before.chain else 0
    return where.file != before.file and where.chain[:steps] == before.chain[:steps]


class FileSearch:
    """One file as it streams by; a `BodySink`. `size_bytes` is -1 where it is not known before."""

    def __init__(self, search: Search, where: Where, size_bytes: int, *, is_outermost: bool) -> None:
        self._search = search
        self._where = where
        self._size = size_bytes
        self._is_outermost = is_outermost
        self._buffer = bytearray()
        self._done = 0
        # Where the window begins in the file, and how many lines are before it.
        self._base = 0
        self._lines = 0
        self._begun = False
        self._kind: Kind | None = None
        self._spool: IO[bytes] | None = None
        # Places of containers inside, counted in the file; kept is the file from the first one on.
        self._places: list[int] = []
        self._kept_from = 0
        # For a file that never is here whole: whether a package shipped it is asked wherever it lies.
        is_large = is_outermost and size_bytes > _WINDOW_BYTES - _KEPT_BYTES
        self._kept = KeptFile(size_bytes) if is_large else None

    def feed(self, piece: memoryview) -> None:
        """Take the next bytes."""
        if self._kept is not None:
            self._kept.update(piece)
        if not self._begun:
            if len(piece) == self._size:
                self._whole(piece)
                return
            self._buffer.extend(piece)
            if len(self._buffer) < HEAD_BYTES:
                return
            self._begin(bytes(self._buffer[:HEAD_BYTES]), self._buffer)
        else:
            if self._spool is not None:
                self._spool.write(piece)
            self._buffer.extend(piece)
        if len(self._buffer) >= _WINDOW_BYTES:
            self._scan(is_last=False)

    def finish(self) -> None:
        """Search what is left, and open a container."""
        if not self._begun and self._buffer:
            self._begin(bytes(self._buffer[:HEAD_BYTES]), self._buffer)
        if self._buffer:
            self._scan(is_last=True)
        if self._spool is not None and self._kind is not None:
            with self._spool:
                self._search.open_body(self._spool, self._kind, self._where)
        elif self._spool is not None:
            with self._spool:
                places = [place - self._kept_from for place in self._places]
                self._search.open_embedded(self._spool, places, self._where)
        if self._is_outermost:
            if not self._base and len(self._buffer) == self._size:
                # It came in pieces, and is here as a whole all the same: its digest may be that of a public file.
                self._search.name_file(bytes(self._buffer))
            elif self._kept is not None:
                self._search.hash_file(self._kept)
            self._search.end()

    def close(self) -> None:
        """Let go of what was kept, also of a file that did not come to its end."""
        for kept in (self._spool, self._kept):
            if kept is not None:
                kept.close()

    def _begin(self, head: bytes, all_of_it: bytearray) -> None:
        self._begun = True
        self._kind = kind_of_container(head, self._where.innermost)
        if self._kind is not None:
            self._spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed in finish
            self._spool.write(all_of_it)

    def _whole(self, piece: memoryview) -> None:
        self._begun = True
        kind = kind_of_container(bytes(piece[:HEAD_BYTES]), self._where.innermost)
        block = bytes(piece)
        # Containers as well: between what is compressed anything can stand in clear.
        note = (lambda: self._note_places(block, 0, len(block))) if kind is None else None
        self._search.text(self._where, block, note)
        if kind is not None:
            self._search.open_body(io.BytesIO(block), kind, self._where)
        elif self._places:
            self._search.open_embedded(io.BytesIO(block), self._places, self._where)
        if self._is_outermost:
            self._search.name_file(block)

    def _scan(self, *, is_last: bool) -> None:
        block = bytes(self._buffer)
        # What begins before `high` is told now, the rest with the next window, which begins `_KEPT_BYTES` earlier.
        low = self._done
        high = len(block) if is_last else len(block) - _AHEAD_BYTES
        places = len(self._places)
        note = (lambda: self._note_places(block, low, high)) if self._kind is None else None
        for hit in self._search.window(self._where, block, low, high, note):
            self._search.note(self._placed(hit))
        if self._kind is None and self._places and not places:
            self._keep(block)
        if not is_last:
            self._move(block, high)

    def _note_places(self, block: bytes, low: int, high: int) -> None:
        found = (place + self._base for place in places_of(block, low, high))
        self._places += islice(found, MAX_PLACES - len(self._places))

    def _keep(self, block: bytes) -> None:
        """Keep the file from its first container on."""
        self._kept_from = self._places[0]
        self._spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed in finish
        self._spool.write(block[self._places[0] - self._base :])

    def _placed(self, hit: Hit) -> Hit:
        """Return a hit its place in the file, where the window had its own."""
        if not self._base:
            return hit
        return replace(
            hit, offset=hit.offset + self._base, line=hit.line + self._lines if hit.line is not None else None
        )

    def _move(self, block: bytes, high: int) -> None:
        cut = len(block) - _KEPT_BYTES
        self._lines += block.count(b"\n", 0, cut)
        self._base += cut
        self._done = high - cut
        del self._buffer[:cut]
