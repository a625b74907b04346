"""Which files hold references, by their names, and which reader reads them, by name and content."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from gate.errors import EvidenceError
from gate.sources.compose import is_compose, read_compose
from gate.sources.dockerfile import read_dockerfile
from gate.sources.json_tree import read_json
from gate.sources.kubernetes import is_object, read_kubernetes
from gate.sources.template_text import is_template, read_template
from gate.sources.workflow import read_workflow
from gate.sources.yaml_tree import documents

if TYPE_CHECKING:
    from gate.sources.text import SourceText
    from gate.sources.yaml_tree import Node

_DOCKERFILE: Final = re.compile(r"(?:docker|container)file(?:[._-].*)?|.*\.(?:docker|container)file", re.IGNORECASE)
# `Dockerfile.dockerignore`, `dockerfile-parser.go`, `Dockerfile.md`: named after a Dockerfile, and none.
_OTHER: Final = re.compile(
    r".*\.(?:dockerignore|md|rst|adoc|txt|html?|go|py|rb|rs|js|ts|tsx|java|kt|c|h|cc|cpp|cs|sh|bash|ps1|ya?ml|json|toml|sum|lock|png|svg)",
    re.IGNORECASE,
)
_YAML: Final = re.compile(
    r".*\.ya?ml(?:\.(?:tpl|tmpl|gotmpl|j2|jinja2?|erb|in|template|dist|example|sample))?", re.IGNORECASE
)
_TEMPLATE_NAME: Final = re.compile(r".*\.ya?ml\.(?:tpl|tmpl|gotmpl|j2|jinja2?|erb|in|template)", re.IGNORECASE)
_COMPOSE: Final = re.compile(r"(?:docker-)?compose(?:[._-].*)?\.ya?ml", re.IGNORECASE)
_JSON: Final = re.compile(r".*\.jsonc?", re.IGNORECASE)
# Most files of JSON are data: only one that looks like a known document is read.
_JSON_WORDS: Final = re.compile(rb'"apiVersion"')
# What a YAML file must hold for a reader to find something; an escape can write each of these words otherwise.
_WORDS: Final = re.compile(rb"image|uses|bundle|package|chart|extends|ref|\\[xuU]", re.IGNORECASE)


def is_dockerfile(name: str) -> bool:
    """Report whether a file of this name is a Dockerfile."""
    return bool(_DOCKERFILE.fullmatch(name)) and not _OTHER.fullmatch(name)


def is_candidate(path: str) -> bool:
    """Report whether a file of this path (with slashes) may hold references."""
    name = path.rpartition("/")[2]
    return bool(_YAML.fullmatch(name) or _JSON.fullmatch(name)) or is_dockerfile(name)


def is_relevant(path: str, part: bytes) -> bool:
    """Report whether a part of a file may hold references: what holds none of the words is not parsed."""
    name = path.rpartition("/")[2]
    words = _WORDS if _YAML.fullmatch(name) else _JSON_WORDS if _JSON.fullmatch(name) else None
    return words is None or words.search(part) is not None


def read_source(source: SourceText) -> None:
    """Report the references of a file; one whose name says nothing is read as a Dockerfile.

    Raises:
        EvidenceError: `REF_FILE_MALFORMED`; what was found before stays in `source.found`.
    """
    if "\0" in source.text:
        raise EvidenceError(f"{source.path}: the file is binary", code="REF_FILE_MALFORMED", expected="text")
    name = source.path.rpartition("/")[2]
    if _YAML.fullmatch(name):
        _read_yaml(source, name)
    elif _JSON.fullmatch(name):
        _read_json(source)
    else:
        read_dockerfile(source)


def _read_yaml(source: SourceText, name: str) -> None:
    if _TEMPLATE_NAME.fullmatch(name):
        read_template(source)
        return
    try:
        for document in documents(source):
            _read_document(source, name, document)
    except EvidenceError:
        if _is_workflow(PurePosixPath(source.path)) or not is_template(source.text):
            raise
        read_template(source)


def _read_json(source: SourceText) -> None:
    root = read_json(source)
    if is_object(source, root):
        read_kubernetes(source, root)


def _read_document(source: SourceText, name: str, document: Node) -> None:
    path = PurePosixPath(source.path)
    if _is_workflow(path):
        read_workflow(source, document)
    elif _COMPOSE.fullmatch(name):
        read_compose(source, document)
    elif is_object(source, document):
        read_kubernetes(source, document)
    elif is_compose(source, document):
        read_compose(source, document)


def _is_workflow(path: PurePosixPath) -> bool:
    in_folder = path.parts[-3:-1] in {(forge, "workflows") for forge in (".github", ".gitea", ".forgejo")}
    return in_folder or path.name in {"action.yml", "action.yaml"}
