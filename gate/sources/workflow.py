"""GitHub workflows and actions: images of jobs and services, and every `uses:`, which is code that runs.

`uses:` is pinned by the commit of 40 hexadecimal digits alone; a local path is the repository itself.
Specification: GitHub, "Workflow syntax" and "Metadata syntax for actions" (reviewed 2026-12).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gate.model.found_reference import ReferenceKind, commit_standing, invalid, unresolved
from gate.sources.text import About
from gate.sources.yaml_tree import Node, add_image, child, items, pairs, place, text_of

if TYPE_CHECKING:
    from gate.sources.text import SourceText

_USES: Final = re.compile(
    r"(?P<owner>[A-Za-z0-9][A-Za-z0-9-]*)/(?P<name>[A-Za-z0-9_.-]+)(?P<path>/[^@\s]*)?"
    r"@(?P<revision>\S+)",
    re.ASCII,
)
_COMMENT: Final = re.compile(r"['\"]?[ \t\]}]*(?P<comment>(?<=[ \t])#[^\r\n]*)?")
_DOCKER: Final = "docker://"
_EXPRESSION: Final = "${{"


def read_workflow(source: SourceText, root: Node) -> None:
    """Report the references of a workflow or of an action's metadata."""
    for name, job in pairs(source, child(source, root, "jobs")).items():
        _read_job(source, f"jobs.{name}", pairs(source, job))
    runs = pairs(source, child(source, root, "runs"))
    image = runs.get("image")
    if text_of(image).startswith(_DOCKER):
        _add_uses(source, image, "runs.image")
    _read_steps(source, "runs", runs.get("steps"))


def _read_job(source: SourceText, path: str, job: dict[str, Node]) -> None:
    container = job.get("container")
    add_image(source, child(source, container, "image") or container, f"{path}.container")
    for name, service in pairs(source, job.get("services")).items():
        add_image(source, child(source, service, "image"), f"{path}.services.{name}.image")
    _add_uses(source, job.get("uses"), f"{path}.uses")
    _read_steps(source, path, job.get("steps"))


def _read_steps(source: SourceText, path: str, steps: Node | None) -> None:
    for number, step in enumerate(items(steps)):
        _add_uses(source, child(source, step, "uses"), f"{path}.steps[{number}].uses")


def _add_uses(source: SourceText, node: Node | None, reached: str) -> None:
    text = text_of(node)
    if node is None or not text or text.startswith(("./", "../")):
        return
    start, end = place(source, node)
    if text.startswith(_DOCKER):
        value = text.removeprefix(_DOCKER)
        if _EXPRESSION in value:
            source.add_unresolved(start, end, reached, "an expression decides it")
        elif source.text[start:end] == text:
            source.add_image(start + len(_DOCKER), end, reached)
        else:
            source.add_image(start, end, reached, About(value=value, fixable=False))
        return
    match = _USES.fullmatch(text)
    kind = ReferenceKind.WORKFLOW if ".github/workflows/" in text.partition("@")[0] else ReferenceKind.ACTION
    standing = (
        commit_standing(match["revision"], "the revision") if match else invalid("expected OWNER/REPOSITORY@COMMIT")
    )
    if _EXPRESSION in text:
        standing = unresolved("an expression decides it")
    fixable = match is not None and source.text[start:end] == text
    about = About(value=text, comment=_comment_after(source, end), fixable=fixable)
    source.add(start, end, kind, standing, reached, about)


def _comment_after(source: SourceText, end: int) -> str:
    match = _COMMENT.match(source.text, end)
    return (match["comment"] or "").strip("# \t") if match else ""
