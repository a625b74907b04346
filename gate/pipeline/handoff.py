"""Scanning and signing as two jobs: write what was gathered, and take it up again where the key is.

The signing job trusts of the file only what a scan alone can say, and that only about bytes whose digests it fetched and
compared itself: layers against the manifest, their contents' digests against the configuration, findings against the raw report
that it parses again. What is still trusted then, that the scanning job ran the scanners honestly, stands in
`docs/adr/0010-scanning-and-signing-in-two-jobs.md`.

Specification: DESIGN, section 7, last paragraph; attack A17.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gate.codec.grype import parse_grype_report
from gate.codec.times import format_duration, format_time
from gate.codec.trivy import parse_trivy_report
from gate.codec.unsigned_verdict import MAX_FILE_BYTES, parse_unsigned, render_unsigned
from gate.disk.named import read_named
from gate.disk.output import write_output
from gate.errors import AttestationError, EvidenceError, ScannerError, UsageError
from gate.model.digest import Digest
from gate.model.evidence import EvidenceOrigin, LayerFacts, ScanReport, SecretEvidence
from gate.model.finding import SecretPlace, Tool
from gate.model.image import ImageManifest
from gate.model.image_config import ImageConfig
from gate.model.unsigned import KeptReport, ScannedSubject, UnsignedVerdict
from gate.model.version import VERSION
from gate.pipeline.options import ScanHandoff

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from gate.model.evidence import EvidenceSet, RawReport, SubjectEvidence, Unavailable
    from gate.model.policy import Policy
    from gate.model.verdict import Verdict
    from gate.store.record import EvidenceStore

# A night between the jobs is a queue; more is somebody who waits for the right moment.
MAX_WAIT: Final = timedelta(hours=24)
_CLOCK_TOLERANCE: Final = timedelta(minutes=5)
# Where secrets are searched in what the signing job fetched itself.
_FETCHED_HERE: Final = frozenset(
    {
        SecretPlace.ENV,
        SecretPlace.LABEL,
        SecretPlace.HISTORY,
        SecretPlace.COMMAND,
        SecretPlace.CONFIG,
        SecretPlace.ANNOTATION,
        SecretPlace.ATTESTATION,
    }
)
# What both parsers say in the same words as a report of evidence.
_SAID: Final = ("target_diff_ids", "distribution", "packages", "os_packages", "findings", "suppressed")


def write_unsigned(path: Path, verdict: Verdict, evidence: EvidenceSet, reports: EvidenceStore) -> Digest:
    """Write the file for the signing job and give its digest, to be handed on beside it.

    Raises:
        UsageError: nothing was judged that could be signed; StorageError: `OUT_WRITE`, or a report is gone.
    """
    if verdict.digest is None:
        raise UsageError("nothing was judged that could be signed", expected="a reference by digest", seen="no digest")
    content = render_unsigned(
        UnsignedVerdict(
            gate=VERSION,
            gathered_at=verdict.evaluated_at,
            reference=verdict.request.reference,
            digest=verdict.digest,
            policy=verdict.policy.digest,
            decision=verdict.decision,
            platforms=verdict.request.platforms,
            subjects=tuple(map(_scanned, evidence.subjects)),
            reports=tuple(KeptReport(digest=digest, content=reports.get(digest)) for digest in _reports(evidence)),
        )
    )
    write_output(path, content)
    return Digest.of(content)


def _scanned(subject: SubjectEvidence) -> ScannedSubject:
    return ScannedSubject(
        digest=subject.subject.digest,
        layers=subject.layers,
        trivy=subject.trivy,
        grype=subject.grype,
        secrets=subject.secrets,
    )


def _reports(evidence: EvidenceSet) -> tuple[Digest, ...]:
    scans = (scan for subject in evidence.subjects for scan in (subject.trivy, subject.grype))
    raw = (item for scan in scans if isinstance(scan, ScanReport) for item in (scan.report, scan.package_report))
    return tuple(dict.fromkeys(item.digest for item in raw if item is not None))


def read_unsigned(path: Path, expected: Digest | None) -> ScanHandoff:
    """Read the file of a scanning job; `expected` is its digest, where somebody handed it on.

    Raises:
        UsageError: it cannot be read; AttestationError: `ATT_BYTES`, `ATT_MALFORMED`, `LIMIT_BUNDLE`.
    """
    data = read_named(path, "the unsigned verdict", limit_bytes=MAX_FILE_BYTES)
    digest = Digest.of(data)
    if expected is not None and digest != expected:
        raise AttestationError("this is another file", code="ATT_BYTES", expected=str(expected), seen=str(digest))
    return ScanHandoff(verdict=parse_unsigned(data), file=digest)


def require_signable(handoff: ScanHandoff, policy: Policy, now: datetime) -> None:
    """Return if the file was gathered under this very policy, and not long ago.

    Raises:
        AttestationError: `ATT_POLICY_STALE`, `ATT_EXPIRED`; EvidenceError: `POL_TIME`.
    """
    verdict = handoff.verdict
    if verdict.policy != policy.digest:
        raise AttestationError(
            "the image was scanned for another policy",
            code="ATT_POLICY_STALE",
            expected=str(policy.digest),
            seen=str(verdict.policy),
        )
    if verdict.gathered_at > now + _CLOCK_TOLERANCE:
        raise EvidenceError(
            "the scan lies in the future",
            code="POL_TIME",
            expected=f"not after {format_time(now)}",
            seen=format_time(verdict.gathered_at),
        )
    if now - verdict.gathered_at > MAX_WAIT:
        raise AttestationError(
            "the scan is too old to be signed",
            code="ATT_EXPIRED",
            expected=f"at most {format_duration(MAX_WAIT)} old",
            seen=f"{format_duration(now - verdict.gathered_at)} old, of {format_time(verdict.gathered_at)}",
        )


def require_same_image(handoff: ScanHandoff, digest: Digest) -> None:
    """Return if the file is about this image; raises AttestationError `ATT_SUBJECT_MISMATCH`."""
    if handoff.verdict.digest != digest:
        raise AttestationError(
            "the file is about another image",
            code="ATT_SUBJECT_MISMATCH",
            expected=str(digest),
            seen=str(handoff.verdict.digest),
        )


def origin_of(handoff: ScanHandoff) -> EvidenceOrigin:
    """Say where the reports came from, for the record."""
    verdict = handoff.verdict
    return EvidenceOrigin(file=handoff.file, gathered_at=verdict.gathered_at, gate=verdict.gate)


def merge_handoff(
    subjects: Iterable[SubjectEvidence], handoff: ScanHandoff, kept: EvidenceStore
) -> tuple[SubjectEvidence, ...]:
    """Return the subjects, whose manifests and configurations were fetched here, with what the file says of each.

    Raises:
        AttestationError: `ATT_SUBJECT_MISMATCH` where the file is about other children; `ATT_BYTES` where it contradicts what
            was fetched, or itself. StorageError: a report cannot be kept.
    """
    own = tuple(subjects)
    scanned = {item.digest: item for item in handoff.verdict.subjects}
    if {subject.subject.digest for subject in own} != scanned.keys() or len(scanned) != len(handoff.verdict.subjects):
        raise AttestationError(
            "the file is about other images of the index",
            code="ATT_SUBJECT_MISMATCH",
            expected=", ".join(sorted(subject.subject.digest.short for subject in own)),
            seen=", ".join(sorted(digest.short for digest in scanned)),
        )
    reports = {report.digest: report.content for report in handoff.verdict.reports}
    taken = tuple(_taken(subject, scanned[subject.subject.digest], reports) for subject in own)
    for content in reports.values():
        kept.put(content)
    return taken


def _taken(subject: SubjectEvidence, scanned: ScannedSubject, reports: Mapping[Digest, bytes]) -> SubjectEvidence:
    if isinstance(subject.manifest, ImageManifest) and isinstance(subject.config, ImageConfig):
        _expect_layers(scanned.layers, subject.manifest, subject.config)
    for scan, tool in ((scanned.trivy, Tool.TRIVY), (scanned.grype, Tool.GRYPE)):
        if isinstance(scan, ScanReport):
            _expect_report(scan, tool, reports)
    return replace(
        subject,
        layers=scanned.layers,
        trivy=scanned.trivy,
        grype=scanned.grype,
        secrets=_secrets(subject.secrets, scanned.secrets),
    )


def _expect_layers(layers: LayerFacts | Unavailable | None, manifest: ImageManifest, config: ImageConfig) -> None:
    """Compare the layers that were read with the manifest and the configuration that were fetched here."""
    if not isinstance(layers, LayerFacts):
        return
    read = tuple((layer.digest, layer.diff_id) for layer in layers.layers)
    named = tuple(zip((layer.digest for layer in manifest.layers), config.diff_ids, strict=False))
    if read != named:
        raise _contradiction("the layers that were read are not the image's", f"{len(named)} layers of the manifest")


def _expect_report(scan: ScanReport, tool: Tool, reports: Mapping[Digest, bytes]) -> None:
    """Parse the raw report again: what is judged must stand in the bytes that are kept."""
    raw = _raw(scan.report, reports)
    try:
        same = (
            _is_trivys(scan, raw) if tool is Tool.TRIVY else _is_grypes(scan, raw, _raw(scan.package_report, reports))
        )
    except ScannerError as error:
        raise _contradiction(f"the raw report of {tool} cannot be read", "the report as it was written") from error
    if scan.kind is not tool or not same:
        raise _contradiction(f"the raw report of {tool} says something else", "what the raw report says")


def _is_trivys(scan: ScanReport, raw: bytes) -> bool:
    parsed = parse_trivy_report(raw)
    # What a secret's rule matched was blanked, so only their number can be told again.
    target = parsed.target_config == scan.target_config and len(parsed.secrets) == len(scan.secrets)
    return target and all(getattr(parsed, name) == getattr(scan, name) for name in _SAID)


def _is_grypes(scan: ScanReport, raw: bytes, bill: bytes) -> bool:
    parsed = parse_grype_report(raw, bill)
    target = parsed.target_manifest == scan.target_manifest
    return target and all(getattr(parsed, name) == getattr(scan, name) for name in _SAID)


def _raw(report: RawReport | None, reports: Mapping[Digest, bytes]) -> bytes:
    content = reports.get(report.digest) if report is not None else None
    if content is None:
        raise _contradiction("a raw report is not in the file", "every report that is named")
    return content


def _secrets(
    own: SecretEvidence | Unavailable | None, handoff: SecretEvidence | Unavailable | None
) -> SecretEvidence | Unavailable | None:
    """Return what was found here in the configuration, with what the other job found in files.

    Where files could not be searched, secrets of the configuration that were found still refuse.
    """
    if not isinstance(own, SecretEvidence):
        return own
    if not isinstance(handoff, SecretEvidence):
        return own if own.findings else handoff
    files = (found for found in handoff.findings if found.place not in _FETCHED_HERE)
    unopened = tuple(dict.fromkeys((*own.unopened, *handoff.unopened)))
    return replace(handoff, findings=(*own.findings, *files), unopened=unopened)


def _contradiction(message: str, expected: str) -> AttestationError:
    return AttestationError(
        message, code="ATT_BYTES", expected=expected, next_step="Let the scanning job write it again."
    )
