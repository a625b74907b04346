"""Files of an image by which Trivy asks its database about something else than what the image is, or reads less of it.

Each is written by whoever builds the image, and no report says that it was followed. The gate reads the same files, and those of
every layer: Trivy looks at each layer alone, so that a file which a later layer deletes has led it all the same.
Sources: Trivy v0.72.0 `pkg/fanal/analyzer/repo/apk`, `buildinfo/{content_manifest,dockerfile}.go`, `os/ubuntu/esm.go`,
`analyzer.go` (`sbom`), `pkg/fanal/applier/docker.go`. Reviewed 2026-12-01.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from gate.layers.bodies import Capture
from gate.layers.entry import BodySink, Entry
from gate.model.evidence import Distribution
from gate.model.layer_facts import Redirect

_MAX_BYTES: Final = 16 << 20
_REPOSITORIES: Final = b"etc/apk/repositories"
_PRO: Final = b"var/lib/ubuntu-advantage/status.json"
_MANIFEST: Final = re.compile(rb"(?:root/buildinfo/content_manifests|usr/share/buildinfo)/[^/]+\.json")
_DOCKERFILE: Final = b"root/buildinfo/Dockerfile"
# The repositories of a release in which its packages are, by release, architecture and repository; the others hold what is
# added to them, and alone they name another product (Red Hat, "Container content manifests").
_CONTENT_SET: Final = re.compile(r"rhel-(\d+)-for-[a-z0-9_]+-(baseos|appstream)(?:-eus)?-rpms(?:__[0-9_]+)?")
_SERVER_SETS: Final = re.compile(r"rhel-([67])-server(?:-(?:extras|optional|eus))?-rpms")
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
        if path not in {_REPOSITORIES, _PRO} and not path.endswith(_SBOM) and not _is_build_info(path):
            return None

        def deliver(body: bytes | None) -> None:
            self._bodies[layer, path] = body

        return Capture(_MAX_BYTES, deliver)

    def conclude(self, distribution: Distribution | None, files: frozenset[str]) -> tuple[Redirect, ...]:
        """Return what redirects Trivy; `files` are the paths of package databases and of packages of languages."""
        found: dict[str, Redirect] = {}
        for redirect in self._redirects(distribution, files):
            found.setdefault(redirect.path, redirect)
        return tuple(sorted(found.values(), key=lambda one: one.path))

    def _redirects(self, release: Distribution | None, files: frozenset[str]) -> Iterator[Redirect]:
        for (_, path), body in self._bodies.items():
            if body is None:
                yield Redirect(path=_text(path), what="it is too large to be read")
            elif path.endswith(_SBOM) and (named := sorted(_texts(_decoded(body)) & files)):
                yield Redirect(
                    path=_text(path), what=f"as an SBOM it speaks for /{named[0]}, which Trivy then does not read"
                )
        if release is not None and release.id == "alpine":
            yield from self._other_release(release)
        if release is not None and release.id == "ubuntu" and any(map(_is_extended, self._contents(_PRO))):
            yield Redirect(path=_text(_PRO), what="by it Trivy asks about Ubuntu's extended support")
        if release is not None and release.id in _RED_HAT:
            yield from self._other_product(release)

    def _contents(self, path: bytes) -> list[str]:
        """Return the texts of a file, one for each layer that has it, base first."""
        return [_decoded(body) for (_, place), body in sorted(self._bodies.items()) if place == path and body]

    def _other_release(self, release: Distribution) -> Iterator[Redirect]:
        asked = [found for text in self._contents(_REPOSITORIES) if (found := _highest(text))]
        if asked and asked[-1] != ".".join(release.version_id.split(".")[:2]):
            yield Redirect(path=_text(_REPOSITORIES), what=f"by it Trivy asks about Alpine {asked[-1]}")

    def _other_product(self, release: Distribution) -> Iterator[Redirect]:
        """Demand of each layer with build information that it names the repositories of the release itself."""
        by_layer: dict[int, dict[bytes, str]] = {}
        for (layer, path), body in sorted(self._bodies.items()):
            if _is_build_info(path):
                by_layer.setdefault(layer, {})[path] = _decoded(body or b"")
        for contents in by_layer.values():
            sets = [name for path, text in contents.items() if _MANIFEST.fullmatch(path) for name in _texts(text)]
            if not _is_release_itself(sets, release.version_id.partition(".")[0]):
                # Without a list, Trivy goes by the name of the product that a Dockerfile's labels tell.
                what = "by its content sets Trivy asks about another product"
                yield Redirect(path=_text(min(contents)), what=what)


def _is_build_info(path: bytes) -> bool:
    in_folder = path.startswith(_DOCKERFILE) and b"/" not in path.removeprefix(_DOCKERFILE)
    return in_folder or _MANIFEST.fullmatch(path) is not None


def _is_release_itself(sets: list[str], major: str) -> bool:
    if any((found := _SERVER_SETS.fullmatch(name)) is not None and found[1] == major for name in sets):
        return True
    named = {found[2] for name in sets if (found := _CONTENT_SET.fullmatch(name)) is not None and found[1] == major}
    return named == {"baseos", "appstream"}


def _is_extended(text: str) -> bool:
    """Say whether a status of Ubuntu Pro has the service of extended support enabled; what is no JSON counts by its words."""
    try:
        services = json.loads(text)["services"]
        return any(one.get("name") == "esm-infra" and one.get("status") == "enabled" for one in services)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return '"esm-infra"' in text and '"enabled"' in text


def _decoded(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


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
