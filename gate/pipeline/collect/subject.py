"""Gather all evidence about one runnable image: pull its blobs once, then read layers and run both scanners at the same time.

Whatever cannot be had becomes `Unavailable` in its place; nothing is left out, and nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from gate.codec.plain_manifest import render_plain_manifest
from gate.codec.trivy import in_layer
from gate.errors import GateError, StorageError
from gate.images.pull import pulling
from gate.model.digest import Digest
from gate.model.evidence import EvidenceKind, LayerFacts, ScanReport, SecretEvidence, SubjectEvidence, Unavailable
from gate.model.finding import SecretPlace, Tool
from gate.model.image import ImageManifest
from gate.model.subject import Subject
from gate.model.unavailable import unavailable_from
from gate.model.version import VERSION
from gate.pipeline.collect.context import CollectContext, attempt
from gate.pipeline.collect.hidden import Place, find_hidden
from gate.pipeline.collect.layer_pass import ReadLayers, read_layers, search_layers
from gate.pipeline.collect.read_image import ReadImage, read_image, read_manifest, search_metadata
from gate.pipeline.collect.scan_layout import ScanLayout, scan_layout
from gate.scanners.grype import collect_grype, grype_settings
from gate.scanners.scanning import ScanTarget
from gate.scanners.trivy import collect_trivy, trivy_settings

if TYPE_CHECKING:
    from gate.codec.strict_json import JsonValue
    from gate.images.blob_store import BlobStore
    from gate.images.image_source import ImageSource
    from gate.images.pull import WaitFor
    from gate.model.image import Descriptor
    from gate.model.limits import LayerLimits
    from gate.pipeline.collect.image_metadata import ImageMetadata
    from gate.scanners.tool_pins import PinnedTool

T = TypeVar("T")
SCANNED: Final = frozenset({EvidenceKind.LAYERS, EvidenceKind.TRIVY, EvidenceKind.GRYPE})
_PULL: Final = "pull"
_SCANS: Final = {Tool.TRIVY: EvidenceKind.TRIVY, Tool.GRYPE: EvidenceKind.GRYPE}


def gather_subject(
    source: ImageSource,
    child: Descriptor,
    around: ImageMetadata,
    needs: frozenset[EvidenceKind],
    limits: LayerLimits,
    context: CollectContext,
) -> SubjectEvidence:
    """Gather what the policy's checks need of one image; `around` is searched for secrets with it."""
    subject = Subject(media_type=child.media_type, digest=child.digest, size=child.size, platform=child.platform)
    manifest = attempt(lambda: read_manifest(source, child))
    if isinstance(manifest, Unavailable):
        return SubjectEvidence(subject=subject, manifest=manifest)
    image = attempt(lambda: _read_and_keep(source, child, manifest, context.store))
    if isinstance(image, Unavailable):
        return _without_config(SubjectEvidence(subject=subject, manifest=manifest), image)
    evidence = SubjectEvidence(
        subject=replace(subject, platform=child.platform or image.config.platform),
        manifest=manifest,
        config=image.config,
    )
    if EvidenceKind.SECRETS in needs:
        evidence = replace(evidence, secrets=attempt(lambda: _search_around(image, around, context)))
    return _with_layers(evidence, source, image, needs, limits, context) if needs & SCANNED else evidence


def _read_and_keep(source: ImageSource, child: Descriptor, manifest: ImageManifest, store: BlobStore) -> ReadImage:
    image = read_image(source, child, manifest)
    if not store.contains(manifest.config):
        # The scanners get the bytes that were judged here; no registry is asked for them a second time (attack D04).
        store.put(manifest.config, [image.content])
    return image


def _without_config(evidence: SubjectEvidence, why: Unavailable) -> SubjectEvidence:
    return replace(evidence, config=why, layers=why, trivy=why, grype=why, secrets=why, rules=why)


def _search_around(image: ReadImage, around: ImageMetadata, context: CollectContext) -> SecretEvidence:
    rules, fingerprints = context.secret_material.rules, context.fingerprints
    what = "the configuration was searched for secrets"
    return search_metadata(image, around, rules, fingerprints, lambda: context.deadline.check(what))


def _with_layers(
    evidence: SubjectEvidence,
    source: ImageSource,
    image: ReadImage,
    needs: frozenset[EvidenceKind],
    limits: LayerLimits,
    context: CollectContext,
) -> SubjectEvidence:
    """Pull and read the layers, and only then run the scanners.

    What the gate refuses to read (a bomb, a malformed archive) no scanner gets to see (attack L14). Where scanners run, the
    gate's own search for secrets runs beside them, on the same uncompressed layers.
    """
    with ExitStack() as opened:
        layout = None
        if needs & set(_SCANS.values()):
            made = attempt(lambda: opened.enter_context(scan_layout(image, limits, context)))
            if isinstance(made, Unavailable):
                return _without_layers(evidence, made)
            layout = made
        reading = partial(
            read_layers,
            image,
            limits,
            context,
            searched=layout is None and EvidenceKind.SECRETS in needs,
            keep=layout.keep if layout is not None else None,
        )
        read = attempt(lambda: _pull_and_read(source, image, limits, context, reading))
        if isinstance(read, Unavailable):
            return _without_layers(evidence, read)
        evidence = replace(evidence, layers=read.facts, secrets=_joined(evidence.secrets, read.secrets))
        return evidence if layout is None else _scan_all(evidence, image, layout, read.facts, needs, limits, context)


def _pull_and_read(
    source: ImageSource,
    image: ReadImage,
    limits: LayerLimits,
    context: CollectContext,
    reading: Callable[[WaitFor], ReadLayers],
) -> ReadLayers:
    """Bring manifest, configuration and layers into the store, and read each layer as soon as it is there.

    Every blob is hashed on the way; what is there already is not fetched.
    """
    blobs = (image.manifest.config, *image.manifest.layers)
    context.progress.start(_PULL, sum(blob.size for blob in blobs))

    def report(_: Descriptor, count_bytes: int) -> None:
        context.deadline.check("the image was pulled")
        context.progress.advance(_PULL, count_bytes)

    try:
        context.store.put(image.descriptor, iter([source.manifest(image.descriptor)]))
        limit = limits.uncompressed_bytes
        with pulling(source, context.store, blobs, limit_bytes=limit, progress=report) as wait_for:
            return _timed(context, "layers", lambda: reading(wait_for))
    finally:
        context.progress.finish(_PULL)


def _scan_all(
    evidence: SubjectEvidence,
    image: ReadImage,
    layout: ScanLayout,
    facts: LayerFacts,
    needs: frozenset[EvidenceKind],
    limits: LayerLimits,
    context: CollectContext,
) -> SubjectEvidence:
    """Run the scanners and the search for secrets at the same time on the same layout; each answers for itself."""
    target = _target(image, layout.manifest(facts), facts)
    secrets = EvidenceKind.TRIVY_SECRETS in needs

    def scan(tool: Tool) -> ScanReport | Unavailable:
        located = lambda: replace(target, layout=layout.path(facts))  # noqa: E731
        report = _timed(context, tool.value, _scanning(tool, target, located, context, secrets=secrets))
        # Here and not after both: the other scanner may still be at work.
        return _with_hidden_secrets(report, image, layout, facts, limits, context) if tool is Tool.TRIVY else report

    with ThreadPoolExecutor(max_workers=len(_SCANS), thread_name_prefix="scan") as pool:
        scans = {tool: pool.submit(scan, tool) for tool, kind in _SCANS.items() if kind in needs}
        found = (
            attempt(lambda: search_layers(image, facts, layout, limits, context))
            if EvidenceKind.SECRETS in needs
            else None
        )
        reports = {tool: scanned.result() for tool, scanned in scans.items()}
    secret_evidence = (
        _secrets_or(evidence.secrets, found) if isinstance(found, Unavailable) else _joined(evidence.secrets, found)
    )
    return replace(evidence, secrets=secret_evidence, trivy=reports.get(Tool.TRIVY), grype=reports.get(Tool.GRYPE))


def _without_layers(evidence: SubjectEvidence, why: Unavailable) -> SubjectEvidence:
    """Put the reason where layers are needed."""
    secrets = _secrets_or(evidence.secrets, why) if evidence.secrets is not None else None
    return replace(evidence, layers=why, trivy=why, grype=why, secrets=secrets)


def _secrets_or(config: SecretEvidence | Unavailable | None, why: Unavailable) -> SecretEvidence | Unavailable:
    """Return the reason why the layers were not searched; secrets of the configuration that were found still refuse."""
    return config if isinstance(config, SecretEvidence) and config.findings else why


def _joined(
    config: SecretEvidence | Unavailable | None, layers: SecretEvidence | None
) -> SecretEvidence | Unavailable | None:
    """Return the secrets of configuration and layers as one; what could not be looked for stays so."""
    if not isinstance(config, SecretEvidence) or layers is None:
        return config
    return replace(layers, findings=(*config.findings, *layers.findings), unopened=(*config.unopened, *layers.unopened))


def _timed(context: CollectContext, step: str, work: Callable[[], T]) -> T:
    context.progress.start(step)
    try:
        return work()
    finally:
        context.progress.finish(step)


def _target(image: ReadImage, manifest: ImageManifest, layers: LayerFacts) -> ScanTarget:
    return ScanTarget(
        layout=Path(),
        manifest=Digest.of(render_plain_manifest(manifest)),
        config=image.manifest.config.digest,
        diff_ids=image.config.diff_ids,
        distribution=layers.distribution,
        ecosystems=_ecosystems(layers),
        unversioned=layers.unversioned,
        claims=layers.claims,
    )


def _ecosystems(layers: LayerFacts) -> frozenset[str]:
    """Return the purl types of packages of languages in the image: those that the gate lists and those of known forms."""
    forms = {seen.form for seen in layers.package_forms}
    has_crates = not forms.isdisjoint({"rust-audit", "cargo-lock"})
    return frozenset(key.type for key in layers.language_packages) | frozenset({"cargo"} if has_crates else ())


def _scanning(
    tool: Tool, target: ScanTarget, located: Callable[[], ScanTarget], context: CollectContext, *, secrets: bool
) -> Callable[[], ScanReport | Unavailable]:
    def scan() -> ScanReport | Unavailable:
        pinned = context.tools[tool]
        if isinstance(pinned, Unavailable):
            return pinned
        return attempt(lambda: _scan(tool, pinned, target, located, context, secrets=secrets))

    return scan


def _scan(
    tool: Tool,
    pinned: PinnedTool,
    target: ScanTarget,
    located: Callable[[], ScanTarget],
    context: CollectContext,
    *,
    secrets: bool,
) -> ScanReport:
    collect = partial(collect_trivy, secrets=secrets) if tool is Tool.TRIVY else collect_grype
    key = _scan_key(tool, pinned, target, context, secrets=secrets)
    try:
        return context.cache.obtain(
            ScanReport, key, lambda: collect(located(), pinned, context.databases, context.settings, context.deadline)
        )
    except OSError as error:
        raise StorageError(
            f"{tool.value} has no room to work in",
            code="CACHE_UNAVAILABLE",
            expected=f"a folder in {context.scratch} that can be written",
            seen=error.strerror or "an input/output error",
        ) from error


def _scan_key(
    tool: Tool, pinned: PinnedTool, target: ScanTarget, context: CollectContext, *, secrets: bool
) -> dict[str, JsonValue]:
    """Return everything that a report depends on: the image as the gate reads it, binary, databases, flags and settings."""
    databases = (context.databases.trivy, context.databases.java) if tool is Tool.TRIVY else (context.databases.grype,)
    settings = trivy_settings(secrets=secrets) if tool is Tool.TRIVY else grype_settings()
    return {
        "target": target.identity,
        "settings": list(settings),
        "tool": str(pinned.identity.digest),
        "databases": [
            "" if isinstance(database, Unavailable) else str(database.identity.digest) for database in databases
        ],
        "gate": VERSION,
    }


def _with_hidden_secrets(
    report: ScanReport | Unavailable,
    image: ReadImage,
    layout: ScanLayout,
    facts: LayerFacts,
    limits: LayerLimits,
    context: CollectContext,
) -> ScanReport | Unavailable:
    """Mark those of Trivy's secrets that a later layer deletes or overwrites, by a second look at the layers' headers.

    Trivy names a layer by the digest of its tar; what is returned names it as the image does.
    """
    if not isinstance(report, ScanReport) or not report.secrets:
        return report
    places = {
        (secret.location, secret.layer)
        for secret in report.secrets
        if secret.place is SecretPlace.FILE and secret.layer
    }
    try:
        hidden = _hidden(places, image, layout, facts, limits, context) if places else frozenset()
    except GateError as error:
        return unavailable_from(error)
    original = layout.original(facts)
    marked = (replace(secret, hidden=(secret.location, secret.layer) in hidden) for secret in report.secrets)
    named = (in_layer(secret, original[secret.layer]) if secret.layer in original else secret for secret in marked)
    return replace(report, secrets=tuple(named))


def _hidden(
    places: set[Place],
    image: ReadImage,
    layout: ScanLayout,
    facts: LayerFacts,
    limits: LayerLimits,
    context: CollectContext,
) -> frozenset[Place]:
    layout.path(facts)
    return find_hidden(
        layout.chunks,
        layout.manifest(facts),
        image.config,
        limits,
        places,
        check_deadline=lambda: context.deadline.check("the layers were read"),
    )
