"""Attachments onto a digest, so that others find them; one commit point.

All blobs and manifests are pushed by digest first: nobody lists them yet. A registry with the referrers API lists each as it
comes. Elsewhere every attachment gets a tag of its own, which is what counts, and then the shared list under the fallback tag is
written once for all of them, for other tools: read, appended to, written and read back until our entries stay.

Nothing is overwritten that is not such a list, entries of others are kept as they are, and a list whose entries are not
attachments of the subject is somebody's image index and is left alone.

Specification: distribution-spec 1.1, "Pushing Manifests with Subject"; formats reference, section 3.4.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gate.codec.oci import MAX_MANIFEST_BYTES
from gate.codec.strict_json import Fault, JsonValue, ObjectView, canonical_json, parse_object
from gate.errors import GateError, RegistryError
from gate.model.digest import Digest
from gate.model.image import OCI_INDEX, OCI_MANIFEST, Descriptor
from gate.model.reference import Repository
from gate.registry.api import RegistryApi
from gate.registry.push import push_blob, push_manifest
from gate.registry.read import fetch_manifest
from gate.registry.referrers import fallback_tag, list_referrers
from gate.registry.tags import list_tags, single_tag

_FAULT: Final = Fault(RegistryError, "REG_PUSH", "the list under the fallback tag")
_ELSEWHERE: Final = (
    "Name a repository for attestations whose tags can be moved or listed: `registries.HOST.attestationsIn` in a"
    " configuration file given with --config, or --attach-to; or carry the verdict as a file (--attestation)."
)
_ROUNDS: Final = 8
_PAUSE_FROM_ROUND: Final = 3
_READS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachable:
    """A manifest whose `subject` is `subject`, with the blobs that it names."""

    subject: Descriptor
    manifest: bytes
    blobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """An attachment that is listed: the pushed manifest, and whether it is listed without the referrers API."""

    manifest: Descriptor
    by_fallback_tag: bool


@dataclass(frozen=True, slots=True)
class AttachedAll:
    """What was attached, in order; `notices` are lines for people about what other tools may not see."""

    items: tuple[Attached, ...]
    notices: tuple[str, ...] = ()


def attach_all(api: RegistryApi, repository: Repository, items: Sequence[Attachable]) -> AttachedAll:
    """Push all blobs and manifests, and then see that each is listed; may be repeated and then changes nothing.

    Raises:
        RegistryError: `REG_PUSH` where one cannot be pushed or listed; `REG_READ_BACK` where it is not there afterwards.
    """
    indexed = {describe_attachment(item.manifest).digest: _push(api, repository, item) for item in items}
    unlisted = [item for item in items if not _is_indexed(api, repository, item, indexed)]
    notices = _list_without_api(api, repository, unlisted) if unlisted else ()
    left = {Digest.of(item.manifest) for item in unlisted}
    attached = (describe_attachment(item.manifest) for item in items)
    return AttachedAll(
        tuple(Attached(manifest=entry, by_fallback_tag=entry.digest in left) for entry in attached), notices
    )


def describe_attachment(manifest: bytes) -> Descriptor:
    """Describe one of our own attachment manifests as listings do."""
    view = parse_object(manifest, _FAULT, limit_bytes=MAX_MANIFEST_BYTES)
    return Descriptor(
        media_type=OCI_MANIFEST,
        digest=Digest.of(manifest),
        size=len(manifest),
        artifact_type=view.optional_text("artifactType") or view.object("config").text("mediaType"),
        annotations=view.optional_text_map("annotations"),
    )


def _push(api: RegistryApi, repository: Repository, item: Attachable) -> bool:
    """Push what one attachment needs; return whether the registry says that it listed its subject."""
    for blob in item.blobs:
        push_blob(api, repository, Digest.of(blob), blob)
    indexed = push_manifest(api, repository, item.manifest, OCI_MANIFEST)
    _await_manifest(api, repository, Digest.of(item.manifest))
    return indexed


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


def _is_indexed(api: RegistryApi, repository: Repository, item: Attachable, indexed: dict[Digest, bool]) -> bool:
    digest = Digest.of(item.manifest)
    if indexed[digest]:
        return True
    listing = list_referrers(api, repository, item.subject.digest)
    return listing.api is not None and any(entry.digest == digest for entry in listing.api)


def _list_without_api(api: RegistryApi, repository: Repository, items: Sequence[Attachable]) -> tuple[str, ...]:
    """Return each a tag of its own, and then write the shared list of each subject once."""
    tagged = _tag_each(api, repository, items)
    notices = []
    for subject in dict.fromkeys(item.subject.digest for item in items):
        manifests = [item.manifest for item in items if item.subject.digest == subject]
        try:
            list_under_tag(api, repository, subject, manifests)
        except RegistryError as error:
            if not tagged:
                raise _unlistable(error, repository) from error
            notices.append(
                f"other tools may not find the attestations of {subject.short} in {repository}: {error} (gate does)"
            )
    if not tagged:
        notices.append(
            f"{repository} lists neither referrers nor tags: gates that run at the same time can lose each other's"
            f" verdicts there. {_ELSEWHERE}"
        )
    return tuple(notices)


def _tag_each(api: RegistryApi, repository: Repository, items: Sequence[Attachable]) -> bool:
    """Return each a tag of its own; return whether all of these tags are listed, so that they count."""
    wanted = {single_tag(item.subject.digest, Digest.of(item.manifest)): item.manifest for item in items}
    try:
        for tag, manifest in wanted.items():
            push_manifest(api, repository, manifest, OCI_MANIFEST, tag)
    except RegistryError:
        return False
    # Asked afterwards: a repository without any tag answers as one that does not list them.
    return wanted.keys() <= set(list_tags(api, repository) or ())


def _unlistable(error: RegistryError, repository: Repository) -> RegistryError:
    return RegistryError(
        f"nothing more can be listed with the image in {repository}",
        code=error.code,
        expected="the referrers API, tags that can be listed, or a fallback tag that can be moved",
        seen=str(error),
        next_step=_ELSEWHERE,
    )


def list_under_tag(api: RegistryApi, repository: Repository, subject: Digest, manifests: Sequence[bytes]) -> None:
    """See that the shared list has these manifests; repeated calls change nothing.

    Raises:
        RegistryError: `REG_PUSH` where it cannot be written, or our entries do not stay.
    """
    ours = [_as_json(describe_attachment(manifest)) for manifest in manifests]
    for number in range(_ROUNDS):
        entries = _entries(api, repository, subject)
        known = {item.get("digest") for item in entries if isinstance(item, dict)}
        missing = [entry for entry in ours if entry["digest"] not in known]
        if not missing:
            return
        if number >= _PAUSE_FROM_ROUND:
            api.deadline.check("waiting for another writer")
            api.transport(repository).deadline.clock.sleep(secrets.SystemRandom().uniform(0.05, 0.5))
        push_manifest(api, repository, _index([*entries, *missing]), OCI_INDEX, fallback_tag(subject))
    raise RegistryError(
        f"our entries do not stay in the list under the fallback tag in {repository}",
        code="REG_PUSH",
        expected="what was written there",
        seen=f"another list, {_ROUNDS} times: another writer, or a registry that answers an old one",
    )


def unlist_under_tag(api: RegistryApi, repository: Repository, subject: Digest, manifest: Digest) -> None:
    """See that the shared list has a manifest no more, where there is one; entries of others stay as they are.

    Raises:
        RegistryError: `REG_PUSH` where it cannot be written, or another writer always wins.
    """
    for _ in range(_ROUNDS):
        entries = _entries(api, repository, subject)
        kept = [item for item in entries if not (isinstance(item, dict) and item.get("digest") == manifest.text)]
        if len(kept) == len(entries):
            return
        api.deadline.check("waiting for another writer")
        push_manifest(api, repository, _index(kept), OCI_INDEX, fallback_tag(subject))
    raise RegistryError(f"another writer keeps an entry in the fallback tag in {repository}", code="REG_PUSH")


def _entries(api: RegistryApi, repository: Repository, subject: Digest) -> list[JsonValue]:
    """Return the entries as they stand, unknown fields and all."""
    try:
        fetched = fetch_manifest(api, repository, fallback_tag(subject))
    except RegistryError as error:
        if error.code == "REG_NOT_FOUND":
            return []
        raise
    if fetched.media_type != OCI_INDEX:
        raise _FAULT.refuse("is something else and is not overwritten", expected=OCI_INDEX, seen=fetched.media_type)
    view = parse_object(fetched.content, _FAULT, limit_bytes=MAX_MANIFEST_BYTES)
    items = view.optional_objects("manifests")
    for item in items:
        _require_attachment(api, repository, subject, item)
    return [dict(item.fields) for item in items]


def _require_attachment(api: RegistryApi, repository: Repository, subject: Digest, item: ObjectView) -> None:
    """Raise unless an entry can be an attachment of `subject`: else this is an image's index, under a tag that looks like ours.

    An entry with an artifact type is one by its own word. Any other is fetched; one that is not there harms nobody.
    """
    if item.has("platform"):
        raise _FAULT.refuse("is the index of an image and is not overwritten", seen="an entry with a platform")
    if item.optional_text("artifactType"):
        return
    try:
        fetched = fetch_manifest(api, repository, item.digest("digest"))
        said = parse_object(fetched.content, _FAULT, limit_bytes=MAX_MANIFEST_BYTES).optional_object("subject")
    except GateError:
        return
    if said is None or said.optional_text("digest") != subject.text:
        raise _FAULT.refuse(
            "lists what is not attached to this digest, and is not overwritten",
            expected=subject.text,
            seen=said.optional_text("digest") if said is not None else "a manifest without subject",
        )


def _index(entries: list[JsonValue]) -> bytes:
    try:
        return canonical_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    except TypeError as error:
        raise _FAULT.refuse("has numbers that cannot be written again as they are") from error


def _as_json(entry: Descriptor) -> dict[str, JsonValue]:
    return {
        "mediaType": entry.media_type,
        "digest": entry.digest.text,
        "size": entry.size,
        "artifactType": entry.artifact_type,
        **({"annotations": dict(entry.annotations)} if entry.annotations else {}),
    }
