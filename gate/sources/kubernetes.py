"""Images in Kubernetes objects and their relatives: whatever embeds a pod, Tekton, Argo, and kinds that name an image themselves.

A pod is known by its lists of containers wherever it is embedded, so that Deployments, Rollouts and an operator's own kinds need
no table. What else stands under a key `image` is shown and refuses nothing, because only its operator knows what it means.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import yaml

from gate.model.found_reference import ReferenceKind, ReferenceState, image_standing, mutable
from gate.sources.text import About
from gate.sources.yaml_tree import Node, add_image, child, items, mappings, pairs, place, text_of

if TYPE_CHECKING:
    from gate.sources.text import SourceText

_LISTS: Final = ("containers", "initContainers", "ephemeralContainers", "steps", "sidecars")
_ONE: Final = ("container", "script", "stepTemplate")
_KEYS: Final = frozenset({*_LISTS, *_ONE, "volumes", "resolver", "bundle", "image"})
# (group of apiVersion, kind) -> paths of keys; a star is each item of a list. Reviewed 2026-12.
_KINDS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("operators.coreos.com", "CatalogSource"): ("spec.image",),
    ("operators.coreos.com", "ClusterServiceVersion"): ("spec.relatedImages.*.image",),
    ("pkg.crossplane.io", "Provider"): ("spec.package",),
    ("pkg.crossplane.io", "Configuration"): ("spec.package",),
    ("pkg.crossplane.io", "Function"): ("spec.package",),
    ("tekton.dev", "StepAction"): ("spec.image",),
    ("monitoring.coreos.com", "Prometheus"): ("spec.image",),
    ("monitoring.coreos.com", "Alertmanager"): ("spec.image",),
    ("monitoring.coreos.com", "ThanosRuler"): ("spec.image",),
    ("kafka.strimzi.io", "KafkaConnect"): ("spec.image",),
    ("kafka.strimzi.io", "Kafka"): ("spec.kafka.image", "spec.zookeeper.image"),
}
_SCHEMAS: Final = frozenset({"CustomResourceDefinition"})
_ARGUMENT: Final = re.compile(r"--[a-z0-9-]*image=(?P<image>\S+)", re.ASCII)


def is_object(source: SourceText, root: Node) -> bool:
    """Report whether a document is a Kubernetes object or a list of them."""
    found = pairs(source, root)
    return bool(text_of(found.get("apiVersion")) and text_of(found.get("kind")))


def read_kubernetes(source: SourceText, root: Node) -> None:
    """Report the references of one object, or of each in a list."""
    listed = items(child(source, root, "items")) if text_of(child(source, root, "kind")).endswith("List") else []
    if listed:
        for item in listed:
            read_kubernetes_object(source, item)
        return
    read_kubernetes_object(source, root)


def is_patch(root: Node) -> bool:
    """Report whether a document is a JSON patch: a list of operations."""
    return bool(items(root)) and all(
        isinstance(item, yaml.MappingNode) and {"op", "path"} <= {str(key.value) for key, _ in item.value}
        for item in items(root)
    )


def read_patch(source: SourceText, root: Node) -> None:
    """Report the images that a JSON patch (RFC 6902) sets, by themselves or in what it adds."""
    for number, item in enumerate(items(root)):
        found = pairs(source, item)
        value = found.get("value")
        if text_of(found.get("path")).endswith("/image"):
            add_image(source, value, f"[{number}].value")
        elif value is not None:
            for path, below in mappings(source, value):
                add_image(source, below.get("image"), f"[{number}].value.{path}.image".replace("..", "."))


def read_kubernetes_object(source: SourceText, root: Node) -> None:
    """Report the references of one object."""
    version, kind = (text_of(child(source, root, key)) for key in ("apiVersion", "kind"))
    if kind in _SCHEMAS:
        return
    for path in _KINDS.get((version.rpartition("/")[0], kind), ()):
        for node in _at(source, root, path.split(".")):
            add_image(source, node, path)
    for path, found in mappings(source, root):
        _read_mapping(source, path, found)
        if kind == "OCIRepository" and path == "spec.ref":
            _read_flux(source, found)
    if kind == "Application":
        _read_argo_application(source, root)


def _at(source: SourceText, node: Node | None, path: list[str]) -> list[Node]:
    if node is None or not path:
        return [node] if node is not None else []
    below = items(node) if path[0] == "*" else [pairs(source, node).get(path[0])]
    return [found for one in below for found in _at(source, one, path[1:])]


def _read_mapping(source: SourceText, path: str, found: dict[str, Node]) -> None:
    if found.keys().isdisjoint(_KEYS):
        return
    for key in _LISTS:
        for number, container in enumerate(items(found.get(key))):
            add_image(source, pairs(source, container).get("image"), f"{path}.{key}[{number}].image".lstrip("."))
            _advise(source, container, f"{path}.{key}[{number}]".lstrip("."))
    for key in _ONE:
        add_image(source, pairs(source, found.get(key)).get("image"), f"{path}.{key}.image".lstrip("."))
    for number, volume in enumerate(items(found.get("volumes"))):
        add_image(
            source, child(source, volume, "image", "reference"), f"{path}.volumes[{number}].image.reference".lstrip(".")
        )
    if text_of(found.get("resolver")) == "bundles":
        for parameter in items(found.get("params")):
            if text_of(child(source, parameter, "name")) == "bundle":
                add_image(source, child(source, parameter, "value"), f"{path}.params.bundle".lstrip("."))
    if "bundle" in found and "taskRef" in path.rpartition(".")[2]:
        add_image(source, found["bundle"], f"{path}.bundle")
    _probably(source, found.get("image"), f"{path}.image".lstrip("."))


def _probably(source: SourceText, node: Node | None, reached: str) -> None:
    """Report what stands under a key `image` where no rule knows what it means, if it parses."""
    if isinstance(node, yaml.ScalarNode) and image_standing(text_of(node)).state is not ReferenceState.INVALID:
        add_image(source, node, reached, About(note="no rule knows this key", advisory=True))


def _advise(source: SourceText, container: Node, path: str) -> None:
    """Report images in variables and arguments by which operators start other containers; they refuse nothing."""
    for number, variable in enumerate(items(child(source, container, "env"))):
        if text_of(child(source, variable, "name")).startswith("RELATED_IMAGE_"):
            _probably(source, child(source, variable, "value"), f"{path}.env[{number}].value")
    for argument in [*items(child(source, container, "args")), *items(child(source, container, "command"))]:
        match = _ARGUMENT.fullmatch(text_of(argument))
        start, end = place(source, argument)
        if match and source.text[start:end] == match.string and image_standing(match["image"]).image is not None:
            source.add_image(
                start + match.start("image"), end, f"{path}.args", About(note="an argument", advisory=True)
            )


def _read_flux(source: SourceText, found: dict[str, Node]) -> None:
    if "digest" in found:
        return
    for key in ("tag", "semver"):
        if text_of(found.get(key)):
            start, end = place(source, found[key])
            standing = mutable(f"{key} can move: set digest")
            source.add(start, end, ReferenceKind.IMAGE, standing, f"spec.ref.{key}", About(fixable=False))


def _read_argo_application(source: SourceText, root: Node) -> None:
    sources = [child(source, root, "spec", "source"), *items(child(source, root, "spec", "sources"))]
    for node in sources:
        for image in items(child(source, node, "kustomize", "images")):
            text = text_of(image)
            value = text.rpartition("=")[2]
            start, end = place(source, image)
            if text and source.text[start:end] == text:
                source.add_image(
                    start + len(text) - len(value), end, "spec.source.kustomize.images", About(value=value)
                )
