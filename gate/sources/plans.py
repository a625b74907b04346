"""Images in what Terraform prints of a plan (`terraform show -json`), in its JSON syntax, and in Packer's manifest.

Specification: HashiCorp, "JSON Output Format" and "JSON Configuration Syntax".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gate.model.found_reference import PINNED, ReferenceKind, mutable
from gate.sources.terraform import attributes_of
from gate.sources.text import About
from gate.sources.yaml_tree import Node, add_image, child, items, mappings, pairs, place, text_of

if TYPE_CHECKING:
    from gate.sources.text import SourceText

# A document within a string: its quotes are escaped.
_IMAGE_IN_TEXT: Final = re.compile(r'\\"image\\"\s*:\s*\\"(?P<image>[^\\"]+)\\"')
_TEXTS: Final = ("container_definitions", "container_properties")
_MAX_DEPTH: Final = 50
_IMMUTABLE: Final = re.compile(r"(?:[\w-]+:)?ami-[0-9a-f]{8,17}|sha256:[0-9a-f]{64}", re.ASCII)


def is_plan(source: SourceText, root: Node) -> bool:
    """Report whether a document is what `terraform show -json` prints."""
    found = pairs(source, root)
    return "format_version" in found and bool(found.keys() & {"planned_values", "values", "resource_changes"})


def read_plan(source: SourceText, root: Node) -> None:
    """Report the images of the planned resources, and those that are known only after the plan was applied."""
    for key in ("planned_values", "values"):
        for resource in _resources(source, child(source, root, key, "root_module"), 0):
            found = pairs(source, resource)
            _read_values(source, text_of(found.get("type")), text_of(found.get("address")), found.get("values"))
    for change in items(child(source, root, "resource_changes")):
        found = pairs(source, change)
        names = attributes_of(text_of(found.get("type")))
        unknown = child(source, change, "change", "after_unknown")
        for path, below in mappings(source, unknown) if unknown is not None else ():
            for name, node in below.items():
                if text_of(node) == "true" and (name in names or (names and name in _TEXTS)):
                    reached = f"{text_of(found.get('address'))}.{path}.{name}".replace("..", ".")
                    source.add_unresolved(*place(source, node), reached, "known after apply", reached)


def _resources(source: SourceText, module: Node | None, depth: int) -> Iterator[Node]:
    yield from items(child(source, module, "resources"))
    for below in items(child(source, module, "child_modules")) if depth < _MAX_DEPTH else ():
        yield from _resources(source, below, depth + 1)


def _read_values(source: SourceText, kind: str, address: str, values: Node | None) -> None:
    names = attributes_of(kind)
    if values is None or not names:
        return
    for path, found in mappings(source, values):
        for name, node in found.items():
            reached = f"{address}.{path}.{name}".replace("..", ".")
            if name in names:
                add_image(source, node, reached)
            elif name in _TEXTS:
                _read_text(source, node, reached)


def _read_text(source: SourceText, node: Node, reached: str) -> None:
    for match in _IMAGE_IN_TEXT.finditer(source.text, node.start_mark.index, node.end_mark.index):
        source.add_image(*match.span("image"), reached)


def read_terraform_json(source: SourceText, root: Node) -> None:
    """Report the images of resources in Terraform's JSON syntax."""
    for kind, named in pairs(source, child(source, root, "resource")).items():
        for name, values in pairs(source, named).items():
            for each in items(values) or [values]:
                _read_values(source, kind, f"{kind}.{name}", each)


def read_packer_manifest(source: SourceText, root: Node) -> None:
    """Report what Packer built: an image by digest or a machine image by its id cannot move."""
    for number, build in enumerate(items(child(source, root, "builds"))):
        node = child(source, build, "artifact_id")
        if node is not None and text_of(node):
            standing = PINNED if _IMMUTABLE.fullmatch(text_of(node)) else mutable("a name, not an id")
            about = About(value=text_of(node), fixable=False)
            source.add(
                *place(source, node), ReferenceKind.MACHINE_IMAGE, standing, f"builds[{number}].artifact_id", about
            )
