"""Gather all evidence about one runnable image: pull its blobs once, then read layers and run both scanners at the same time.

Whatever cannot be had becomes `Unobtained` in its place; nothing is left out, and nothing is judged here.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from gate.errors import GateError, StorageError
from gate.images.pull import pulling
from gate.model.evidence import EvidenceKind, LayerFacts, ScanReport, SecretEvidence, SubjectEvidence, Unobtained
from gate.model.finding import SecretPlace, Tool
from gate.model.image import ImageManifest
from gate.model.subject import Subject
from gate.model.unavailable import unobtained_from
from gate.model.version import VERSION
from gate.pipeline.collect.context import Workshop, attempt
from gate.pipeline.collect.hidden import find_hidden
from gate.pipeline.collect.layer_pass import ReadLayers, read_layers
from gate.pipeline.collect.read_image import ReadImage, read_image, read_manifest, search_around
from gate.scanners.grype import collect_grype, grype_settings
from gate.scanners.scanning import ScanTarget
from gate.scanners.trivy import collect_trivy, trivy_settings

if TYPE_CHECKING:
    from gate.codec.strict_json import JsonValue
    from gate.images.blob_store import BlobStore
    from gate.images.image_source import ImageSource
    from gate.model.image import Descriptor
    from gate.model.limits import LayerLimits
    from gate.pipeline.collect.image_metadata import Surroundings
    from gate.scanners.tool_pins import PinnedTool

T = TypeVar("T")
SCANNED: Final = frozenset({EvidenceKind.LAYERS, EvidenceKind.TRIVY, EvidenceKind.GRYPE})
_PULL: Final = "pull"
_SCANS: Final = {Tool.TRIVY: EvidenceKind.TRIVY, Tool.GRYPE: EvidenceKind.GRYPE}


def gather_subject(
    source: ImageSource,
    child: Descriptor,
    around: Surroundings,
    needs: frozenset[EvidenceKind],
    limits: LayerLimits,
    workshop: Workshop,
) -> SubjectEvidence:
    """Gather what the policy's checks need of one image; `around` is searched for secrets with it."""
    subject = Subject(media_type=child.media_type, digest=child.digest, size=child.size, platform=child.platform)
    manifest = attempt(lambda: read_manifest(source, child))
    if isinstance(manifest, Unobtained):
        return SubjectEvidence(subject=subject, manifest=manifest)
    image = attempt(lambda: _read_and_keep(source, child, manifest, workshop.store))
    if isinstance(image, Unobtained):
        return _without_config(SubjectEvidence(subject=subject, manifest=manifest), image)
    evidence = SubjectEvidence(
        subject=replace(subject, platform=child.platform or image.config.platform),
        manifest=manifest,
        config=image.config,
    )
    if EvidenceKind.SECRETS in needs:
        evidence = replace(evidence, secrets=attempt(lambda: _search_around(image, around, workshop)))
    return _with_layers(evidence, source, image, needs, limits, workshop) if needs & SCANNED else evidence


def _read_and_keep(source: ImageSource, child: Descriptor, manifest: ImageManifest, store: BlobStore) -> ReadImage:
    image = read_image(source, child, manifest)
    if not store.contains(manifest.config):
        # The scanners get the bytes that were judged here; no registry is asked for them a second time (attack D04).
        store.put(manifest.config, [image.content])
    return image


def _without_config(evidence: SubjectEvidence, why: Unobtained) -> SubjectEvidence:
    return replace(evidence, config=why, layers=why, trivy=why, grype=why, secrets=why, rules=why)


def _search_around(image: ReadImage, around: Surroundings, workshop: Workshop) -> SecretEvidence:
    rules, fingerprints = workshop.secret_material.rules, workshop.fingerprints
    what = "the configuration was searched for secrets"
    return search_around(image, around, rules, fingerprints, lambda: workshop.deadline.check(what))


def _with_layers(
    evidence: SubjectEvidence,
    source: ImageSource,
    image: ReadImage,
    needs: frozenset[EvidenceKind],
    limits: LayerLimits,
    workshop: Workshop,
) -> SubjectEvidence:
    """Pull and read the layers, and only then run the scanners.

    What the gate refuses to read (a bomb, a malformed archive) no scanner gets to see (attack L14).
    """
    read = attempt(lambda: _pull_and_read(source, image, limits, workshop, needs))
    if isinstance(read, Unobtained):
        return _without_layers(evidence, read)
    layers = read.facts
    evidence = replace(evidence, layers=layers, secrets=_joined(evidence.secrets, read.secrets))
    layout = attempt(lambda: _lay_out(image, workshop))
    if isinstance(layout, Unobtained):
        return _without_layers(evidence, layout)
    try:
        return _scan_both(evidence, image, layout, layers, needs, limits, workshop)
    finally:
        shutil.rmtree(layout.parent, ignore_errors=True)


def _pull_and_read(
    source: ImageSource,
    image: ReadImage,
    limits: LayerLimits,
    workshop: Workshop,
    needs: frozenset[EvidenceKind],
) -> ReadLayers:
    """Bring manifest, configuration and layers into the store, and read each layer as soon as it is there.

    Every blob is hashed on the way; what is there already is not fetched.
    """
    blobs = (image.manifest.config, *image.manifest.layers)
    workshop.progress.start(_PULL, sum(blob.size for blob in blobs))

    def report(_: Descriptor, count_bytes: int) -> None:
        workshop.deadline.check("the image was pulled")
        workshop.progress.advance(_PULL, count_bytes)

    try:
        workshop.store.put(image.descriptor, iter([source.manifest(image.descriptor)]))
        limit = limits.uncompressed_bytes
        with pulling(source, workshop.store, blobs, limit_bytes=limit, progress=report) as wait_for:
            return _timed(workshop, "layers", lambda: read_layers(image, limits, workshop, needs, wait_for))
    finally:
        workshop.progress.finish(_PULL)


def _lay_out(image: ReadImage, workshop: Workshop) -> Path:
    """Return the layout that both scanners read, alone in a folder of its own; what fails leaves it to the end of the run."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="layout-", dir=workshop.scratch))
    except OSError as error:
        raise StorageError(
            "a folder cannot be made",
            code="CACHE_UNAVAILABLE",
            expected=str(workshop.scratch),
            seen=error.strerror or "",
        ) from error
    return workshop.store.write_layout(
        folder / "image", image.descriptor, (image.manifest.config, *image.manifest.layers)
    )


def _scan_both(
    evidence: SubjectEvidence,
    image: ReadImage,
    layout: Path,
    layers: LayerFacts,
    needs: frozenset[EvidenceKind],
    limits: LayerLimits,
    workshop: Workshop,
) -> SubjectEvidence:
    """Run the scanners at the same time on the same layout; each answers for itself."""
    target = _target(image, layout, layers)

    def scan(tool: Tool) -> ScanReport | Unobtained:
        report = _timed(workshop, tool.value, _scanning(tool, target, workshop))
        # Here and not after both: the other scanner may still be at work.
        return _with_hidden_secrets(report, image, limits, workshop) if tool is Tool.TRIVY else report

    with ThreadPoolExecutor(max_workers=len(_SCANS), thread_name_prefix="scan") as pool:
        scans = {tool: pool.submit(scan, tool) for tool, kind in _SCANS.items() if kind in needs}
        reports = {tool: found.result() for tool, found in scans.items()}
    return replace(evidence, trivy=reports.get(Tool.TRIVY), grype=reports.get(Tool.GRYPE))


def _without_layers(evidence: SubjectEvidence, why: Unobtained) -> SubjectEvidence:
    """Put the reason where layers are needed; secrets of the configuration that were found still refuse."""
    secrets = evidence.secrets
    keeps = isinstance(secrets, SecretEvidence) and bool(secrets.findings)
    return replace(evidence, layers=why, trivy=why, grype=why, secrets=secrets if keeps or secrets is None else why)


def _joined(
    config: SecretEvidence | Unobtained | None, layers: SecretEvidence | None
) -> SecretEvidence | Unobtained | None:
    """Return the secrets of configuration and layers as one; what could not be looked for stays so."""
    if not isinstance(config, SecretEvidence) or layers is None:
        return config
    return replace(layers, findings=(*config.findings, *layers.findings), unopened=(*config.unopened, *layers.unopened))


def _timed(workshop: Workshop, step: str, work: Callable[[], T]) -> T:
    workshop.progress.start(step)
    try:
        return work()
    finally:
        workshop.progress.finish(step)


def _target(image: ReadImage, layout: Path, layers: LayerFacts) -> ScanTarget:
    return ScanTarget(
        layout=layout,
        manifest=image.descriptor.digest,
        config=image.manifest.config.digest,
        diff_ids=image.config.diff_ids,
        distribution=layers.distribution,
        ecosystems=frozenset(key.type for key in layers.language_packages),
        unversioned=layers.unversioned,
        claims=layers.claims,
    )


def _scanning(tool: Tool, target: ScanTarget, workshop: Workshop) -> Callable[[], ScanReport | Unobtained]:
    def scan() -> ScanReport | Unobtained:
        pinned = workshop.tools[tool]
        if isinstance(pinned, Unobtained):
            return pinned
        return attempt(lambda: _scan(tool, pinned, target, workshop))

    return scan


def _scan(tool: Tool, pinned: PinnedTool, target: ScanTarget, workshop: Workshop) -> ScanReport:
    collect = collect_trivy if tool is Tool.TRIVY else collect_grype
    key = _scan_key(tool, pinned, target, workshop)
    try:
        return workshop.cache.obtain(
            ScanReport, key, lambda: collect(target, pinned, workshop.databases, workshop.settings, workshop.deadline)
        )
    except OSError as error:
        raise StorageError(
            f"{tool.value} has no room to work in",
            code="CACHE_UNAVAILABLE",
            expected=f"a folder in {workshop.scratch} that can be written",
            seen=error.strerror or "an input/output error",
        ) from error


def _scan_key(tool: Tool, pinned: PinnedTool, target: ScanTarget, workshop: Workshop) -> dict[str, JsonValue]:
    """Return everything that a report depends on: the image as the gate reads it, binary, databases, flags and settings."""
    databases = (
        (workshop.databases.trivy, workshop.databases.java) if tool is Tool.TRIVY else (workshop.databases.grype,)
    )
    settings = trivy_settings() if tool is Tool.TRIVY else grype_settings()
    return {
        "target": target.identity,
        "settings": list(settings),
        "tool": str(pinned.identity.digest),
        "databases": [
            "" if isinstance(database, Unobtained) else str(database.identity.digest) for database in databases
        ],
        "gate": VERSION,
    }


def _with_hidden_secrets(
    report: ScanReport | Unobtained, image: ReadImage, limits: LayerLimits, workshop: Workshop
) -> ScanReport | Unobtained:
    """Mark those of Trivy's secrets that a later layer deletes or overwrites, by a second look at the layers' headers."""
    if not isinstance(report, ScanReport):
        return report
    places = {
        (secret.location, secret.layer)
        for secret in report.secrets
        if secret.place is SecretPlace.FILE and secret.layer
    }
    if not places:
        return report
    try:
        hidden = find_hidden(
            workshop.store.chunks,
            image.manifest,
            image.config,
            limits,
            places,
            check_deadline=lambda: workshop.deadline.check("the layers were read"),
        )
    except GateError as error:
        return unobtained_from(error)
    marked = (replace(secret, hidden=(secret.location, secret.layer) in hidden) for secret in report.secrets)
    return replace(report, secrets=tuple(marked))
