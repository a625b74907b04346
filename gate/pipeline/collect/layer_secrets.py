"""The search for secrets in layers, as one more reader of the pass that reads everything else.

Each file of every layer is searched, hidden ones included, and the names, links and records of all entries.

A finding names all paths of its file (attack L06), and says whether one of them shows it in the final file system (attack X01).
Specification: checks reference, section 8; attacks X01, X03, X05 to X09.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gate.errors import InternalError
from gate.layers.entry import BodySink, Entry, EntryKind
from gate.layers.pax import CAPABILITY_KEY
from gate.layers.published import PublishedFiles
from gate.model.evidence import SecretEvidence
from gate.model.finding import SecretPlace
from gate.secrets.budget import Budget
from gate.secrets.findings import Fingerprints, Mask, finding_of
from gate.secrets.hit import Hit, Where
from gate.secrets.search import Search

if TYPE_CHECKING:
    from gate.layers.merged_view import MergedView
    from gate.model.digest import Digest
    from gate.model.finding import SecretFinding
    from gate.secrets.known import KnownSecrets
    from gate.secrets.rule_set import RuleSet

# One refuses; so many that the list is readable, and that a layer full of keys costs no memory.
MAX_FINDINGS: Final = 2000
MAX_UNOPENED: Final = 200
# A file may have a million hard links, and hundreds of findings; whether it is live is asked of each name all the same.
MAX_NAMES: Final = 100
_NAMES_BYTES: Final = 256 * 1024
_PLAIN_RECORDS: Final = frozenset(
    {b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime", b"atime", b"ctime", CAPABILITY_KEY}
)
_NAME_CHAINS: Final = {"name": "file name", "link": "link target", "record": "tar record"}
_File = tuple[bytes, int]


class LayerSecrets:
    """Search the layers of one image; `conclude` after the last one. Fits `gate.layers.entry.ImageObserver`.

    `files` and `size_bytes` are what was read so far, in all layers.
    """

    def __init__(
        self,
        rules: RuleSet,
        known: KnownSecrets,
        fingerprints: Fingerprints,
        layers: Sequence[Digest],
        check_deadline: Callable[[], None],
    ) -> None:
        self._rules_digest = rules.digest
        self._known = known
        self._fingerprints = fingerprints
        self._layers = tuple(layers)
        self._budget = Budget(check_deadline)
        self._search = Search(rules, self._budget, self._found, self._not_opened)
        self._published = PublishedFiles()
        self._file: _File = (b"", 0)
        self._hits: list[tuple[_File, Hit]] = []
        self._unopened: dict[tuple[str, str], None] = {}
        self._is_full = False
        self._known_count = 0
        self.files = 0
        self.size_bytes = 0
        self._evidence: SecretEvidence | None = None
        self._names = _Names(self._search_names)
        # Hard links: each name → the file that it is one of; each such file → its names with the layer of each.
        self._linked: dict[bytes, _File] = {}
        self._aliases: dict[_File, list[_File]] = {}

    @property
    def unfolded_bytes(self) -> int:
        """Return how much came out of archives and encodings so far."""
        return self._budget.spent_bytes

    def begin(self, entry: Entry, layer: int) -> BodySink | None:
        """Take the body of every file."""
        self._file = (entry.path, layer)
        self.files += 1
        self.size_bytes += entry.size
        list_of_files = self._published.begin(entry, layer)
        if not entry.size:
            return None
        search = self._search.begin(_text(entry.path), entry.size)
        return search if list_of_files is None else _Both(search, list_of_files)

    def note(self, entry: Entry, layer: int, view: MergedView) -> None:
        """Take the words of an entry, and remember the names of a file that has several."""
        if entry.kind is EntryKind.HARDLINK:
            target = view.find(entry.link)
            file = self._linked.get(entry.link) or (entry.link, target.layer if target is not None else layer)
            self._linked[entry.path] = file
            self._aliases.setdefault(file, []).append((entry.path, layer))
        elif self._linked:
            self._linked.pop(entry.path, None)
        if entry.kind is not EntryKind.DIRECTORY:
            self._names.add(entry, layer)

    def conclude(self, view: MergedView) -> None:
        """Conclude from the final view what is live, and forget every value."""
        self._names.flush()
        mask = Mask(hit for _, hit in self._hits)
        files = {file: self._state(file, view, mask) for file in dict.fromkeys(file for file, _ in self._hits)}
        packages = self._packages()
        findings = tuple(
            replace(self._finding(file, hit, files[file], mask), package=mask.of(packages.get(file, "")))
            for file, hit in self._hits
        )
        self._hits.clear()
        unopened = [(mask.of(place), reason) for place, reason in self._unopened]
        if self._is_full:
            unopened.append(("layers", f"more than {MAX_FINDINGS} findings, or {MAX_UNOPENED} unopened places"))
        self._evidence = SecretEvidence(
            findings=findings,
            unopened=tuple(unopened),
            rules_digest=self._rules_digest,
            key_id=self._fingerprints.key_id,
            known=self._known_count,
        )

    def _packages(self) -> dict[_File, str]:
        """Return for each file with findings the package that shipped it as it is, under one of its names."""
        hashes = {file: hit.file_hashes for file, hit in self._hits if not _is_of_names(hit)}
        found: dict[_File, str] = {}
        for layer in {file[1] for file in hashes}:
            paths = {path: one for (path, number), one in hashes.items() if number == layer}
            for path, package in self._published.packages_of(paths).items():
                found[path, layer] = package
        return found

    @property
    def evidence(self) -> SecretEvidence:
        """Return what was found in all layers, after the last one."""
        if self._evidence is None:
            raise InternalError("the layers were not read to their end")
        return self._evidence

    def _found(self, hit: Hit) -> None:
        if self._known.holds(hit):
            self._known_count += 1
        elif len(self._hits) < MAX_FINDINGS:
            self._hits.append((self._file, hit))
        else:
            self._is_full = True

    def _not_opened(self, where: Where, reason: str) -> None:
        if len(self._unopened) < MAX_UNOPENED:
            self._unopened[where.path, reason] = None
        else:
            self._is_full = True

    def _search_names(self, text: bytes, places: _Places) -> None:
        before = len(self._hits)
        self._file = (b"", 0)
        self._search.whole_text("", text)
        for number in range(before, len(self._hits)):
            _, hit = self._hits[number]
            file, what = places.at(hit.offset)
            where = Where(_text(file[0]), (_NAME_CHAINS[what], *hit.where.chain))
            self._hits[number] = (file, replace(hit, where=where, line=None, offset=0))

    def _state(self, file: _File, view: MergedView, mask: Mask) -> tuple[tuple[str, ...], bool]:
        """Return the names of a file, once for all that was found in it, and whether no name shows it any more."""
        names = (file, *self._aliases.get(file, ()))
        paths = tuple(dict.fromkeys(mask.of(_text(path)) for path, _ in names[:MAX_NAMES]))
        return paths, not any(_is_live(view, path, layer) for path, layer in names)

    def _finding(self, file: _File, hit: Hit, state: tuple[tuple[str, ...], bool], mask: Mask) -> SecretFinding:
        paths, is_hidden = state
        finding = finding_of(hit, self._fingerprints, SecretPlace.FILE, paths[0], mask)
        return replace(finding, layer=self._layers[file[1]], paths=paths if len(paths) > 1 else (), hidden=is_hidden)


class _Both:
    """Hand a body to two sinks."""

    def __init__(self, *sinks: BodySink) -> None:
        self._sinks = sinks

    def feed(self, piece: memoryview) -> None:
        """Take the next bytes."""
        for sink in self._sinks:
            sink.feed(piece)

    def finish(self) -> None:
        """Note that the body was complete."""
        for sink in self._sinks:
            sink.finish()


def _is_of_names(hit: Hit) -> bool:
    """Return whether a finding stands in an entry's own words, which no list of files has a digest of."""
    return bool(hit.where.chain) and hit.where.chain[0] in _NAME_CHAINS.values()


class _Places:
    """Which entry's words stand at which place of a text that was put together."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._places: list[tuple[_File, str]] = []

    def add(self, start: int, file: _File, what: str) -> None:
        """Note that words begin here."""
        self._starts.append(start)
        self._places.append((file, what))

    def at(self, offset: int) -> tuple[_File, str]:
        """Return whose words stand at a place."""
        return self._places[max(0, bisect.bisect_right(self._starts, offset) - 1)]


class _Names:
    """The words of many entries as one text, so that a million names cost some hundred scans."""

    def __init__(self, search: Callable[[bytes, _Places], None]) -> None:
        self._search = search
        self._text = bytearray()
        self._places = _Places()

    def add(self, entry: Entry, layer: int) -> None:
        """Add the words of an entry."""
        file = (entry.path, layer)
        self._add(entry.path, file, "name")
        if entry.kind is EntryKind.SYMLINK:
            self._add(entry.link, file, "link")
        for key, value in entry.records:
            if key not in _PLAIN_RECORDS:
                self._add(key + b"=" + value, file, "record")
        if len(self._text) >= _NAMES_BYTES:
            self.flush()

    def flush(self) -> None:
        """Search what was gathered."""
        if self._text:
            text, places = bytes(self._text), self._places
            self._text.clear()
            self._places = _Places()
            self._search(text, places)

    def _add(self, words: bytes, file: _File, what: str) -> None:
        self._places.add(len(self._text), file, what)
        self._text += words
        self._text += b"\n"


def _is_live(view: MergedView, path: bytes, layer: int) -> bool:
    node = view.find(path)
    return node is not None and node.layer == layer and node.kind is not EntryKind.DIRECTORY


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
