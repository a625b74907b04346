"""Packages of languages that the gate reads itself: wheels and eggs, npm, gems, jars.

The scanners know many more forms; this reading is there to catch a scanner that sees none, and so takes only what states its
own name and version beyond doubt. Hard links are left out: one of the two scanners does not follow them.
Specification: checks reference, sections 2.3 and 3.3; Python core metadata; npm package.json; RubyGems specifications.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from gate.codec.purl import key_of
from gate.layers.bodies import Capture, Head
from gate.layers.entry import BodySink, Entry, EntryKind
from gate.layers.jar import MAX_JAR_BYTES, parse_jar
from gate.layers.merged_view import MergedView
from gate.model.finding import PackageKey

_Keys = tuple[PackageKey, ...]
# Some hundred bytes each; an image with more is still judged by the scanners, which this reading only checks.
_MAX_FILES: Final = 200_000
_MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_JSON_BYTES: Final = 256 * 1024

_NPM_PATH = re.compile(rb"(?:.*/)?node_modules/((?:@[^/]+/)?[^/@.][^/]*)/package\.json", re.DOTALL)
_NPM_NAME = re.compile(r"(?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*", re.ASCII)
_PYTHON_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_BLANK_LINE = re.compile(r"(?:^|\r?\n)\r?\n")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,100}", re.ASCII)
_PYTHON_FILES: Final = (b".dist-info/METADATA", b".egg-info/PKG-INFO")
_GEM_PATH = re.compile(rb"(?:.*/)?specifications/(?:default/)?[^/]+\.gemspec", re.DOTALL)
_GEM_FIELD = re.compile(r"""^\s*\w+\.(name|version)\s*=\s*(["'])([A-Za-z0-9._-]+)\2(?:\.freeze)?\s*$""", re.MULTILINE)


class LanguageReader:
    """Take the bodies that name a package in every layer, and give those that the finished view still shows."""

    def __init__(self) -> None:
        self._found: dict[bytes, tuple[int, _Keys]] = {}

    def begin(self, entry: Entry, layer: int) -> BodySink | None:
        """Take the body of a file that names packages."""
        path = entry.path
        if path.endswith(b"/package.json"):
            return self._json(entry, layer) if _NPM_PATH.fullmatch(path) else None
        if path.endswith(_PYTHON_FILES):
            return Head(_MAX_HEAD_BYTES, self._keep(path, layer, parse_metadata))
        if path.endswith(b".gemspec") and _GEM_PATH.fullmatch(path):
            return Head(_MAX_HEAD_BYTES, self._keep(path, layer, parse_gemspec))
        if path.endswith((b".jar", b".war")) and entry.size <= MAX_JAR_BYTES:
            return Capture(MAX_JAR_BYTES, self._keep(path, layer, parse_jar))
        return None

    def conclude(self, view: MergedView) -> frozenset[PackageKey]:
        """Give the packages whose files are in the merged view as they were read."""
        keys: set[PackageKey] = set()
        for path, (layer, found) in self._found.items():
            node = view.find(path)
            if node is not None and node.layer == layer and node.kind is EntryKind.FILE and not node.is_hardlink:
                keys.update(found)
        return frozenset(keys)

    def _json(self, entry: Entry, layer: int) -> BodySink | None:
        if entry.size > _MAX_JSON_BYTES:
            return None
        return Capture(_MAX_JSON_BYTES, self._keep(entry.path, layer, parse_package_json))

    def _keep(self, path: bytes, layer: int, parse: Callable[[bytes, str], _Keys]) -> Callable[[bytes | None], None]:
        def deliver(body: bytes | None) -> None:
            keys = parse(body, path.decode("utf-8", "backslashreplace")) if body is not None else ()
            if keys and (len(self._found) < _MAX_FILES or path in self._found):
                self._found[path] = (layer, keys)

        return deliver


def parse_metadata(body: bytes, path: str) -> _Keys:
    """Give the package of a wheel's METADATA or an egg's PKG-INFO (untrusted)."""
    # A blank first line ends the headers for some readers and not for others: nothing is then certain.
    head = _BLANK_LINE.split(body.decode("utf-8", "replace"), maxsplit=1)[0]
    values: dict[str, list[str]] = {"name": [], "version": []}
    for line in head.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.lower() in values:
            values[key.lower()].append(value.strip())
    names, versions = values["name"], values["version"]
    if len(names) != 1 or len(versions) != 1:
        return ()
    if not _PYTHON_NAME.fullmatch(names[0]) or not _VERSION.fullmatch(versions[0]):
        return ()
    return (key_of("pypi", "", names[0], versions[0], "", path),)


def parse_package_json(body: bytes, path: str) -> _Keys:
    """Give the package at `node_modules/NAME/package.json` (untrusted), where the file says the same name."""
    found = _NPM_PATH.fullmatch(path.encode())
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    if found is None or not isinstance(value, dict):
        return ()
    name, version = value.get("name"), value.get("version")
    if not isinstance(name, str) or not isinstance(version, str) or name.encode("utf-8", "replace") != found[1]:
        return ()
    if not _NPM_NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        return ()
    return (key_of("npm", "", name, version, "", path),)


def parse_gemspec(body: bytes, path: str) -> _Keys:
    """Give the gem of an installed specification (untrusted), where name and version are plain strings."""
    fields = [(found[1], found[3]) for found in _GEM_FIELD.finditer(body.decode("utf-8", "replace"))]
    values = dict(fields)
    if len(fields) != 2 or len(values) != 2 or not _VERSION.fullmatch(values["version"]):
        return ()
    return (key_of("gem", "", values["name"], values["version"], "", path),)
