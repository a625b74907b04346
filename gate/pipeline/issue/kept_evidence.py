"""Keep all that a verdict was decided from, each piece once by its digest, so that it can be decided again without the image.

A text in which a secret was found is never kept, nor one that nobody searched: the record outlives the image, and more people
read it. What is withheld and what is kept for lack of another way stands in ADR 0036.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gate.codec.stored.evidence import encode_collected
from gate.decide import SHOWN_LABELS
from gate.model.attachment import Attachments
from gate.model.digest import Digest
from gate.model.evidence import (
    EvidenceSet,
    FirstSeen,
    ScanReport,
    SecretEvidence,
    SubjectEvidence,
    ThreatData,
    Unavailable,
)
from gate.model.finding import SecretGrade, SecretPlace
from gate.model.image import Descriptor, ImageIndex, ImageManifest
from gate.model.image_config import HistoryEntry, ImageConfig
from gate.model.string_map import StringMap
from gate.pipeline.derive import NOT_COLLECTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gate.codec.strict_json import JsonValue
    from gate.images.blob_store import BlobStore
    from gate.model.collected import Collected
    from gate.model.verdict import Verdict
    from gate.pipeline.policies import ReadFiles
    from gate.store.record import EvidenceStore

WITHHELD: Final = "(withheld)"
_CONFIGURATION: Final = frozenset(
    {SecretPlace.ENV, SecretPlace.LABEL, SecretPlace.HISTORY, SecretPlace.COMMAND, SecretPlace.CONFIG}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedFrom:
    """What a verdict was decided from: the evidence, the files of the policy, and the OCI objects as they came.

    `objects` maps the digest of a manifest, index or configuration to its bytes.
    """

    collected: Collected
    files: ReadFiles | None = None
    objects: Mapping[Digest, bytes] | None = None


def keep_evidence(store: EvidenceStore, decided_from: DecidedFrom, verdict: Verdict) -> dict[str, JsonValue]:
    """Keep everything, and return what the verdict's row says of it: names → digests.

    Raises:
        StorageError: it cannot be kept, so no verdict may be issued.
    """
    collected = to_keep(decided_from.collected, verdict)
    document, pieces = encode_collected(collected)
    said: dict[str, JsonValue] = {"collected": str(store.put(document))}
    said["pieces"] = [str(digest) for digest in store.put_all(pieces)]
    clean = _clean_objects(decided_from.collected.evidence, decided_from.objects or {})
    said["objects"] = [str(digest) for digest in store.put_all(clean)]
    files = decided_from.files
    if files is not None:
        said["policyFiles"] = [
            {"path": path, "digest": str(store.put(content))} for path, content in sorted(files.files.items())
        ]
        said["policyData"] = [{"path": path, "digest": str(digest)} for path, digest in sorted(files.data.items())]
        if files.root is not None:
            said["publicRoot"] = {"digest": str(store.put(files.root.content)), "package": files.root.package}
    return said


def to_keep(collected: Collected, verdict: Verdict) -> Collected:
    """Return what is kept: of threat data and first sightings the entries that were looked up, and no text with a secret."""
    evidence = collected.evidence
    subjects = tuple(map(_without_texts, evidence.subjects))
    withheld = any(one != other for one, other in zip(subjects, evidence.subjects, strict=True))
    kept = replace(
        evidence,
        subjects=subjects,
        index=_index(evidence),
        attachments=_attachments(evidence),
        threat_data=_looked_up(evidence),
        first_seen=_first_seen(evidence.first_seen, verdict),
    )
    return replace(collected, evidence=kept, conditions=replace(collected.conditions, withheld=withheld))


def _found(subject: SubjectEvidence, places: Iterable[SecretPlace]) -> bool:
    """Return whether a secret was found in one of these places, or nobody searched them."""
    return not isinstance(subject.secrets, SecretEvidence) or any(
        secret.place in places for secret in subject.secrets.findings
    )


def _without_texts(subject: SubjectEvidence) -> SubjectEvidence:
    if isinstance(subject.config, ImageConfig) and _found(subject, _CONFIGURATION):
        subject = replace(subject, config=_without_free_text(subject.config, subject))
    if isinstance(subject.manifest, ImageManifest) and _found(subject, {SecretPlace.ANNOTATION}):
        subject = replace(subject, manifest=_bare_manifest(subject.manifest))
    return subject


def _without_free_text(config: ImageConfig, subject: SubjectEvidence) -> ImageConfig:
    """Return a configuration without the texts that its author chose, but for what a verdict shows anyway."""
    found = subject.secrets.findings if isinstance(subject.secrets, SecretEvidence) else ()
    hiding = {secret.location for secret in found if secret.place is SecretPlace.LABEL}
    shown = SHOWN_LABELS - hiding
    labels = {name: value if name in shown else WITHHELD for name, value in config.labels.pairs}
    return replace(
        config,
        author=_withheld(config.author),
        env=tuple(f"{variable.partition('=')[0]}={WITHHELD}" for variable in config.env),
        entrypoint=tuple(map(_withheld, config.entrypoint)),
        cmd=tuple(map(_withheld, config.cmd)),
        labels=StringMap.of(labels),
        healthcheck=tuple(map(_withheld, config.healthcheck)),
        on_build=tuple(map(_withheld, config.on_build)),
        shell=tuple(map(_withheld, config.shell)),
        history=tuple(HistoryEntry(empty_layer=entry.empty_layer) for entry in config.history),
    )


def _withheld(text: str) -> str:
    return WITHHELD if text else ""


def _bare_manifest(manifest: ImageManifest) -> ImageManifest:
    return replace(
        manifest,
        annotations=StringMap(),
        config=_bare(manifest.config),
        layers=tuple(map(_bare, manifest.layers)),
        subject=_bare(manifest.subject) if manifest.subject is not None else None,
    )


def _bare(descriptor: Descriptor) -> Descriptor:
    return replace(descriptor, annotations=StringMap())


def _index(evidence: EvidenceSet) -> ImageIndex | None:
    index = evidence.index
    if index is None or not any(_found(subject, {SecretPlace.ANNOTATION}) for subject in evidence.subjects):
        return index
    return replace(index, annotations=StringMap(), manifests=tuple(map(_bare, index.manifests)))


def _attachments(evidence: EvidenceSet) -> Attachments | Unavailable | None:
    """Return what is attached; where a secret was proven in it, that it was not kept: it would stand in the record for good."""
    grades = (
        secret.grade
        for subject in evidence.subjects
        if isinstance(subject.secrets, SecretEvidence)
        for secret in subject.secrets.findings
        if secret.place is SecretPlace.ATTESTATION
    )
    if isinstance(evidence.attachments, Attachments) and any(grade is not SecretGrade.POSSIBLE for grade in grades):
        return Unavailable(code=NOT_COLLECTED, reason="what is attached holds a secret, so it was not kept")
    return evidence.attachments


def _looked_up(evidence: EvidenceSet) -> ThreatData:
    names: set[str] = set()
    for subject in evidence.subjects:
        for scan in (subject.trivy, subject.grype):
            for found in scan.findings if isinstance(scan, ScanReport) else ():
                names |= {found.id, *found.aliases}
    data = evidence.threat_data
    return replace(data, kev=data.kev & names, epss=tuple(pair for pair in data.epss if pair[0] in names))


def _first_seen(seen: FirstSeen, verdict: Verdict) -> FirstSeen:
    names = {judged.finding.fingerprint for judged in verdict.findings}
    return replace(seen, since=tuple(pair for pair in seen.since if pair[0] in names))


def _clean_objects(evidence: EvidenceSet, objects: Mapping[Digest, bytes]) -> tuple[bytes, ...]:
    """Return the bytes of the OCI objects in whose texts a search found no secret."""
    kept: dict[Digest, bytes] = {}
    for subject in evidence.subjects:
        if not _found(subject, {SecretPlace.ANNOTATION}):
            kept |= _named(objects, subject.subject.digest)
        if isinstance(subject.manifest, ImageManifest) and not _found(subject, _CONFIGURATION):
            kept |= _named(objects, subject.manifest.config.digest)
    root = evidence.root
    if root is not None and all(not _found(subject, {SecretPlace.ANNOTATION}) for subject in evidence.subjects):
        kept |= _named(objects, root.digest)
    return tuple(kept[digest] for digest in sorted(kept))


def _named(objects: Mapping[Digest, bytes], digest: Digest) -> dict[Digest, bytes]:
    return {digest: objects[digest]} if digest in objects else {}


def image_objects(evidence: EvidenceSet, store: BlobStore) -> dict[Digest, bytes]:
    """Return the manifests and configurations that were judged, by digest, from the store that they were put into."""
    named: list[Descriptor] = []
    for subject in evidence.subjects:
        one = subject.subject
        named.append(Descriptor(media_type=one.media_type, digest=one.digest, size=one.size))
        named += [subject.manifest.config] if isinstance(subject.manifest, ImageManifest) else []
    return {one.digest: b"".join(store.chunks(one)) for one in named if store.contains(one)}
