"""Which files hold references, by their names, and which reader reads them, by name and content."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, TypeAlias

from gate.errors import EvidenceError
from gate.sources.compose import is_compose, read_compose
from gate.sources.dockerfile import read_dockerfile
from gate.sources.json_tree import json_values
from gate.sources.kubernetes import is_object, is_patch, read_kubernetes, read_patch
from gate.sources.packages import (
    read_chart,
    read_devcontainer,
    read_kustomization,
    read_pre_commit,
    read_values,
)
from gate.sources.pipelines import read_azure, read_circleci, read_cloudbuild, read_gitlab, read_images
from gate.sources.plans import is_plan, read_packer_manifest, read_plan, read_terraform_json
from gate.sources.template_text import is_template, read_template
from gate.sources.terraform import read_terraform, read_terraform_lock
from gate.sources.workflow import read_workflow
from gate.sources.yaml_tree import documents

if TYPE_CHECKING:
    from gate.sources.text import SourceText
    from gate.sources.yaml_tree import Node

ReadDocument: TypeAlias = "Callable[[SourceText, Node], None]"

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
_JSON: Final = re.compile(r".*\.jsonc?", re.IGNORECASE)
_HCL: Final = re.compile(r".*\.(?:tf|tofu|pkr\.hcl)|docker-bake.*\.hcl", re.IGNORECASE)
_LOCK: Final = ".terraform.lock.hcl"
# Most files of JSON are data: only one that looks like a known document is read.
_JSON_WORDS: Final = re.compile(rb'"(?:apiVersion|planned_values|packer_run_uuid|resource_changes)"')
# What a YAML file must hold for a reader to find something; an escape can write each of these words otherwise.
_WORDS: Final = re.compile(rb"image|uses|bundle|package|chart|extends|ref|\\[xuU]", re.IGNORECASE)
# Names that decide alone; each with what reads a document of it.
_BY_NAME: Final[tuple[tuple[re.Pattern[str], ReadDocument], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), reader)
    for pattern, reader in (
        (r"(?:.*/)?\.(?:github|gitea|forgejo)/workflows/[^/]*\.ya?ml", read_workflow),
        (r"(?:.*/)?action\.ya?ml", read_workflow),
        (r"(?:.*/)?(?:docker-)?compose(?:[._-][^/]*)?\.ya?ml", read_compose),
        (r"(?:.*/)?[^/]*\.gitlab-ci\.ya?ml", read_gitlab),
        (r"(?:.*/)?\.gitlab/(?:ci/)?[^/]*\.ya?ml", read_gitlab),
        (r"(?:.*/)?\.circleci/[^/]*\.ya?ml", read_circleci),
        (r"(?:.*/)?azure-pipelines[^/]*\.ya?ml", read_azure),
        (r"(?:.*/)?(?:bitbucket-pipelines|\.drone|\.woodpecker)\.ya?ml", read_images),
        (r"(?:.*/)?\.woodpecker/[^/]*\.ya?ml", read_images),
        (r"(?:.*/)?cloudbuild[^/]*\.ya?ml", read_cloudbuild),
        (r"(?:.*/)?\.pre-commit-config\.ya?ml", read_pre_commit),
        (r"(?:.*/)?kustomization\.ya?ml|(?:.*/)?Kustomization", read_kustomization),
        (r"(?:.*/)?Chart\.ya?ml", read_chart),
        (r"(?:.*/)?\.?devcontainer\.json", read_devcontainer),
        (r"(?:.*/)?[^/]*\.(?:tf|tofu)\.json", read_terraform_json),
    )
)
_VALUES: Final = re.compile(r"values(?:[._-].*)?\.ya?ml|.*[._-]values\.ya?ml", re.IGNORECASE)
_WHOLE: Final = frozenset({read_workflow})


def is_dockerfile(name: str) -> bool:
    """Report whether a file of this name is a Dockerfile."""
    return bool(_DOCKERFILE.fullmatch(name)) and not _OTHER.fullmatch(name)


def is_candidate(path: str) -> bool:
    """Report whether a file of this path (with slashes) may hold references."""
    name = path.rpartition("/")[2]
    known = _YAML.fullmatch(name) or _JSON.fullmatch(name) or _HCL.fullmatch(name)
    return bool(known) or name in {_LOCK, "Kustomization"} or is_dockerfile(name)


def is_relevant(path: str, part: bytes) -> bool:
    """Report whether a part of a file may hold references: what holds none of the words is not parsed."""
    name = path.rpartition("/")[2]
    if _reader_by_name(path) is not None:
        return True
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
    if _YAML.fullmatch(name) or name == "Kustomization":
        _read_yaml(source, name)
    elif _JSON.fullmatch(name):
        _read_json(source)
    elif name == _LOCK:
        read_terraform_lock(source)
    elif _HCL.fullmatch(name):
        read_terraform(source)
    else:
        read_dockerfile(source)


def _reader_by_name(path: str) -> ReadDocument | None:
    return next((reader for pattern, reader in _BY_NAME if pattern.fullmatch(path)), None)


def _read_yaml(source: SourceText, name: str) -> None:
    if _TEMPLATE_NAME.fullmatch(name):
        read_template(source)
        return
    reader = _reader_by_name(source.path)
    try:
        for document in documents(source):
            (reader or _reader_by_content(source, name, document))(source, document)
    except EvidenceError:
        if reader in _WHOLE or not is_template(source.text):
            raise
        read_template(source)


def _reader_by_content(source: SourceText, name: str, document: Node) -> ReadDocument:
    if is_object(source, document):
        return read_kubernetes
    if is_patch(document):
        return read_patch
    if is_compose(source, document):
        return read_compose
    if _VALUES.fullmatch(name) and source.neighbour("Chart.yaml") is not None:
        return read_values
    return _nothing


def _nothing(_source: SourceText, _document: Node) -> None:
    """Report nothing: the document is of no known kind."""


def _read_json(source: SourceText) -> None:
    reader = _reader_by_name(source.path)
    for value in json_values(source):
        if reader is not None:
            reader(source, value)
        elif is_object(source, value):
            read_kubernetes(source, value)
        elif is_plan(source, value):
            read_plan(source, value)
        elif PurePosixPath(source.path).name == "manifest.json" or "packer" in source.path:
            read_packer_manifest(source, value)
