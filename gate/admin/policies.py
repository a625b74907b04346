"""What `gate policy init|validate|pin|schema` does.

Nothing here weakens a policy: `init` never overwrites, `pin` writes digests of files that are there and leaves every other
byte of the document as it was, comments included, and neither writes a document that would not be accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import yaml

from gate.codec.policy.document import KIND as POLICY_KIND
from gate.codec.policy.document import parse_policy, require_policy_dates
from gate.codec.requirement.document import KIND as REQUIREMENT_KIND
from gate.codec.requirement.document import parse_requirement
from gate.codec.yaml_document import parse_yaml
from gate.disk.content import write_atomically
from gate.disk.package_data import data_path
from gate.errors import PolicyError, UsageError
from gate.model.digest import Digest
from gate.model.evidence import Unavailable
from gate.sandbox.rules import check_rules
from gate.settings.policy_folder import PolicyFolder, document_name, read_document

SCHEMAS: Final = ("policy", "requirement")
TEMPLATES: Final = ("baseline", "production", "strict")
# Free keys: a `file` among them is a word of the user's, not a file that the document points to.
_FREE_KEYS: Final = frozenset({"annotations", "match"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidDocument:
    """A document that was accepted: its kind (`Policy` or `Requirement`), name and digest.

    `unpinned` are the files that it points to without a digest: with such a policy no verdict can be signed.
    """

    kind: str
    name: str
    digest: Digest
    unpinned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The digest of a file that a document points to; `before` is what stood there, or None."""

    path: str
    digest: Digest
    before: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """Text that takes the place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


def schema_text(kind: str) -> str:
    """Return the JSON Schema of a kind of document: `policy` or `requirement`.

    Raises:
        UsageError: `USAGE`, there is no such kind.
    """
    if kind not in SCHEMAS:
        raise UsageError("no such schema", expected=" | ".join(SCHEMAS), seen=ascii(kind[:40]))
    return data_path(f"schemas/{kind}.schema.json").read_text("utf-8")


def init_policy(path: Path, *, template: str = TEMPLATES[0]) -> None:
    """Write a commented policy to start from; an existing file is never touched.

    Raises:
        UsageError: `USAGE`, the file is there, cannot be written, or there is no such template.
    """
    if template not in TEMPLATES:
        raise UsageError("no such template", expected=" | ".join(TEMPLATES), seen=ascii(template[:40]))
    write_new(path, data_path(f"policies/{template}.yaml").read_bytes())


def write_new(path: Path, content: bytes) -> None:
    """Write a document that is new; raise UsageError where the file is there or cannot be written."""
    try:
        with path.open("xb") as stream:
            stream.write(content)
    except FileExistsError as error:
        message = f"{document_name(path)} is already there and is not overwritten"
        raise UsageError(message, next_step="Choose another name, or remove the file yourself.") from error
    except OSError as error:
        message = f"{document_name(path)} cannot be written"
        raise UsageError(
            message, seen=error.strerror or "", next_step="Look at the folder and its permissions."
        ) from error


def validate_document(path: Path, now: datetime) -> ValidDocument:
    """Check a policy or a requirement with all that it points to, its dates and the syntax of its rules.

    Raises:
        PolicyError: one of the codes `POL_*`.
        KeyFileError: a key that it points to is not acceptable.
    """
    return _validated(read_document(path), path, now)


def pin_document(path: Path, now: datetime) -> tuple[Pin, ...]:
    """Write the sha256 of every file that a document points to, new ones and changed ones, and give those.

    The document is replaced whole or not at all, and only if what would be written is accepted.

    Raises:
        PolicyError: one of the codes `POL_*`.
        UsageError: `USAGE`, the document cannot be written.
    """
    data = read_document(path)
    if parse_yaml(data, name=document_name(path)) is None:
        raise PolicyError(f"{document_name(path)}:1:1: the document is empty", code="POL_EMPTY")
    text = data.decode("utf-8").removeprefix("\ufeff")
    pins = list(_pins(text, PolicyFolder.of(path)))
    changed = _edited(text, [edit for _, edit in pins]).encode("utf-8")
    _validated(changed, path, now)
    if pins:
        _replace(path, changed)
    return tuple(pin for pin, _ in pins)


def _validated(data: bytes, path: Path, now: datetime) -> ValidDocument:
    name, files = document_name(path), PolicyFolder.of(path)
    if _kind(data, name) == REQUIREMENT_KIND:
        requirement = parse_requirement(data, name=name, files=files)
        return ValidDocument(kind=REQUIREMENT_KIND, name=requirement.name, digest=requirement.digest)
    policy = parse_policy(data, name=name, files=files)
    require_policy_dates(policy, now)
    wrong = check_rules(policy.rules)
    if isinstance(wrong, Unavailable):
        raise PolicyError(f"{name}: {wrong.reason}", code="POL_MALFORMED", seen=wrong.seen)
    if wrong:
        raise PolicyError(f"{name}: the rule {wrong[0].id!r} is no expression", expected="CEL", seen=wrong[0].error)
    return ValidDocument(kind=POLICY_KIND, name=policy.name, digest=policy.digest, unpinned=policy.unpinned)


def _kind(data: bytes, name: str) -> str:
    """Return the kind that the document says it is of, or "": then it is refused as a policy."""
    root = parse_yaml(data, name=name)
    if root is None or root.kind != "mapping":
        return ""
    return next((str(entry.node.plain()) for entry in root.entries() if entry.key == "kind"), "")


def _pins(text: str, folder: PolicyFolder) -> Iterator[tuple[Pin, _Edit]]:
    """Return each file whose digest is missing or another, with the edit that writes it."""
    # The pure Python loader: its marks count characters of this text.
    for mapping in _file_mappings(yaml.compose(text, Loader=yaml.SafeLoader)):
        scalars = {key.value: value for key, value in mapping.value if isinstance(value, yaml.ScalarNode)}
        place, pinned = scalars["file"], scalars.get("sha256")
        digest = Digest.of(folder.read(place.value))
        if pinned is not None and pinned.value == digest.hex:
            continue
        before = pinned.value if pinned is not None else None
        yield Pin(path=place.value, digest=digest, before=before), _edit(mapping, place, pinned, digest)


def _file_mappings(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _file_mappings(item)
    elif isinstance(node, yaml.MappingNode):
        if any(key.value == "file" and isinstance(value, yaml.ScalarNode) for key, value in node.value):
            yield node
        for key, value in node.value:
            if key.value not in _FREE_KEYS:
                yield from _file_mappings(value)


def _edit(mapping: yaml.MappingNode, place: yaml.Node, pinned: yaml.Node | None, digest: Digest) -> _Edit:
    if pinned is not None:
        return _Edit(start=pinned.start_mark.index, end=pinned.end_mark.index, text=digest.hex)
    end = place.end_mark.index
    if mapping.flow_style:
        return _Edit(start=end, end=end, text=f", sha256: {digest.hex}")
    key = next(key for key, value in mapping.value if value is place)
    # A new key stands before `file`, in its column: behind it may stand a comment, and before it nothing but blanks or `- `.
    return _Edit(
        start=key.start_mark.index,
        end=key.start_mark.index,
        text=f"sha256: {digest.hex}\n{' ' * key.start_mark.column}",
    )


def _edited(text: str, edits: list[_Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: -edit.start):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _replace(path: Path, data: bytes) -> None:
    real = path.resolve()
    try:
        write_atomically(real, data, mode=real.stat().st_mode & 0o777)
    except OSError as error:
        message = f"{document_name(path)} cannot be written"
        raise UsageError(
            message, seen=error.strerror or "", next_step="Look at the folder and its permissions."
        ) from error
