"""`check`: gather, decide, record, issue. The main job, for the command line and for Python alike."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from gate.checks import reference as reference_check
from gate.clock import Clock, Deadline
from gate.decide import decide, needed_evidence
from gate.errors import GateError, UsageError
from gate.images.attachments import collect_everywhere
from gate.images.cached_source import CachedSource
from gate.images.open_source import open_source
from gate.images.registry_source import RegistrySource
from gate.model.collected import Collected
from gate.model.decision import Decision
from gate.model.evidence import EvidenceKind, EvidenceSet, FirstSeen, RequestFacts, Unavailable
from gate.model.reference import ArchiveReference, LayoutReference, Reference, RegistryReference, parse_reference
from gate.model.unavailable import unavailable_from
from gate.model.verdict import Verdict
from gate.pipeline.actor import actor_of
from gate.pipeline.ask import request_facts, require_sense
from gate.pipeline.attached import attachment_places, attachment_target, place_of
from gate.pipeline.collect.context import CollectContext, attempt, image_store, open_collect_context
from gate.pipeline.collect.gather import gather
from gate.pipeline.derive import conditions_of
from gate.pipeline.handoff import origin_of, require_same_image, require_signable, write_unsigned
from gate.pipeline.image_lock import SCRATCH, image_lock, scratch_folder
from gate.pipeline.issue.exports import export_verdict, remove_stale
from gate.pipeline.issue.kept_evidence import DecidedFrom, image_objects
from gate.pipeline.issue.publishing import Publisher
from gate.pipeline.issue.recording import first_seen, record_given_again, record_verdict, subject_of
from gate.pipeline.issue.reuse import inputs_of, known_verdict
from gate.pipeline.issue.sealing import seal_record
from gate.pipeline.issue.statements import SignedVerdict, sign_verdict, subject_descriptors
from gate.pipeline.issue.verdict_signers import own_signers
from gate.pipeline.options import CheckOptions, CheckRun, IssuedAttestation
from gate.pipeline.policies import LoadedPolicy, load_policy, read_threat_data
from gate.registry.client import RegistryClient
from gate.store.record import Record, open_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gate.images.image_source import AttachmentReader, FetchedManifest, ImageSource
    from gate.model.attachment import Attachments
    from gate.model.digest import Digest
    from gate.model.policy import Policy
    from gate.pipeline.issue.recording import Intent
    from gate.signers.signer import Signer

_NO_KEY: Final = "no attestation was made: give --key to sign the verdict"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What one run has in hand from its start: read once, the clock among it."""

    options: CheckOptions
    loaded: LoadedPolicy
    request: RequestFacts
    record: Record
    clock: Clock
    deadline: Deadline
    started: datetime

    @property
    def policy(self) -> Policy:
        return self.loaded.policy

    @property
    def subject(self) -> str:
        """Name the image in the record, once its digest is known."""
        return subject_of(self.request, self.request.digest)


def check(reference: str, options: CheckOptions, *, clock: Clock | None = None) -> CheckRun:
    """Judge one image, record the verdict, and issue its attestation where a key is given.

    Args:
        reference: `registry/repository@sha256:...`, `oci:DIR`, `archive:FILE` (untrusted text).
        options: policy, keys, places and limits.
        clock: for tests; the default is the machine's.

    Raises:
        UsageError: the request makes no sense; StorageError: the verdict cannot be recorded, so none was issued;
        RegistryError: it is recorded and could not be published (`REG_READ_BACK` and others). What is wrong with the image, and
        what could not be found out about it, is no error: it stands in the verdict.
    """
    used = clock or Clock()
    now = used.now()
    parsed = parse_reference(reference)
    loaded = load_policy(options.policy, options.ad_hoc, now)
    require_sense(parsed, options, loaded)
    if options.handoff is not None:
        require_signable(options.handoff, loaded.policy, now)
    for file in (options.attestation_file, options.envelope_file, options.unsigned_file):
        remove_stale(file)
    with ExitStack() as opened:
        deadline = Deadline.after(options.timeout, used)
        record = open_record(
            options.places.record, options.places.evidence, deadline=deadline, actor=actor_of(os.environ)
        )
        opened.callback(record.close)
        run = _Run(
            options=options,
            loaded=loaded,
            request=request_facts(reference, parsed, options),
            record=record,
            clock=used,
            deadline=deadline,
            started=now,
        )
        client = opened.enter_context(RegistryClient(replace(options.registry, offline=options.offline), run.deadline))
        refusal = _refused_before_fetching(run, parsed, client)
        ended = refusal if refusal is not None else _check_image(run, parsed, client)
        return replace(ended, notices=(*ended.notices, *seal_record(record, options.places.evidence, used.now())))


def _refused_before_fetching(run: _Run, reference: Reference, client: RegistryClient) -> CheckRun | None:
    """Refuse a tag, and a repository that is not allowed, before the network is asked anything about the image."""
    request = run.request
    if isinstance(reference, LayoutReference | ArchiveReference):
        return None
    answer = reference_check.CHECK.judge(EvidenceSet(request=request), run.policy, run.started)
    if not answer.problems:
        return None
    if reference.digest is None and answer.problems[-1].code != "REF_REGISTRY":
        hint = attempt(lambda: client.resolve_tag(reference.repository, reference.tag or "latest"))
        request = replace(request, hint=None if isinstance(hint, Unavailable) else hint)
    fault = Unavailable(code="REF_REFUSED", reason="nothing was fetched, because the reference was refused")
    return _refused_without_image(run, EvidenceSet(request=request, fault=fault))


def _refused_without_image(run: _Run, evidence: EvidenceSet) -> CheckRun:
    """Decide and record about an image of which nothing was fetched."""
    verdict = _decide(run, evidence)
    decided_from = _decided_from(run, evidence)
    record_verdict(
        run.record, verdict, run.loaded.content, inputs="", signed=None, target="", decided_from=decided_from
    )
    return CheckRun(verdict=verdict)


def _decide(run: _Run, evidence: EvidenceSet) -> Verdict:
    return decide(evidence, run.policy, run.started.replace(microsecond=0), run.options.environments)


def _decided_from(run: _Run, evidence: EvidenceSet, objects: Mapping[Digest, bytes] | None = None) -> DecidedFrom:
    conditions = replace(
        conditions_of(run.policy, platforms=run.request.platforms),
        policy=run.policy.digest,
        answered_at=run.started.replace(microsecond=0),
        overridden=run.loaded.overridden,
        environments=run.options.environments,
    )
    collected = Collected(evidence=evidence, conditions=conditions)
    return DecidedFrom(collected=collected, files=run.loaded.read, objects=objects)


def _check_image(run: _Run, reference: Reference, client: RegistryClient) -> CheckRun:
    try:
        source = open_source(reference, client)
        root = _root_of(run, reference, source)
    except UsageError:
        raise
    except GateError as error:
        return _refused_without_image(run, EvidenceSet(request=run.request, fault=unavailable_from(error)))
    run = replace(run, request=replace(run.request, digest=root.digest))
    if run.options.handoff is not None:
        require_same_image(run.options.handoff, root.digest)
    registry, named = run.options.registry, run.options.attach_to
    attached = attachment_places(reference, source, root.digest, client, registry, named)
    target = attachment_target(reference, registry, named)
    elsewhere = RegistrySource(client, target, root.digest) if target is not None else None
    publisher = _publisher(run, source, elsewhere, str(target) if target is not None else place_of(reference))
    places = run.options.places
    with (
        image_lock(places.state / "turns", run.subject, run.deadline),
        scratch_folder(places.cache / SCRATCH, run.deadline) as scratch,
    ):
        context = open_collect_context(
            places,
            scratch,
            run.record.evidence,
            deadline=run.deadline,
            now=run.started,
            progress=run.options.progress,
            secret_rules=run.policy.secrets.rules if run.policy.secrets is not None else (),
        )
        return _with_image_lock(run, source, root, attached, publisher, context)


def _root_of(run: _Run, reference: Reference, source: ImageSource) -> FetchedManifest:
    """Return the manifest or index that was asked for; offline that of an earlier run, from the store."""
    if not run.options.offline or not isinstance(reference, RegistryReference) or reference.digest is None:
        return source.root()
    with image_store(run.options.places) as store:
        return CachedSource(source, store, reference.digest).root()


def _with_image_lock(
    run: _Run,
    source: ImageSource,
    root: FetchedManifest,
    attached: tuple[AttachmentReader, ...],
    publisher: Publisher | None,
    context: CollectContext,
) -> CheckRun:
    """Decide, and give an earlier verdict again that says the same or issue one; then finish what earlier runs left."""
    before = run.record.unpublished(run.subject) if publisher is not None else ()
    concluded = _judge(run, source, root, attached, publisher, context)
    if publisher is None or not before:
        return concluded
    still = [row for row in run.record.unpublished(run.subject) if row in before]
    return replace(concluded, notices=(*publisher.repair(still, run.started), *concluded.notices))


def _judge(
    run: _Run,
    source: ImageSource,
    root: FetchedManifest,
    attached: tuple[AttachmentReader, ...],
    publisher: Publisher | None,
    context: CollectContext,
) -> CheckRun:
    needed = EvidenceKind.ATTACHMENTS in needed_evidence(run.policy)
    found = attempt(lambda: collect_everywhere(attached, root.digest)) if needed else None
    target = publisher.target if publisher is not None else ""
    inputs = inputs_of(run.subject, run.loaded, run.options, context, found, target)
    evidence, objects = _gather(run, source, root, context, found)
    verdict = _decide(run, evidence)
    again = not (run.options.reissue or run.options.handoff is not None or run.options.unsigned_file is not None)
    known = _known(run, inputs, verdict, publisher) if again else None
    if known is not None:
        return known
    # What another job scanned says nothing about the programs that are here.
    decided_from = _decided_from(run, evidence, objects)
    return _conclude(run, decided_from, verdict, "" if run.options.handoff is not None else inputs, publisher)


def _publisher(run: _Run, source: ImageSource, elsewhere: RegistrySource | None, target: str) -> Publisher | None:
    """Return where attestations go; None where nothing is signed, or only into a file."""
    if run.options.signer is None:
        return None
    if not source.attestable:
        expected = "an image with a manifest digest: a registry, an OCI layout or an OCI archive"
        raise UsageError(
            "this archive has no manifest digest, so nothing can be attested", code="REF_NAME", expected=expected
        )
    place = elsewhere or source
    if place.writer is None:
        if run.options.attestation_file is None:
            expected = "--attestation FILE, or --attach-to REPOSITORY"
            raise UsageError("nothing can be attached to an archive", expected=expected, seen="only a key")
        return None
    own = own_signers(run.options.signer, run.options.fail_signer)
    return Publisher(source=place, writer=place.writer, record=run.record, target=target, subject=run.subject, own=own)


def _known(run: _Run, inputs: str, verdict: Verdict, publisher: Publisher | None) -> CheckRun | None:
    """Return an earlier verdict that says the same again, and see that it is found: a registry may have lost it since."""
    known = known_verdict(run.record, inputs, verdict, run.policy.attest, run.clock.now())
    if known is None:
        return None
    if run.options.signer is None:
        record_given_again(run.record, known.row, known.verdict, run.started)
        return CheckRun(verdict=known.verdict, reused=True, notices=(_NO_KEY,))
    if known.summary is None or (publisher is not None) != (known.intent is not None):
        return None
    # Before anything is repaired or written: what is given to somebody stands in the record.
    record_given_again(run.record, known.row, known.verdict, run.started)
    issued: tuple[IssuedAttestation, ...] = ()
    notices: tuple[str, ...] = ()
    if publisher is not None and known.intent is not None:
        notices = publisher.ensure(known.intent, run.started)
        issued = publisher.issued(known.intent)
    written, told = export_verdict(run.options, known.verdict, known.summary, publisher)
    return CheckRun(verdict=known.verdict, attestations=(*issued, *written), reused=True, notices=(*notices, *told))


def _gather(
    run: _Run,
    source: ImageSource,
    root: FetchedManifest,
    context: CollectContext,
    attached: Attachments | Unavailable | None,
) -> tuple[EvidenceSet, dict[Digest, bytes]]:
    """Return the evidence, and the manifests and configurations as they came."""
    policy = run.policy
    grace = policy.vulnerabilities is not None and bool(policy.vulnerabilities.grace)
    remembered = run.request.repository if grace else None
    seen = first_seen(run.record, remembered) if remembered is not None else FirstSeen()
    begun = EvidenceSet(
        request=run.request,
        attachments=attached,
        threat_data=read_threat_data(run.loaded),
        first_seen=seen,
        origin=origin_of(run.options.handoff) if run.options.handoff is not None else None,
    )
    with context.store:
        if isinstance(source, RegistrySource):
            # What was pulled once is judged again without the registry: `--offline` finds every manifest in the store.
            context.store.put(root.descriptor, [root.content])
            source = CachedSource(source, context.store, root.digest)
        evidence = gather(source, root, begun, policy, needed_evidence(policy), context, run.options.handoff)
        return evidence, {root.digest: root.content} | image_objects(evidence, context.store)


def _conclude(
    run: _Run, decided_from: DecidedFrom, verdict: Verdict, inputs: str, publisher: Publisher | None
) -> CheckRun:
    """Sign what was decided, record it, and publish it."""
    record = partial(record_verdict, run.record, verdict, run.loaded.content, decided_from=decided_from)
    signer = _signer_of(verdict, run.options)
    try:
        signed = _sign(run, verdict, signer) if signer is not None else None
    except GateError as error:
        # A refusal must not be mistaken for a broken service later: what was decided stands in the record.
        record(inputs="", signed=None, target="", unsigned=error.code)
        raise
    target = publisher.target if publisher is not None else ""
    _, intent = record(inputs=inputs, signed=signed, target=target)
    try:
        told = _publish(run, publisher, intent) if publisher is not None and intent is not None else ()
    except GateError as error:
        if verdict.decision is not Decision.REFUSED:
            raise
        # The image is refused whether or not the registry takes the verdict; the next run publishes it from the record.
        return CheckRun(verdict=verdict, notices=(f"signed and recorded, but not published: {error.code}: {error}",))
    if signed is None:
        return CheckRun(verdict=verdict, notices=_without_key(run, verdict, decided_from.collected.evidence))
    issued = publisher.issued(intent) if publisher is not None and intent is not None else ()
    written, notices = export_verdict(run.options, verdict, signed.summary.bundle, publisher)
    return CheckRun(verdict=verdict, attestations=(*issued, *written), notices=(*told, *notices))


def _without_key(run: _Run, verdict: Verdict, evidence: EvidenceSet) -> tuple[str, ...]:
    """Say why nothing was signed; where another job is to sign, write what it needs."""
    file = run.options.unsigned_file
    if file is None:
        return (_NO_KEY,) if run.options.signer is None else ()
    if verdict.decision is Decision.ERROR:
        return (f"nothing was written to {file}: what could not be judged is not signed",)
    digest = write_unsigned(file, verdict, evidence, run.record.evidence)
    named = f" --as {run.options.name}" if run.options.name is not None else ""
    image = shlex.quote(verdict.request.reference)
    command = f"gate attest sign {shlex.quote(str(file))} --file-digest {digest} --image {image}{named}"
    return (f"to be signed with `{command}`",)


def _publish(run: _Run, publisher: Publisher, intent: Intent) -> tuple[str, ...]:
    run.options.progress.start("push")
    try:
        return publisher.publish(intent, run.clock.now())
    finally:
        run.options.progress.finish("push")


def _signer_of(verdict: Verdict, options: CheckOptions) -> Signer | None:
    """Return the key for this decision; what could not be judged is never signed."""
    match verdict.decision:
        case Decision.PASSED:
            return options.signer
        case Decision.REFUSED:
            return (options.fail_signer or options.signer) if options.signer is not None else None
        case Decision.ERROR:
            return None


def _sign(run: _Run, verdict: Verdict, signer: Signer) -> SignedVerdict | None:
    if not subject_descriptors(verdict) or run.request.repository is None:
        return None
    return sign_verdict(
        verdict,
        run.request.repository,
        run.policy.attest,
        signer=signer,
        started=run.started,
        finished=run.clock.now(),
    )
