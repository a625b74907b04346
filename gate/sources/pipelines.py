"""Images and foreign code in other CI systems: GitLab, CircleCI, Azure, Bitbucket, Drone, Woodpecker, Cloud Build.

Each by its documented schema (reviewed 2026-12). A variable is replaced only where the file itself gives it a literal value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import yaml

from gate.model.found_reference import PINNED, ReferenceKind, Standing, commit_standing, mutable, unresolved
from gate.sources.text import About
from gate.sources.yaml_tree import Node, add_image, child, items, mappings, pairs, place, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gate.sources.text import SourceText

_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))|%(\w+)%", re.ASCII)
_EXACT: Final = re.compile(r"v?\d+\.\d+\.\d+(?:[-+][\w.+-]+)?", re.ASCII)
_GITLAB_KEYWORDS: Final = frozenset({"variables", "stages", "include", "workflow", "cache", "spec", "pages"})


def read_gitlab(source: SourceText, root: Node) -> None:
    """Report the images, services and includes of a GitLab pipeline."""
    top = pairs(source, root)
    variables = _literals(source, top.get("variables"))
    _read_job(source, "", top, variables)
    for name, job in top.items():
        found = pairs(source, job)
        if name not in _GITLAB_KEYWORDS - {"pages"}:
            _read_job(source, f"{name}.", found, variables | _literals(source, found.get("variables")))
    listed = top.get("include")
    for number, entry in enumerate(items(listed) or ([listed] if listed is not None else [])):
        _read_include(source, entry, f"include[{number}]")


def _literals(source: SourceText, node: Node | None) -> dict[str, str]:
    """Return the variables whose value stands in the file; what is made of others is left out."""
    found = {}
    for name, value in pairs(source, node).items():
        text = text_of(child(source, value, "value") or value)
        if "$" not in text:
            found[name] = text
    return found


def _read_job(source: SourceText, path: str, job: Mapping[str, Node], variables: Mapping[str, str]) -> None:
    image = job.get("image")
    _add(source, child(source, image, "name") or image, f"{path}image", variables)
    for number, service in enumerate(items(job.get("services"))):
        _add(source, child(source, service, "name") or service, f"{path}services[{number}]", variables)


def _add(source: SourceText, node: Node | None, reached: str, variables: Mapping[str, str]) -> None:
    text = text_of(node)
    if node is None or "$" not in text:
        add_image(source, node, reached)
        return
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[3]
        if name not in variables:
            missing.append(name)
        return variables.get(name, "")

    replaced = _VARIABLE.sub(value, text)
    if missing:
        source.add_unresolved(*place(source, node), reached, f"no value in this file for {', '.join(missing)}", text)
    else:
        add_image(source, node, reached, About(value=replaced, note="a variable of the pipeline can replace it"))


def _read_include(source: SourceText, node: Node, reached: str) -> None:
    """Report a file that another place decides: a project by its ref, a component by its version, an address, a template."""
    found = pairs(source, node)
    for key, standing in (
        ("project", commit_standing(text_of(found.get("ref")), "the ref")),
        ("component", commit_standing(text_of(found.get("component")).rpartition("@")[2], "the version")),
        ("remote", PINNED if text_of(found.get("integrity")) else mutable("what this address serves can change")),
        ("template", mutable("the template is that of the GitLab that runs it")),
    ):
        if text_of(found.get(key)):
            _report(source, found[key], ReferenceKind.INCLUDE, standing, f"{reached}.{key}")
    if text_of(node).startswith(("http://", "https://")):
        _report(source, node, ReferenceKind.INCLUDE, mutable("what this address serves can change"), reached)


def _report(source: SourceText, node: Node, kind: ReferenceKind, standing: Standing, reached: str) -> None:
    text = text_of(node)
    variable = "$" in text or "{{" in text
    shown = unresolved("a variable decides it") if variable else standing
    source.add(*place(source, node), kind, shown, reached, About(value=text, fixable=False))


def read_circleci(source: SourceText, root: Node) -> None:
    """Report the images of executors and jobs, and the orbs, of a CircleCI configuration."""
    for path, found in mappings(source, root):
        for number, entry in enumerate(items(found.get("docker"))):
            node = child(source, entry, "image")
            if "<<" in text_of(node) and node is not None:
                source.add_unresolved(
                    *place(source, node), f"{path}.docker[{number}].image", "a parameter decides it", text_of(node)
                )
            else:
                add_image(source, node, f"{path}.docker[{number}].image")
    for name, orb in pairs(source, child(source, root, "orbs")).items():
        text = text_of(orb)
        if text:
            exact = _EXACT.fullmatch(text.rpartition("@")[2])
            standing = PINNED if exact else mutable("an orb's version can move unless all three numbers are given")
            _report(source, orb, ReferenceKind.PACKAGE, standing, f"orbs.{name}")


def read_azure(source: SourceText, root: Node) -> None:
    """Report containers, and templates of other repositories, of an Azure pipeline."""
    named = {
        text_of(child(source, entry, "container")) for entry in items(child(source, root, "resources", "containers"))
    }
    for path, found in mappings(source, root):
        container = found.get("container")
        node = child(source, container, "image") or container
        if path.rpartition(".")[2].startswith("containers["):
            add_image(source, found.get("image"), f"{path}.image")
        elif isinstance(node, yaml.ScalarNode) and text_of(node) not in named:
            add_image(source, node, f"{path}.container".lstrip("."))
        if path.rpartition(".")[2].startswith("repositories[") and text_of(found.get("type")) in {
            "github",
            "git",
            "githubenterprise",
        }:
            _read_repository(source, found, path)


def _read_repository(source: SourceText, found: Mapping[str, Node], path: str) -> None:
    node = found.get("ref") or found.get("name")
    if node is not None:
        standing = commit_standing(text_of(found.get("ref")), "the ref")
        _report(source, node, ReferenceKind.INCLUDE, standing, f"{path}.ref")


def read_images(source: SourceText, root: Node) -> None:
    """Report what stands under `image` (a text, or with a `name`) and `pipe`: Bitbucket, Drone, Woodpecker."""
    for path, found in mappings(source, root):
        image = found.get("image")
        node = child(source, image, "name") or image
        if isinstance(node, yaml.ScalarNode):
            _add(source, node, f"{path}.image".lstrip("."), {})
        if text_of(found.get("pipe")):
            standing = mutable("a pipe's version is a tag")
            _report(source, found["pipe"], ReferenceKind.PACKAGE, standing, f"{path}.pipe".lstrip("."))


def read_cloudbuild(source: SourceText, root: Node) -> None:
    """Report the builders of a Cloud Build configuration."""
    for number, step in enumerate(items(child(source, root, "steps"))):
        _add(
            source,
            child(source, step, "name"),
            f"steps[{number}].name",
            _literals(source, child(source, root, "substitutions")),
        )
