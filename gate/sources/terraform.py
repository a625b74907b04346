"""References in Terraform, OpenTofu and Packer: images of resources, modules, providers without a lock, images of machines.

In HCL only literals are read; what an expression decides is unresolved. Attributes by resource as the providers document them
(reviewed 2026-12).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gate.model.found_reference import PINNED, ReferenceKind, Standing, commit_standing, mutable, unresolved
from gate.sources.hcl import Block, Value, read_hcl
from gate.sources.text import About

if TYPE_CHECKING:
    from gate.sources.text import SourceText

# Resource types (a trailing star: a prefix) and the attributes that name an image, wherever they are nested.
IMAGES: Final[dict[str, frozenset[str]]] = {
    "kubernetes_*": frozenset({"image"}),
    "aws_ecs_task_definition": frozenset({"image"}),
    "aws_batch_job_definition": frozenset({"image"}),
    "aws_lambda_function": frozenset({"image_uri"}),
    "aws_apprunner_service": frozenset({"image_identifier"}),
    "aws_codebuild_project": frozenset({"image"}),
    "aws_sagemaker_model": frozenset({"image"}),
    "google_cloud_run_*": frozenset({"image"}),
    "google_cloudfunctions2_function": frozenset({"image"}),
    "azurerm_container_app*": frozenset({"image"}),
    "azurerm_container_group": frozenset({"image"}),
    "azurerm_linux_web_app*": frozenset({"docker_image_name", "docker_image"}),
    "docker_image": frozenset({"name"}),
    "docker_container": frozenset({"image"}),
    "docker_service": frozenset({"image"}),
    "nomad_job": frozenset({"image"}),
}
MACHINES: Final = frozenset({"ami", "image_id", "source_image", "source_image_id", "source_ami"})
_TEXTS: Final = frozenset({"container_definitions", "container_properties", "jobspec", "yaml_body"})
_IMAGE_IN_TEXT: Final = re.compile(r"[\"']?image[\"']?\s*[:=]\s*[\"']?(?P<image>[^\s\"',}]+)")
_AMI: Final = re.compile(r"ami-[0-9a-f]{8,17}", re.ASCII)
_REGISTRY_MODULE: Final = re.compile(r"(?:[\w.-]+/)?[\w-]+/[\w-]+/[\w-]+(?://.*)?", re.ASCII)
_EXACT: Final = re.compile(r"=?\s*v?\d+\.\d+\.\d+(?:[-+][\w.+-]+)?", re.ASCII)
_REF: Final = re.compile(r"[?&]ref=([^&]+)")
_LOCK: Final = ".terraform.lock.hcl"


def read_terraform(source: SourceText) -> None:
    """Report the references of a file in Terraform's or Packer's language.

    Raises:
        EvidenceError: `REF_FILE_MALFORMED`.
    """
    root = read_hcl(source)
    for block in root.blocks:
        if block.type == "resource" and block.labels:
            _read_resource(source, block)
        elif block.type == "module":
            _read_module(source, block)
        elif block.type == "source" and block.labels:
            _read_packer(source, block)
        elif block.type == "data" and block.labels:
            _read_most_recent(source, block, f"data.{'.'.join(block.labels)}")
        elif block.type in {"terraform", "packer"}:
            _read_settings(source, block)
        elif block.type == "target":
            _read_bake(source, block)


def attributes_of(kind: str) -> frozenset[str]:
    """Return the attributes of a resource type that name an image."""
    exact = IMAGES.get(kind)
    if exact is not None:
        return exact
    return next(
        (names for key, names in IMAGES.items() if key.endswith("*") and kind.startswith(key[:-1])), frozenset()
    )


def _read_resource(source: SourceText, block: Block) -> None:
    kind, path = block.labels[0], ".".join(block.labels)
    names = attributes_of(kind)
    for name, value, reached in _attributes(block, path):
        if name in _TEXTS and value.text is not None and (names or kind in {"kubectl_manifest", "nomad_job"}):
            _read_text(source, value, reached)
        elif name in names or (name in _TEXTS and not value.items and not value.fields and names):
            _add(source, value, reached)
        elif name in MACHINES and not names:
            _add_machine(source, value, reached)
    _read_most_recent(source, block, path)
    if kind == "helm_release":
        note = "which images a chart runs only rendering tells: run gate refs on what `helm template` prints"
        source.add(
            block.start, block.end, ReferenceKind.CHART, unresolved(note), path, About(value=path, fixable=False)
        )


def _attributes(block: Block, path: str) -> Iterator[tuple[str, Value, str]]:
    for name, value in block.attributes.items():
        yield from _values(name, value, f"{path}.{name}")
    for inner in block.blocks:
        yield from _attributes(inner, f"{path}.{inner.type}")


def _values(name: str, value: Value, path: str) -> Iterator[tuple[str, Value, str]]:
    yield name, value, path
    for number, item in enumerate(value.items):
        yield from _values("", item, f"{path}[{number}]")
    for key, item in value.fields.items():
        yield from _values(key, item, f"{path}.{key}")


def _add(source: SourceText, value: Value, reached: str) -> None:
    if value.items or value.fields:
        return
    if value.text is None:
        source.add_unresolved(value.start, value.end, reached, "an expression decides it")
    elif value.text:
        whole = source.text[value.start : value.end] == value.text
        source.add_image(value.start, value.end, reached, About(value=value.text, fixable=whole))


def _add_machine(source: SourceText, value: Value, reached: str) -> None:
    text = value.text
    if text is None:
        return  # which machine image a data source finds is judged where it stands
    standing = PINNED if _AMI.fullmatch(text) else mutable("an image family, an alias or a name can be moved")
    source.add(value.start, value.end, ReferenceKind.MACHINE_IMAGE, standing, reached, About(value=text, fixable=False))


def _read_text(source: SourceText, value: Value, reached: str) -> None:
    """Report the images in a document that stands as text in a string."""
    for match in _IMAGE_IN_TEXT.finditer(source.text, value.start, value.end):
        text = match["image"].removesuffix("\\")
        source.add_image(match.start("image"), match.start("image") + len(text), reached)


def _read_most_recent(source: SourceText, block: Block, path: str) -> None:
    for name, value, reached in _attributes(block, path):
        if name == "most_recent" and source.text[value.start : value.end].strip() == "true":
            standing = mutable("the newest image that fits is another one tomorrow")
            source.add(
                value.start, value.end, ReferenceKind.MACHINE_IMAGE, standing, reached, About(value=path, fixable=False)
            )


def _read_module(source: SourceText, block: Block) -> None:
    value, version = block.attributes.get("source"), block.attributes.get("version")
    path = f"module.{'.'.join(block.labels)}.source"
    if value is None or (value.text or "").startswith(("./", "../")):
        return
    standing = _module_standing(value.text, version)
    source.add(
        value.start, value.end, ReferenceKind.MODULE, standing, path, About(value=value.text or "", fixable=False)
    )


def _module_standing(text: str | None, version: Value | None) -> Standing:
    if text is None:
        return unresolved("an expression decides it")
    if _REGISTRY_MODULE.fullmatch(text) and not text.startswith(("github.com/", "bitbucket.org/")):
        if version is not None and version.text is not None and _EXACT.fullmatch(version.text):
            return PINNED
        return mutable("a module of a registry without an exact version")
    revision = _REF.search(text)
    return commit_standing(revision[1] if revision else "", "the module's ref")


def _read_packer(source: SourceText, block: Block) -> None:
    path = f"source.{'.'.join(block.labels)}"
    for name, value, reached in _attributes(block, path):
        if name == "image" and block.labels[0] == "docker":
            _add(source, value, reached)
        elif name in MACHINES:
            _add_machine(source, value, reached)
    _read_most_recent(source, block, path)


def _read_settings(source: SourceText, block: Block) -> None:
    """Report plugins by a range, and a root module whose providers no lock file pins."""
    kinds = {inner.type for inner in block.blocks}
    for inner in block.blocks:
        if inner.type == "required_plugins":
            for name, value in inner.attributes.items():
                version = value.fields.get("version")
                if version is not None and not (version.text is not None and _EXACT.fullmatch(version.text)):
                    standing = mutable("a range of versions")
                    about = About(value=f"{name} {version.text or ''}".strip(), fixable=False)
                    source.add(
                        version.start, version.end, ReferenceKind.PACKAGE, standing, f"required_plugins.{name}", about
                    )
        is_root = bool(kinds & {"backend", "cloud"})
        if inner.type == "required_providers" and inner.attributes and is_root and source.neighbour(_LOCK) is None:
            standing = mutable(f"without {_LOCK} each init chooses providers anew")
            about = About(value="required_providers", fixable=False)
            source.add(inner.start, inner.end, ReferenceKind.PROVIDER, standing, "terraform.required_providers", about)


def _read_bake(source: SourceText, block: Block) -> None:
    for name, value, reached in _attributes(block, f"target.{'.'.join(block.labels)}"):
        if ".contexts." in reached and value.text is not None and value.text.startswith("docker-image://"):
            source.add_image(value.start + len("docker-image://"), value.end, f"{reached}" or name)


def read_terraform_lock(source: SourceText) -> None:
    """Report providers of a lock file that it does not pin by hash."""
    for block in read_hcl(source).blocks:
        if block.type == "provider" and block.labels:
            hashes = block.attributes.get("hashes")
            standing = PINNED if hashes is not None and hashes.items else mutable("the lock names no hash")
            about = About(value=block.labels[0], fixable=False)
            source.add(block.start, block.end, ReferenceKind.PROVIDER, standing, f"provider.{block.labels[0]}", about)
