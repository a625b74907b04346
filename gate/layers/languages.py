"""Packages of languages that the gate reads itself, in whatever way the image holds their files.

A file under several names (uv, pnpm and many builders make hard links), or one that is reached through a link, is as much
there as any other: a program that imports it does not see the difference, and one or both scanners leave it out. So the bytes
of a file that could be the target of such a link are looked at under any name.
Specification: `gate.layers.language_files`; checks reference, sections 2.3 and 3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from gate.layers.bodies import Capture, Head
from gate.layers.entry import BodySink, Entry, EntryKind
from gate.layers.jar import MAX_JAR_BYTES, has_classes, parse_jar
from gate.layers.language_files import (
    GEM_PATH,
    NPM_PATH,
    PYTHON_FILES,
    Keys,
    parse_deps_json,
    parse_gemspec,
    parse_installed_json,
    parse_metadata,
    parse_package_json,
)
from gate.layers.merged_view import MergedView, Node
from gate.model.finding import PackageKey

_Parse = Callable[[bytes, str], Keys | None]
# Some hundred bytes each; an image with more is still judged by the scanners, which this reading only checks.
_MAX_FILES: Final = 200_000
_MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_JSON_BYTES: Final = 4 << 20
_JARS: Final = (b".jar", b".war", b".ear", b".par")


class LanguageReader:
    """Take the bodies that name a package in every layer, and return those that the finished view still shows."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, bytes], Keys] = {}
        self._unread: set[tuple[int, bytes]] = set()
        self._unnamed_jars: set[tuple[int, bytes]] = set()
        self._spare: dict[tuple[int, bytes], tuple[_Parse, bytes | Keys]] = {}

    def begin(self, entry: Entry, layer: int) -> BodySink | None:
        """Take the body of a file that names packages, and the beginning of one that could under another name."""
        place, path = (layer, entry.path), entry.path.decode("utf-8", "backslashreplace")
        parse, limit = _reader_of(entry.path)
        if parse is None:
            return _Spare(self._keep_spare(place), entry.size) if 0 < entry.size <= MAX_JAR_BYTES else None

        def deliver(body: bytes | None) -> None:
            keys = parse(body, path) if body is not None else ()
            if parse is parse_jar and not keys and (body is None or has_classes(body)):
                self._unnamed_jars.add(place)
            if keys is None:
                self._unread.add(place)
            elif keys and len(self._found) < _MAX_FILES:
                self._found[place] = keys

        return Capture(limit, deliver) if limit > _MAX_HEAD_BYTES else Head(limit, deliver)

    def conclude(self, view: MergedView) -> frozenset[PackageKey]:
        """Return the packages whose files are in the merged view; an empty version where the file names none."""
        return frozenset(key for _, _, keys in self._here(view) for key in keys)

    def paths(self, view: MergedView) -> set[bytes]:
        """Return the paths at which there is a package."""
        return {path for path, _, _ in self._here(view)}

    def unread(self, view: MergedView) -> tuple[bytes, ...]:
        """Return the files whose form is known and whose content is not of that form."""
        return _standing(view, self._unread)

    def unnamed_jars(self, view: MergedView) -> tuple[bytes, ...]:
        """Return the archives that hold Java classes and no coordinates that the gate reads, or are too large to be read."""
        return _standing(view, self._unnamed_jars)

    def _here(self, view: MergedView) -> Iterator[tuple[bytes, tuple[int, bytes], Keys]]:
        for place, keys in self._found.items():
            node = view.find(place[1])
            if node is not None and node.kind is EntryKind.FILE and node.body_of(place[1]) == place:
                yield place[1], place, keys
        for path, place in _linked(view):
            yield path, place, self._keys_of(path, place)

    def _keys_of(self, path: bytes, place: tuple[int, bytes]) -> Keys:
        text = path.decode("utf-8", "backslashreplace")
        if place in self._found:
            return tuple(replace(key, path=text) for key in self._found[place])
        parse, known = self._spare.get(place, (None, b""))
        if parse is None or parse is not _reader_of(path)[0]:
            return ()
        if isinstance(known, tuple):
            return tuple(replace(key, path=text) for key in known)
        return parse(known, text) or ()

    def _keep_spare(self, place: tuple[int, bytes]) -> Callable[[bytes, _Parse], None]:
        def keep(body: bytes, parse: _Parse) -> None:
            if len(self._spare) < _MAX_FILES:
                # An archive is not kept: a hundred of them would be gigabytes.
                self._spare[place] = (parse, parse_jar(body, "") if parse is parse_jar else body)

        return keep


def _standing(view: MergedView, places: set[tuple[int, bytes]]) -> tuple[bytes, ...]:
    """Return the paths of those files that the finished view still shows, sorted."""
    return tuple(
        sorted(path for layer, path in places if (node := view.find(path)) and node.body_of(path) == (layer, path))
    )


def _linked(view: MergedView) -> Iterator[tuple[bytes, tuple[int, bytes]]]:
    """Return the paths of packages' files that are links, each with the entry that brought the bytes."""
    for folder, name, node in view.files():
        if not (node.is_hardlink or node.kind is EntryKind.SYMLINK):
            continue
        path = folder + b"/" + name if folder else name
        if _reader_of(path)[0] is not None and (target := _target(view, path, node)) is not None:
            yield path, target


def _target(view: MergedView, path: bytes, node: Node) -> tuple[int, bytes] | None:
    if node.kind is EntryKind.FILE:
        return node.body_of(path)
    resolved = view.resolve(path)
    if resolved is None or resolved.node.kind is not EntryKind.FILE:
        return None
    return resolved.node.body_of(resolved.path)


def _reader_of(path: bytes) -> tuple[_Parse | None, int]:
    """Return what parses a file of this name, and how many bytes of it."""
    if path.endswith(b"/package.json"):
        return (parse_package_json, _MAX_JSON_BYTES) if NPM_PATH.fullmatch(path) else (None, 0)
    if path.endswith(PYTHON_FILES):
        return parse_metadata, _MAX_HEAD_BYTES
    if path.endswith(b".gemspec"):
        return (parse_gemspec, _MAX_HEAD_BYTES) if GEM_PATH.fullmatch(path) else (None, 0)
    if path.endswith(_JARS):
        return parse_jar, MAX_JAR_BYTES
    if path.endswith(b"composer/installed.json"):
        return parse_installed_json, _MAX_JSON_BYTES
    if path.endswith(b".deps.json"):
        return parse_deps_json, _MAX_JSON_BYTES
    return None, 0


class _Spare:
    """Keep a small file that could be a package's under another name: by how such a file begins."""

    def __init__(self, keep: Callable[[bytes, _Parse], None], size: int) -> None:
        self._keep = keep
        self._size = size
        self._parse: _Parse | None = None
        self._body = bytearray()
        self._decided = False

    def feed(self, piece: memoryview) -> None:
        """Take the next bytes."""
        if not self._decided:
            self._decided = True
            start = bytes(piece[:16]).lstrip(b"\xef\xbb\xbf \t\r\n")
            parse, limit = _KINDS.get(start[:1], (None, 0))
            self._parse = parse if self._size <= limit else None
        if self._parse is not None:
            self._body += piece

    def finish(self) -> None:
        """Hand the file over where it names what a package's file names."""
        if self._parse is parse_package_json and not (b'"name"' in self._body and b'"version"' in self._body):
            return
        if self._parse is parse_metadata and not self._body.startswith(b"Metadata-Version"):
            return
        if self._parse is parse_jar and not (self._body.startswith(b"PK") and b"/pom.properties" in self._body):
            return
        if self._parse is not None:
            self._keep(bytes(self._body), self._parse)


_KINDS: Final[dict[bytes, tuple[_Parse, int]]] = {
    b"{": (parse_package_json, _MAX_HEAD_BYTES),
    b"M": (parse_metadata, _MAX_HEAD_BYTES),
    b"P": (parse_jar, MAX_JAR_BYTES),
}
