"""The distribution of an image, read by hand from the merged view, with everything that contradicts it.

The two scanners find the distribution by different files, and one file more or less turns a finding into none (checks
reference, section 2.2). So every release file that exists must name the same family and release; what does not is listed in
`Distribution.conflicts`, and the check of completeness refuses. Nothing is refused here.
Specification: os-release(5); checks reference, section 3.1; attack L01.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from gate.layers.bodies import Capture
from gate.layers.entry import BodySink, Entry, EntryKind
from gate.layers.faults import shown
from gate.layers.merged_view import MergedView
from gate.layers.release_files import RELEASE_FILES, contradiction
from gate.model.evidence import Distribution
from gate.model.releases import find_release

MAX_RELEASE_FILE_BYTES: Final = 64 * 1024

_OS_RELEASE: Final = b"etc/os-release"
_VENDOR_OS_RELEASE: Final = b"usr/lib/os-release"
_USED: Final = ("ID", "VERSION_ID", "VERSION_CODENAME")
_WATCHED: Final = frozenset(
    {_OS_RELEASE, _VENDOR_OS_RELEASE} | {folder + name for folder in (b"etc/", b"usr/lib/") for name in RELEASE_FILES}
)

_ASSIGNMENT = re.compile(
    r"""([A-Za-z_][A-Za-z0-9_]*)=(?:"((?:[^"\\$`]|\\["\\$`])*)"|'([^']*)'|([^\s"'\\$`;&|<>()]*))[ \t\r]*"""
)
_ESCAPE = re.compile(r"\\(.)")


class ReleaseReader:
    """Take the bodies of release files in every layer, and read the distribution from the finished view."""

    def __init__(self) -> None:
        self._bodies: dict[bytes, tuple[int, bytes | None]] = {}

    def begin(self, entry: Entry, layer: int) -> BodySink | None:
        """Take the body of a release file."""
        if entry.path not in _WATCHED:
            return None

        def deliver(body: bytes | None) -> None:
            self._bodies[entry.path] = (layer, body)

        return Capture(MAX_RELEASE_FILE_BYTES, deliver)

    def conclude(self, view: MergedView) -> Distribution | None:
        """Return the distribution; None where no release file exists at all."""
        conflicts: list[str] = []
        values = self._os_release(view, conflicts)
        files = {name: self._body(b"etc/" + name, view, conflicts) for name in RELEASE_FILES}
        there = {name: body for name, body in files.items() if body is not None}
        if values is None and not there and not conflicts:
            return None
        if values is None:
            conflicts.append("there is no os-release")
            return Distribution(id="", version_id="", conflicts=tuple(conflicts))
        name, version, codename = (values.get(key, "") for key in _USED)
        conflicts += _contradictions(name, version, codename, there)
        pretty = ascii(values.get("PRETTY_NAME", ""))[1:-1][:120]
        return Distribution(
            id=name, version_id=version, codename=codename, pretty_name=pretty, conflicts=tuple(conflicts)
        )

    def _os_release(self, view: MergedView, conflicts: list[str]) -> dict[str, str] | None:
        first = self._body(_OS_RELEASE, view, conflicts)
        second = self._body(_VENDOR_OS_RELEASE, view, conflicts)
        chosen = first if first is not None else second
        if chosen is None:
            return None
        values = parse_os_release(chosen, conflicts)
        if first is not None and second is not None and first != second:
            other = parse_os_release(second, [])
            # Google's distroless images leave the code name out of one of the two.
            both = [key for key in _USED if key != "VERSION_CODENAME" or (key in values and key in other)]
            if any(values.get(key) != other.get(key) for key in both):
                conflicts.append("etc/os-release and usr/lib/os-release differ")
        return values

    def _body(self, path: bytes, view: MergedView, conflicts: list[str]) -> bytes | None:
        resolved = view.resolve(path)
        if resolved is None:
            if view.find(path) is not None:
                conflicts.append(f"{path.decode()} is a link that leads nowhere")
            return None
        layer, body = self._bodies.get(resolved.path, (-1, None))
        node = resolved.node
        if node.kind is not EntryKind.FILE or node.is_hardlink or body is None or node.layer != layer:
            conflicts.append(f"{path.decode()} is no ordinary file, or a link to an unusual place")
            return None
        return body


def parse_os_release(body: bytes, conflicts: list[str]) -> dict[str, str]:
    """Return the assignments of an untrusted os-release, the first of a key; what is wrong is added to `conflicts`."""
    values: dict[str, str] = {}
    for line in body.decode("utf-8", "backslashreplace").split("\n"):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _ASSIGNMENT.fullmatch(line)
        if found is None:
            conflicts.append(f"a line of os-release is no assignment: {shown(line.encode())}")
            continue
        key, double, single, plain = found.groups()
        if key in values:
            conflicts.append(f"os-release assigns {key} twice")
            continue
        values[key] = _ESCAPE.sub(r"\1", double) if double is not None else single if single is not None else plain
    conflicts += [f"{key} of os-release is not plain ASCII" for key in _USED if not _is_plain(values.get(key, ""))]
    return values


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _contradictions(name: str, version: str, codename: str, files: Mapping[bytes, bytes]) -> list[str]:
    found = [] if name else ["os-release has no ID"]
    release = find_release(name, version)
    if codename and release is not None and codename != release.codename:
        # Grype asks its database by the code name as well: a wrong one gives no matches and no warning.
        real = release.codename or "without one"
        found.append(f"VERSION_CODENAME is {codename[:40]!a}, and {name} {version} is {real}")
    for file, body in files.items():
        text = body.decode("utf-8", "backslashreplace")
        problem = contradiction(file.decode(), text, name, version)
        if problem:
            found.append(f"etc/{file.decode()} {problem}")
    return found
