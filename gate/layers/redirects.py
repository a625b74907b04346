"""Files of an image by which Trivy asks its database about something else than what the image is, or reads less of it.

Each is written by whoever builds the image, and no report says that it was followed. The gate reads the same files.
Sources: Trivy v0.72.0 `pkg/fanal/analyzer/repo/apk`, `buildinfo/content_manifest.go`, `os/ubuntu/esm.go`, `analyzer.go`
(`sbom`). Reviewed 2026-12-01.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from gate.layers.bodies import Capture
from gate.layers.entry import BodySink, Entry
from gate.layers.merged_view import MergedView
from gate.model.evidence import Distribution
from gate.model.layer_facts import Redirect

_MAX_BYTES: Final = 16 << 20
_REPOSITORIES: Final = b"etc/apk/repositories"
_PRO: Final = b"var/lib/ubuntu-advantage/status.json"
_MANIFEST: Final = re.compile(rb"(?:root/buildinfo/content_manifests|usr/share/buildinfo)/[^/]+\.json")
_SBOM: Final = (b".spdx", b".spdx.json", b".cdx", b".cdx.json")
_RELEASE: Final = re.compile(r"/(?:v(\d+)\.(\d+)|(edge))/")
_RED_HAT: Final = frozenset({"rhel", "centos"})


class RedirectReader:
    """Take the bodies of such files in every layer, and compare those of the finished view with what the image is."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[int, bytes], bytes | None] = {}

    def begin(self, entry: Entry, layer: int) -> BodySink | None:
        """Take the body of such a file."""
        path = entry.path
        if path not in {_REPOSITORIES, _PRO} and not path.endswith(_SBOM) and not _MANIFEST.fullmatch(path):
            return None

        def deliver(body: bytes | None) -> None:
            self._bodies[layer, path] = body

        return Capture(_MAX_BYTES, deliver)

    def conclude(
        self, view: MergedView, distribution: Distribution | None, files: frozenset[str]
    ) -> tuple[Redirect, ...]:
        """Return what redirects Trivy; `files` are the paths of package databases and of packages of languages."""
        found: list[Redirect] = []
        for (layer, path), body in sorted(self._bodies.items()):
            node = view.find(path)
            if node is not None and node.body_of(path) == (layer, path):
                found += _redirects(path, body, distribution, files)
        return tuple(found)


def _redirects(
    path: bytes, body: bytes | None, distribution: Distribution | None, files: frozenset[str]
) -> Iterator[Redirect]:
    place, release = path.decode("utf-8", "backslashreplace"), distribution
    text = body.decode("utf-8", "replace") if body is not None else ""
    if body is None:
        yield Redirect(path=place, what="it is too large to be read")
    elif path.endswith(_SBOM):
        named = sorted(_texts(text) & files)
        if named:
            yield Redirect(path=place, what=f"as an SBOM it speaks for /{named[0]}, which Trivy then does not read")
    elif path == _REPOSITORIES and release is not None and release.id == "alpine":
        asked = _highest(text)
        if asked and asked != ".".join(release.version_id.split(".")[:2]):
            yield Redirect(path=place, what=f"by it Trivy asks about Alpine {asked}")
    elif path == _PRO and release is not None and release.id == "ubuntu":
        if re.search(r'"esm-infra"', text) and re.search(r'"enabled"', text):
            yield Redirect(path=place, what="by it Trivy asks about Ubuntu's extended support")
    elif release is not None and release.id in _RED_HAT and _MANIFEST.fullmatch(path):
        major = release.version_id.partition(".")[0]
        if not any(f"-{major}-" in name and "baseos" in name for name in _texts(text)):
            yield Redirect(path=place, what="by its content sets Trivy asks about another product")


def _highest(text: str) -> str:
    """Return the release that Trivy takes: the highest of any line, and `edge` before all."""
    found = [
        match for line in text.splitlines() if not line.lstrip().startswith("#") for match in _RELEASE.finditer(line)
    ]
    if any(match[3] for match in found):
        return "edge"
    numbers = [(int(match[1]), int(match[2])) for match in found]
    return ".".join(map(str, max(numbers))) if numbers else ""


def _texts(text: str) -> frozenset[str]:
    """Return every text of a JSON document, without leading slashes; of another form, the words of its lines."""
    try:
        todo: list[object] = [json.loads(text)]
    except (ValueError, RecursionError):
        return frozenset(
            word.lstrip("/.") for line in text.splitlines() for word in (line.split(": ")[-1].strip(), *line.split())
        )
    found: set[str] = set()
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)
        elif isinstance(value, str):
            found.add(value.removeprefix("./").lstrip("/"))
    return frozenset(found)
