"""The verdict in the forms that are asked for beside the referrer: a bundle's file, and what other tools read.

Those are Cosign's `.att` tag, and the bare DSSE file that slsa-verifier reads. They are made of the bundle that was signed and
recorded, and only where it says PASSED: Cosign takes any attestation under the tag for a sign of approval (formats 4.3, 10.6).
The tag is unsigned and appended to; layers of others stay. A DSSE file of an earlier run is removed before the image is judged,
so that an old pass is never taken for this run's answer.

Specification: formats reference, sections 4, 12.3 and 12.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.codec.bundle import parse_bundle
from gate.codec.oci import parse_manifest
from gate.codec.verdict_manifest import (
    LegacyManifest,
    append_legacy_layer,
    attestation_layer,
    render_envelope_file,
)
from gate.disk.output import write_output
from gate.errors import InternalError, RegistryError, StorageError
from gate.images.attachments import collect_attachments
from gate.model.bundle import Envelope
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.statement import VERIFICATION_SUMMARY
from gate.pipeline.issue.statements import subject_descriptors
from gate.pipeline.options import IssuedAttestation
from gate.registry.referrers import fallback_tag

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gate.images.image_source import AttachmentReader, AttachmentWriter
    from gate.model.verdict import Verdict
    from gate.pipeline.issue.publishing import Publisher
    from gate.pipeline.options import CheckOptions

_NOT_PASSED: Final = "no DSSE file and no .att were written: other tools would take them for a pass"


def export_verdict(
    options: CheckOptions, verdict: Verdict, bundle: bytes, publisher: Publisher | None
) -> tuple[tuple[IssuedAttestation, ...], tuple[str, ...]]:
    """Write what the options ask for, and give what was written and lines for people.

    Raises:
        StorageError: `OUT_WRITE`; RegistryError: as `attach_under_tag`.
    """
    written, notices = _other_tools_forms(options, verdict, bundle, publisher)
    if options.attestation_file is not None and verdict.digest is not None:
        write_output(options.attestation_file, bundle)
        written += (_file(options.attestation_file, verdict.digest),)
    return written, notices


def _other_tools_forms(
    options: CheckOptions, verdict: Verdict, bundle: bytes, publisher: Publisher | None
) -> tuple[tuple[IssuedAttestation, ...], tuple[str, ...]]:
    if not (options.envelope_file or options.legacy_attestation):
        return (), ()
    if verdict.decision is not Decision.PASSED:
        return (), (_NOT_PASSED,)
    subjects = [subject.digest for subject in subject_descriptors(verdict)]
    issued: tuple[IssuedAttestation, ...] = ()
    if options.legacy_attestation and publisher is not None:
        issued = attach_under_tag(publisher.source, publisher.writer, bundle, subjects, publisher.target)
    if options.envelope_file is not None:
        issued += (write_envelope(options.envelope_file, bundle, subjects[0]),)
    return issued, ()


def _file(path: Path, subject: Digest) -> IssuedAttestation:
    return IssuedAttestation(manifest=None, subject=subject, place=str(path), predicate_type=VERIFICATION_SUMMARY)


def remove_stale(path: Path | None) -> None:
    """Remove what an earlier run wrote; raises StorageError `OUT_WRITE` where that cannot be done."""
    try:
        if path is not None and path.is_file():
            path.unlink()
    except OSError as error:
        raise StorageError(
            "an earlier verdict cannot be removed", code="OUT_WRITE", expected=str(path), seen=error.strerror or ""
        ) from error


def write_envelope(path: Path, bundle: bytes, subject: Digest) -> IssuedAttestation:
    """Write the bare envelope of a bundle; raises StorageError `OUT_WRITE`."""
    write_output(path, render_envelope_file(_envelope(bundle)))
    return _file(path, subject)


def attach_under_tag(
    source: AttachmentReader, writer: AttachmentWriter, bundle: bytes, subjects: Iterable[Digest], place: str
) -> tuple[IssuedAttestation, ...]:
    """Append a bundle's envelope to the `.att` tag of each subject, and read it back; repeating it changes nothing.

    Raises:
        RegistryError: `REG_MALFORMED` for a tag that is not in Cosign's form; `REG_READ_BACK`; or as the writer.
    """
    envelope = _envelope(bundle)
    return tuple(_attach(source, writer, envelope, digest, place) for digest in dict.fromkeys(subjects))


def _attach(
    source: AttachmentReader, writer: AttachmentWriter, envelope: Envelope, subject: Digest, place: str
) -> IssuedAttestation:
    layer = attestation_layer(envelope, VERIFICATION_SUMMARY)
    tag = f"{fallback_tag(subject)}.att"
    written = append_legacy_layer(layer, existing=_existing(source, tag))
    writer.put_tagged(tag, written.manifest, (written.config, layer.content))
    if not any(item.content == layer.content for item in collect_attachments(source, subject).items):
        raise RegistryError(
            "issued and not published", code="REG_READ_BACK", expected=f"the attestation under the tag {tag}"
        )
    return IssuedAttestation(
        manifest=Digest.of(written.manifest),
        subject=subject,
        place=f"{place}:{tag}",
        predicate_type=VERIFICATION_SUMMARY,
    )


def _existing(source: AttachmentReader, tag: str) -> LegacyManifest | None:
    """Return what the tag names now, so that attestations of others stay."""
    found = source.tagged(tag)
    if found is None:
        return None
    manifest = parse_manifest(found.content, media_type=found.media_type)
    return LegacyManifest(manifest=found.content, config=b"".join(source.blob(manifest.config)))


def _envelope(bundle: bytes) -> Envelope:
    content = parse_bundle(bundle).content
    if not isinstance(content, Envelope):
        raise InternalError("the gate signs statements only", expected="an envelope", seen=type(content).__name__)
    return content
