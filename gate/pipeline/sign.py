"""`sign`: sign an image digest the way Cosign does, as a bundle that hangs on it or as the legacy `.sig` tag.

What is signed is the digest of bytes that were fetched and hashed here, never a digest that somebody told.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

from gate.clock import Clock, Deadline
from gate.codec.legacy import render_simple_signing
from gate.codec.oci import parse_manifest
from gate.codec.statement import render_cosign_statement
from gate.codec.verdict_manifest import (
    EMPTY_CONFIG,
    LegacyManifest,
    append_legacy_layer,
    render_referrer_manifest,
    signature_layer,
)
from gate.errors import RegistryError, UsageError
from gate.images.attachments import collect_attachments
from gate.images.open_source import open_source
from gate.images.registry_source import RegistrySource
from gate.model.digest import Digest
from gate.model.image import Descriptor
from gate.model.reference import Reference, RegistryReference, Repository, parse_reference
from gate.model.statement import COSIGN_SIGNATURE
from gate.pipeline.attached import attachment_target
from gate.pipeline.options import IssuedAttestation
from gate.registry.client import RegistryClient
from gate.registry.referrers import fallback_tag
from gate.signers.signer import EvidencedSigner
from gate.signers.signing import sign_statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gate.images.image_source import AttachmentWriter, ImageSource
    from gate.registry.options import RegistryOptions
    from gate.signers.signer import Signer


def sign(
    reference: str,
    *,
    signer: Signer,
    annotations: Mapping[str, str],
    registry: RegistryOptions,
    legacy: bool = False,
    name: Repository | None = None,
    timeout: timedelta = timedelta(minutes=1),
) -> IssuedAttestation:
    """Sign an image by digest and attach the signature where the image is; it is read back before this returns.

    Raises:
        UsageError: the reference is a tag, or a place that takes no signature, or an identity is to sign in the legacy form;
        RegistryError: it cannot be pushed.
    """
    if legacy and isinstance(signer, EvidencedSigner):
        raise UsageError(
            "evidence of time and identity stands in bundles", expected="no --legacy, or a key alone", seen="--legacy"
        )
    clock = Clock()
    parsed = parse_reference(reference)
    with ExitStack() as opened:
        client = opened.enter_context(RegistryClient(registry, Deadline.after(timeout, clock)))
        source = open_source(parsed, client)
        root = source.root()
        target = attachment_target(parsed, registry)
        place = RegistrySource(client, target, root.digest) if target is not None else source
        writer = _writer(place)
        subject = Descriptor(media_type=root.media_type, digest=root.digest, size=len(root.content))
        if legacy:
            content = _attach_legacy(place, writer, subject, _repository(parsed, name), signer, annotations)
        else:
            content = _attach_bundle(writer, subject, signer, annotations, clock)
        issued = _read_back(place, subject.digest, content)
    where = target or (parsed.repository if isinstance(parsed, RegistryReference) else parsed)
    return IssuedAttestation(manifest=issued, subject=subject.digest, place=str(where), predicate_type=COSIGN_SIGNATURE)


def _writer(source: ImageSource) -> AttachmentWriter:
    if source.writer is None or not source.attestable:
        raise UsageError("nothing can be attached to this", expected="a registry or an OCI layout", seen="an archive")
    return source.writer


def _repository(reference: Reference, name: Repository | None) -> Repository:
    """Return the name that Cosign's legacy payload carries."""
    if isinstance(reference, RegistryReference):
        return reference.repository
    if name is None:
        raise UsageError(
            "the legacy form carries the image's name", code="REF_NAME", expected="--as registry/repository"
        )
    return name


def _attach_bundle(
    writer: AttachmentWriter, subject: Descriptor, signer: Signer, annotations: Mapping[str, str], clock: Clock
) -> bytes:
    signed = sign_statement(signer, render_cosign_statement(subject.digest, annotations))
    manifest = render_referrer_manifest(
        signed.bundle, subject=subject, predicate_type=COSIGN_SIGNATURE, created=clock.now()
    )
    writer.attach(subject, manifest, (EMPTY_CONFIG, signed.bundle))
    writer.confirm(subject, manifest)
    return signed.bundle


def _attach_legacy(
    source: ImageSource,
    writer: AttachmentWriter,
    subject: Descriptor,
    repository: Repository,
    signer: Signer,
    annotations: Mapping[str, str],
) -> bytes:
    payload = render_simple_signing(repository, subject.digest, annotations)
    layer = signature_layer(payload, signer.sign(payload))
    tag = f"{fallback_tag(subject.digest)}.sig"
    written = append_legacy_layer(layer, existing=_existing(source, tag))
    writer.put_tagged(tag, written.manifest, (written.config, payload))
    return payload


def _existing(source: ImageSource, tag: str) -> LegacyManifest | None:
    """Return what the tag names now, so that signatures of others stay."""
    found = source.tagged(tag)
    if found is None:
        return None
    manifest = parse_manifest(found.content, media_type=found.media_type)
    return LegacyManifest(manifest=found.content, config=b"".join(source.blob(manifest.config)))


def _read_back(source: ImageSource, digest: Digest, content: bytes) -> Digest | None:
    for item in collect_attachments(source, digest).items:
        if item.content == content:
            return item.manifest
    raise RegistryError(
        "the signature was pushed and is not there", code="REG_READ_BACK", expected=f"a signature on {digest.short}"
    )
