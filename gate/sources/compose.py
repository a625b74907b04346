"""Images in Compose files: services of all profiles, what they build from, and volumes that are images.

Variables are replaced from the `.env` file next to it and by their own defaults; what only the caller's environment has is
unresolved.
Specification: compose-spec, "Interpolation"; compose-go v2, `template` (reviewed 2026-12).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.model.found_reference import ReferenceKind, exempt
from gate.sources.dockerfile import read_dockerfile
from gate.sources.templates import TEMPLATE
from gate.sources.text import About
from gate.sources.yaml_tree import Node, add_embedded, add_image, child, items, pairs, place, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gate.sources.text import SourceText

_VARIABLE: Final = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<named>[_a-zA-Z][_a-zA-Z0-9]*)|\{(?P<braced>[_a-zA-Z][_a-zA-Z0-9]*)(?:(?P<operator>:?[-?+])(?P<word>[^}]*))?\})",
    re.ASCII,
)
_ENV_LINE: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*?)\s*", re.ASCII)
_DOCKER_IMAGE: Final = "docker-image://"
_OVERRIDE: Final = "the caller's environment can replace it"
_MAX_VALUE: Final = 4096


def is_compose(source: SourceText, root: Node) -> bool:
    """Report whether a document is a Compose file by its content: services, of which one has an image or a build."""
    services = pairs(source, pairs(source, root).get("services")).values()
    return any(pairs(source, service).keys() & {"image", "build", "extends"} for service in services)


def read_compose(source: SourceText, root: Node) -> None:
    """Report the references of one document."""
    variables = _environment(source.neighbour(".env"))
    for name, service in pairs(source, pairs(source, root).get("services")).items():
        found = pairs(source, service)
        _read_service(source, f"services.{name}", found, variables)


def _read_service(source: SourceText, path: str, found: dict[str, Node], variables: Mapping[str, str]) -> None:
    image = found.get("image")
    if (
        image is not None
        and "build" in found
        and text_of(found.get("pull_policy")) not in {"always", "missing", "daily"}
    ):
        if text_of(image):
            standing = exempt("names what is built here")
            source.add(*place(source, image), ReferenceKind.IMAGE, standing, f"{path}.image", About(fixable=False))
    else:
        _add(source, image, f"{path}.image", variables, platform=text_of(found.get("platform")))
    build = pairs(source, found.get("build"))
    add_embedded(source, build.get("dockerfile_inline"), read_dockerfile, f"{path}.build.dockerfile_inline")
    contexts = pairs(source, build.get("additional_contexts"))
    for name, context in contexts.items():
        _add_context(source, context, f"{path}.build.additional_contexts.{name}", variables)
    for number, volume in enumerate(items(found.get("volumes"))):
        if text_of(child(source, volume, "type")) == "image":
            _add(source, child(source, volume, "source"), f"{path}.volumes[{number}].source", variables)


def _add_context(source: SourceText, node: Node, reached: str, variables: Mapping[str, str]) -> None:
    text = text_of(node)
    start, end = place(source, node)
    if text.startswith(_DOCKER_IMAGE) and source.text[start:end] == text:
        _report(source, (start + len(_DOCKER_IMAGE), end), reached, interpolate(text[len(_DOCKER_IMAGE) :], variables))


def _add(
    source: SourceText, node: Node | None, reached: str, variables: Mapping[str, str], *, platform: str = ""
) -> None:
    text = text_of(node)
    if node is None or not text:
        return
    if "$" not in text:
        add_image(source, node, reached, About(platform="" if "$" in platform else platform))
        return
    _report(source, place(source, node), reached, interpolate(text, variables))


def _report(source: SourceText, span: tuple[int, int], reached: str, found: Interpolated) -> None:
    if found.unset or TEMPLATE.search(found.text):
        missing = f"no value for {', '.join(found.unset)}" if found.unset else "a template decides it"
        source.add_unresolved(*span, reached, missing, found.text)
        return
    source.add_image(*span, reached, About(value=found.text, note=_OVERRIDE if found.replaced else ""))


@dataclass(frozen=True, slots=True)
class Interpolated:
    """A text with its variables replaced; `unset` are those without a value, `replaced` says that there were any."""

    text: str
    unset: tuple[str, ...]
    replaced: bool


def interpolate(text: str, variables: Mapping[str, str]) -> Interpolated:
    """Return a text with its variables replaced from these and from their own defaults."""
    unset: list[str] = []
    taken: list[str] = []

    def replaced(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name = match["named"] or match["braced"]
        value, operator, word = variables.get(name), match["operator"] or "", match["word"] or ""
        taken.append(name)
        missing = value is None or (operator.startswith(":") and not value)
        if operator.endswith("+"):
            return "" if missing else word
        if not missing:
            return value or ""
        if not operator.endswith("-"):
            unset.append(name)
        if "$" in word:
            unset.append("a variable in a default")
        return word

    result = _VARIABLE.sub(replaced, text)
    return Interpolated(result[:_MAX_VALUE], tuple(dict.fromkeys(unset)), bool(taken))


def _environment(data: bytes | None) -> dict[str, str]:
    """Return the variables of an `.env` file; lines that are none are left out, as Compose's reader is not asked for them."""
    found = {}
    for line in (data or b"").decode("utf-8", "replace").splitlines():
        match = _ENV_LINE.fullmatch(line)
        if match and not line.lstrip().startswith("#"):
            found[match[1]] = _unquoted(match[2])
    return found


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return re.split(r"\s+#", value, maxsplit=1)[0]
