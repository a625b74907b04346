"""What a file of a language's package manager says of its package: name and version, or that it says none.

The scanners know many more forms; this reading is there to catch a scanner that sees none, and so takes only what states its
own name and version beyond doubt. A package whose file names no version is read with an empty one: neither scanner lists it,
and nobody can look it up. Specification: checks reference, sections 2.3 and 3.3; Python core metadata; npm package.json;
RubyGems specifications; Composer 2 `installed.json`; .NET `deps.json` (dotnet/sdk `runtime-configuration-file.md`).
"""

from __future__ import annotations

import json
import re
from typing import Final

from gate.codec.purl import key_of
from gate.model.finding import PackageKey

Keys = tuple[PackageKey, ...]

NPM_PATH: Final = re.compile(rb"(?:.*/)?node_modules/((?:@[^/]+/)?[^/@.][^/]*)/package\.json", re.DOTALL)
_NPM_NAME = re.compile(r"(?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*", re.ASCII)
_PYTHON_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_BLANK_LINE = re.compile(r"(?:^|\r?\n)\r?\n")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,100}", re.ASCII)
PYTHON_FILES: Final = (b".dist-info/METADATA", b".egg-info/PKG-INFO")
GEM_PATH: Final = re.compile(rb"(?:.*/)?specifications/(?:default/)?[^/]+\.gemspec", re.DOTALL)
_GEM_FIELD = re.compile(r"""^\s*\w+\.(name|version)\s*=\s*(["'])([A-Za-z0-9._-]+)\2(?:\.freeze)?\s*$""", re.MULTILINE)
_DIST_INFO: Final = re.compile(r"(?:.*/)?([A-Za-z0-9][A-Za-z0-9._]*)(?:-[^/]*)?\.(?:dist|egg)-info/[^/]+", re.DOTALL)
_GEM_FILE: Final = re.compile(r"(?:.*/)?([A-Za-z0-9_][A-Za-z0-9._-]*?)-[0-9][^/]*\.gemspec", re.DOTALL)
_MAX_PACKAGES: Final = 20_000


def parse_metadata(body: bytes, path: str) -> Keys:
    """Parse the package of a wheel's METADATA or an egg's PKG-INFO (untrusted)."""
    # A blank first line ends the headers for some readers and not for others: nothing is then certain.
    head = _BLANK_LINE.split(body.decode("utf-8", "replace"), maxsplit=1)[0]
    values: dict[str, list[str]] = {"name": [], "version": []}
    last = ""
    for line in head.splitlines():
        if line[:1] in {" ", "\t"} and last in values:
            values[last].append("")  # a folded line, which the two scanners read differently
            continue
        key, colon, value = line.partition(":")
        last = key.lower() if colon else ""
        if last in values:
            values[last].append(value.strip())
    names, versions = values["name"], values["version"]
    whole = len(names) == len(versions) == 1 and _PYTHON_NAME.fullmatch(names[0]) and _VERSION.fullmatch(versions[0])
    if whole:
        return (key_of("pypi", "", names[0], versions[0], "", path),)
    named = _DIST_INFO.fullmatch(path)
    return (key_of("pypi", "", named[1], "", "", path),) if named else ()


def parse_package_json(body: bytes, path: str) -> Keys:
    """Parse the package at `node_modules/NAME/package.json` (untrusted).

    A name of its own counts where the folder has another one (an alias); without a name, the folder's does.
    """
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return ()
    folder = NPM_PATH.fullmatch(path.encode("utf-8", "backslashreplace"))
    if not isinstance(value, dict) or folder is None:
        return ()
    name, version = value.get("name"), value.get("version")
    if not isinstance(name, str) or not _NPM_NAME.fullmatch(name):
        name = folder[1].decode("utf-8", "replace")
        version = ""
    plain = version if isinstance(version, str) and _VERSION.fullmatch(version) else ""
    return (key_of("npm", "", name, plain, "", path),) if _NPM_NAME.fullmatch(name) else ()


def parse_gemspec(body: bytes, path: str) -> Keys:
    """Parse the gem of an installed specification (untrusted), where name and version are plain strings."""
    fields = [(found[1], found[3]) for found in _GEM_FIELD.finditer(body.decode("utf-8", "replace"))]
    values = dict(fields)
    if len(fields) == 2 and len(values) == 2 and _VERSION.fullmatch(values["version"]):
        return (key_of("gem", "", values["name"], values["version"], "", path),)
    named = _GEM_FILE.fullmatch(path)
    return (key_of("gem", "", named[1], "", "", path),) if named else ()


def parse_installed_json(body: bytes, path: str) -> Keys:
    """Parse the packages of Composer's `installed.json` (untrusted), in the form of Composer 1 or 2."""
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return ()
    listed = value.get("packages") if isinstance(value, dict) else value
    found: list[PackageKey] = []
    for item in listed[:_MAX_PACKAGES] if isinstance(listed, list) else ():
        name, version = (item.get("name"), item.get("version")) if isinstance(item, dict) else (None, None)
        if isinstance(name, str) and _COMPOSER_NAME.fullmatch(name):
            plain = version if isinstance(version, str) and _VERSION.fullmatch(version) else ""
            found.append(key_of("composer", "", name, plain, "", path))
    return tuple(found)


def parse_deps_json(body: bytes, path: str) -> Keys | None:
    """Parse the packages that a .NET program loads from files beside it (untrusted); None for what is no strict JSON."""
    try:
        value = json.loads(body.decode())
        targets = value["targets"].values()
        loaded = [name for target in targets for name, parts in target.items() if parts.get("runtime")]
        kinds = {name: library.get("type") for name, library in value["libraries"].items()}
    except (ValueError, RecursionError):
        return None
    except (AttributeError, KeyError, TypeError):
        return ()
    pairs = [name.split("/") for name in loaded[:_MAX_PACKAGES] if kinds.get(name) == "package"]
    return tuple(
        key_of("nuget", "", pair[0], pair[1], "", path)
        for pair in pairs
        if len(pair) == 2 and _VERSION.fullmatch(pair[1])
    )


_COMPOSER_NAME: Final = re.compile(
    r"[a-z0-9](?:[_.-]?[a-z0-9]+)*/[a-z0-9](?:[_.-]*[a-z0-9]+)*", re.ASCII | re.IGNORECASE
)
