"""Blobs and manifests into a registry, and attachments onto a digest so that others find them.

A registry without the referrers API keeps a list under a tag that any writer may overwrite: it is read, appended to,
written and read back until our entry stays; entries of others are kept as they are. Nothing that is not an OCI index is
ever overwritten.

Specification: distribution-spec 1.1, "Pushing" and "Pushing Manifests with Subject"; formats reference, section 3.4.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gate.codec.oci import MAX_MANIFEST_BYTES
from gate.codec.strict_json import Fault, JsonValue, canonical_json, parse_object
from gate.errors import RegistryError
from gate.model.digest import Digest
from gate.model.image import OCI_INDEX, OCI_MANIFEST, Descriptor
from gate.model.reference import Repository
from gate.registry.addresses import Target, parse_derived
from gate.registry.api import Call, RegistryApi
from gate.registry.auth import DELETE, PUSH
from gate.registry.faults import TransientError, status_fault
from gate.registry.read import fetch_manifest
from gate.registry.referrers import fallback_tag, list_referrers
from gate.registry.transport import Answer

_FALLBACK_FAULT: Final = Fault(RegistryError, "REG_PUSH", "the list under the fallback tag")
_KEEPS_CODE: Final = frozenset({401, 403, 404, 408, 429, 500, 502, 503, 504})
_FALLBACK_ROUNDS: Final = 8
_PAUSE_FROM_ROUND: Final = 3
_READS: Final = 3
_SMALL_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """An attachment that is listed: the pushed manifest, and whether the fallback tag had to be written for it."""

    manifest: Descriptor
    by_fallback_tag: bool


def push_blob(api: RegistryApi, repository: Repository, digest: Digest, content: bytes | Path) -> None:
    """Store bytes, or a file's bytes, under their digest; nothing is sent that is there already.

    Raises:
        RegistryError: `REG_PUSH`, `REG_AUTH`, `REG_DENIED` and others.
    """
    head = Call(
        method="HEAD", repository=repository, path=f"blobs/{digest}", doing=f"looking for a blob in {repository}",
        actions=PUSH,
    )  # fmt: skip
    answer, _ = api.read(head, _SMALL_BYTES)
    if answer.status == 200:
        return
    # A broken upload cannot go on in its session; a new session is a new try of the whole.
    api.transport(repository).retrying(lambda: _upload(api, repository, digest, content))


def push_manifest(
    api: RegistryApi, repository: Repository, content: bytes, media_type: str, reference: str | Digest | None = None
) -> bool:
    """Store a manifest under its digest, or under a tag; say whether the registry says that it listed its subject."""
    digest = Digest.of(content)
    call = Call(
        method="PUT", repository=repository, path=f"manifests/{reference or digest}",
        doing=f"pushing a manifest to {repository}", actions=PUSH, headers={"Content-Type": media_type}, body=content,
    )  # fmt: skip
    answer, body = api.read(call, _SMALL_BYTES)
    _demand(answer, body, call.doing, 201, 200, 202)
    return bool(answer.header("OCI-Subject"))


def delete_manifest(api: RegistryApi, repository: Repository, digest: Digest) -> None:
    """Remove a manifest; one that is not there is removed already.

    Raises:
        RegistryError: `REG_PUSH` where the registry does not delete.
    """
    call = Call(
        method="DELETE", repository=repository, path=f"manifests/{digest}", doing=f"deleting from {repository}",
        actions=DELETE, idempotent=False,
    )  # fmt: skip
    answer, body = api.read(call, _SMALL_BYTES)
    _demand(answer, body, call.doing, 202, 200, 204, 404)


def attach(
    api: RegistryApi, repository: Repository, subject: Descriptor, manifest: bytes, blobs: tuple[bytes, ...]
) -> Attached:
    """Push blobs and a manifest whose `subject` is `subject`, and see that it is listed there.

    Raises:
        RegistryError: `REG_PUSH` where it cannot be pushed, or another writer always wins; `REG_READ_BACK`.
    """
    for blob in blobs:
        push_blob(api, repository, Digest.of(blob), blob)
    indexed = push_manifest(api, repository, manifest, OCI_MANIFEST)
    entry = describe_attachment(manifest)
    _await_manifest(api, repository, entry.digest)
    if indexed or _is_listed_by_api(api, repository, subject.digest, entry.digest):
        return Attached(manifest=entry, by_fallback_tag=False)
    list_under_tag(api, repository, subject.digest, manifest)
    return Attached(manifest=entry, by_fallback_tag=True)


def _await_manifest(api: RegistryApi, repository: Repository, digest: Digest) -> None:
    """Read what was just pushed; registries with several stores may need a moment before they have it everywhere."""
    for number in range(_READS):
        try:
            fetch_manifest(api, repository, digest)
        except RegistryError as error:
            if error.code != "REG_NOT_FOUND":
                raise
            if number + 1 == _READS or not api.transport(repository).pause(number, None):
                raise RegistryError(
                    f"what was pushed to {repository} is not there", code="REG_READ_BACK", expected=str(digest)
                ) from error
        else:
            return


def describe_attachment(manifest: bytes) -> Descriptor:
    """Describe one of our own attachment manifests as listings do."""
    view = parse_object(manifest, _FALLBACK_FAULT, limit_bytes=MAX_MANIFEST_BYTES)
    return Descriptor(
        media_type=OCI_MANIFEST,
        digest=Digest.of(manifest),
        size=len(manifest),
        artifact_type=view.optional_text("artifactType") or view.object("config").text("mediaType"),
        annotations=view.optional_text_map("annotations"),
    )


def list_under_tag(api: RegistryApi, repository: Repository, subject: Digest, manifest: bytes) -> None:
    """See that the fallback index lists a manifest; repeated calls change nothing (call again at the end of a run)."""
    entry = describe_attachment(manifest)
    transport = api.transport(repository)
    for number in range(_FALLBACK_ROUNDS):
        entries = _fallback_entries(api, repository, subject)
        if any(isinstance(item, dict) and item.get("digest") == entry.digest.text for item in entries):
            return
        if number >= _PAUSE_FROM_ROUND:
            api.deadline.check("waiting for another writer")
            transport.deadline.clock.sleep(secrets.SystemRandom().uniform(0.05, 0.5))
        push_manifest(api, repository, _index([*entries, _as_json(entry)]), OCI_INDEX, fallback_tag(subject))
    raise RegistryError(
        f"another writer keeps taking our entry out of the fallback tag in {repository}", code="REG_PUSH"
    )


def unlist_under_tag(api: RegistryApi, repository: Repository, subject: Digest, manifest: Digest) -> None:
    """See that the fallback index lists a manifest no more, where there is one; entries of others stay as they are.

    Raises:
        RegistryError: `REG_PUSH` where it cannot be written, or another writer always wins.
    """
    for _ in range(_FALLBACK_ROUNDS):
        entries = _fallback_entries(api, repository, subject)
        kept = [item for item in entries if not (isinstance(item, dict) and item.get("digest") == manifest.text)]
        if len(kept) == len(entries):
            return
        api.deadline.check("waiting for another writer")
        push_manifest(api, repository, _index(kept), OCI_INDEX, fallback_tag(subject))
    raise RegistryError(f"another writer keeps an entry in the fallback tag in {repository}", code="REG_PUSH")


def _fallback_entries(api: RegistryApi, repository: Repository, subject: Digest) -> list[JsonValue]:
    """Give the entries as they stand, unknown fields and all."""
    try:
        fetched = fetch_manifest(api, repository, fallback_tag(subject))
    except RegistryError as error:
        if error.code == "REG_NOT_FOUND":
            return []
        raise
    if fetched.media_type != OCI_INDEX:
        raise _FALLBACK_FAULT.refuse(
            "is something else and is not overwritten", expected=OCI_INDEX, seen=fetched.media_type
        )
    view = parse_object(fetched.content, _FALLBACK_FAULT, limit_bytes=MAX_MANIFEST_BYTES)
    return [dict(item.fields) for item in view.optional_objects("manifests")]


def _index(entries: list[JsonValue]) -> bytes:
    try:
        return canonical_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    except TypeError as error:
        raise _FALLBACK_FAULT.refuse("has numbers that cannot be written again as they are") from error


def _as_json(entry: Descriptor) -> dict[str, JsonValue]:
    return {
        "mediaType": entry.media_type,
        "digest": entry.digest.text,
        "size": entry.size,
        "artifactType": entry.artifact_type,
        **({"annotations": dict(entry.annotations)} if entry.annotations else {}),
    }


def _is_listed_by_api(api: RegistryApi, repository: Repository, subject: Digest, digest: Digest) -> bool:
    listing = list_referrers(api, repository, subject)
    return listing.api is not None and any(item.digest == digest for item in listing.api)


def _upload(api: RegistryApi, repository: Repository, digest: Digest, content: bytes | Path) -> None:
    start = Call(
        method="POST", repository=repository, path="blobs/uploads/", doing=f"starting an upload to {repository}",
        actions=PUSH, headers={"Content-Length": "0"}, idempotent=False,
    )  # fmt: skip
    answer, body = _once(api, start)
    _demand(answer, body, start.doing, 202)
    target = _upload_target(api, repository, answer, digest)
    finish = Call(
        method="PUT", repository=repository, path="", doing=f"uploading to {repository}", actions=PUSH, target=target,
        headers={"Content-Type": "application/octet-stream"}, body=content, idempotent=False,
    )  # fmt: skip
    answer, body = _once(api, finish)
    _demand(answer, body, finish.doing, 201)


def _once(api: RegistryApi, call: Call) -> tuple[Answer, bytes]:
    try:
        return api.read(call, _SMALL_BYTES)
    except RegistryError as error:
        if isinstance(error.__cause__, TransientError):
            raise TransientError(error, error.__cause__.retry_after) from error
        raise


def _upload_target(api: RegistryApi, repository: Repository, answer: Answer, digest: Digest) -> Target:
    named = api.transport(repository).named
    target = parse_derived(answer.header("Location"), answer.request.target, named, api.options)
    if target.origin != named:
        raise RegistryError(
            "the registry wants an upload at another host",
            code="REG_AUTH_LEAK",
            expected=str(named),
            seen=str(target.origin),
        )
    return Target(target.origin, f"{target.path}{'&' if '?' in target.path else '?'}digest={digest}")


def _demand(answer: Answer, body: bytes, doing: str, *statuses: int) -> None:
    if answer.status in statuses:
        return
    fault = status_fault(answer.status, body, answer.request.target.origin, doing)
    code = fault.code if answer.status in _KEEPS_CODE else "REG_PUSH"
    raise RegistryError(fault.message, code=code, seen=fault.seen)
