"""Images and code that other files bring in: Kustomize, Helm's values and dependencies, pre-commit, development containers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import yaml

from gate.model.found_reference import PINNED, ReferenceKind, commit_standing, image_standing, mutable
from gate.sources.kubernetes import is_patch, read_kubernetes, read_patch
from gate.sources.text import About
from gate.sources.yaml_tree import (
    Node,
    add_embedded,
    add_image,
    child,
    documents,
    items,
    mappings,
    pairs,
    place,
    text_of,
)

if TYPE_CHECKING:
    from gate.sources.text import SourceText

_EXACT: Final = re.compile(r"v?\d+\.\d+\.\d+(?:[-+][\w.+-]+)?", re.ASCII)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_REMOTE: Final = re.compile(r"(?:https?://|ssh://|git@|git::|github\.com/)", re.ASCII)


def read_kustomization(source: SourceText, root: Node) -> None:
    """Report the images that a kustomization sets, its remote bases and charts."""
    for number, image in enumerate(items(child(source, root, "images"))):
        _read_kustomize_image(source, pairs(source, image), f"images[{number}]")
    for number, patch in enumerate(items(child(source, root, "patches"))):
        add_embedded(source, child(source, patch, "patch"), _read_patch, f"patches[{number}].patch")
    for key in ("resources", "bases", "components", "crds"):
        for number, entry in enumerate(items(child(source, root, key))):
            text = text_of(entry)
            if _REMOTE.match(text):
                revision = re.search(r"[?&](?:ref|version)=([^&]+)", text)
                standing = commit_standing(revision[1] if revision else "", "the ref")
                source.add(*place(source, entry), ReferenceKind.GIT, standing, f"{key}[{number}]", About(fixable=False))
    for number, chart in enumerate(items(child(source, root, "helmCharts"))):
        _read_chart(source, pairs(source, chart), f"helmCharts[{number}]")


def _read_patch(source: SourceText) -> None:
    for document in documents(source):
        if is_patch(document):
            read_patch(source, document)
        else:
            read_kubernetes(source, document)


def _read_kustomize_image(source: SourceText, found: dict[str, Node], path: str) -> None:
    """Report one entry: `digest` pins; a `newTag` may carry a digest, as `1.2@sha256:...`, which is how it is pinned in place."""
    name = text_of(found.get("newName")) or text_of(found.get("name"))
    digest, tag = text_of(found.get("digest")), text_of(found.get("newTag"))
    if digest:
        start, end = place(source, found["digest"])
        value = f"{name}@{digest}"
        source.add(
            start, end, ReferenceKind.IMAGE, image_standing(value), f"{path}.digest", About(value=value, fixable=False)
        )
    elif tag:
        start, end = place(source, found["newTag"])
        about = About(value=f"{name}:{tag}", fixable=source.text[start:end] == tag)
        source.add_image(start, end, f"{path}.newTag", about)
    elif "newName" in found:
        add_image(source, found["newName"], f"{path}.newName")


def _read_chart(source: SourceText, found: dict[str, Node], path: str) -> None:
    version = found.get("version")
    node = version or found.get("name")
    repository = text_of(found.get("repository") or found.get("repo"))
    if node is None or repository.startswith("file://") or not repository:
        return
    exact = _EXACT.fullmatch(text_of(version))
    standing = PINNED if exact else mutable("a range of versions, or none")
    about = About(value=f"{text_of(found.get('name'))} {text_of(version)}".strip(), fixable=False)
    source.add(*place(source, node), ReferenceKind.CHART, standing, f"{path}.version", about)


def read_chart(source: SourceText, root: Node) -> None:
    """Report the dependencies of a Helm chart."""
    for number, entry in enumerate(items(child(source, root, "dependencies"))):
        _read_chart(source, pairs(source, entry), f"dependencies[{number}]")


def read_values(source: SourceText, root: Node) -> None:
    """Report the images of a chart's values: `repository` with `tag` or `digest`; an `image` that is a text is only probably one.

    An empty tag means the chart's own version to most charts: only rendering tells.
    """
    for path, found in mappings(source, root):
        repository = text_of(found.get("repository"))
        if repository and ("tag" in found or "digest" in found) and not repository.startswith(("http", "git")):
            _read_value(source, found, repository, path)
        elif text_of(found.get("image")) and image_standing(text_of(found["image"])).image is not None:
            add_image(
                source, found["image"], f"{path}.image".lstrip("."), About(note="a value of a chart", advisory=True)
            )


def _read_value(source: SourceText, found: dict[str, Node], repository: str, path: str) -> None:
    registry = text_of(found.get("registry"))
    name = f"{registry}/{repository}" if registry else repository
    digest, tag = text_of(found.get("digest")), text_of(found.get("tag"))
    if _DIGEST.fullmatch(digest):
        value = f"{name}@{digest}"
        about = About(value=value, fixable=False)
        source.add(*place(source, found["digest"]), ReferenceKind.IMAGE, image_standing(value), f"{path}.digest", about)
    elif tag:
        start, end = place(source, found["tag"])
        source.add_image(start, end, f"{path}.tag", About(value=f"{name}:{tag}", fixable=source.text[start:end] == tag))
    else:
        note = "the chart decides the tag: read what `helm template` prints"
        source.add_unresolved(*place(source, found["repository"]), f"{path}.repository", note, name)


def read_pre_commit(source: SourceText, root: Node) -> None:
    """Report the repositories of hooks, each by its `rev`, and images that hooks run in."""
    for number, entry in enumerate(items(child(source, root, "repos"))):
        found = pairs(source, entry)
        repository, revision = text_of(found.get("repo")), found.get("rev")
        if revision is not None and repository not in {"local", "meta"}:
            about = About(value=f"{repository}@{text_of(revision)}", fixable=False)
            standing = commit_standing(text_of(revision), "the rev")
            source.add(*place(source, revision), ReferenceKind.HOOK, standing, f"repos[{number}].rev", about)
        for hook in items(found.get("hooks")):
            entry_node = child(source, hook, "entry")
            if text_of(child(source, hook, "language")) == "docker_image" and entry_node is not None:
                start, _ = place(source, entry_node)
                image = text_of(entry_node).split(" ")[0]
                source.add_image(start, start + len(image), f"repos[{number}].hooks.entry", About(value=image))


def read_devcontainer(source: SourceText, root: Node) -> None:
    """Report the image and the features of a development container."""
    add_image(source, child(source, root, "image"), "image")
    found = child(source, root, "features")
    for key, _ in found.value if isinstance(found, yaml.MappingNode) else []:
        text = text_of(key)
        start, end = place(source, key)
        if text.startswith(("./", "../")) or source.text[start:end] != text:
            continue
        if text.startswith(("http://", "https://")):
            standing = mutable("what this address serves can change")
            source.add(start, end, ReferenceKind.PACKAGE, standing, "features", About(fixable=False))
        else:
            source.add_image(start, end, "features")
