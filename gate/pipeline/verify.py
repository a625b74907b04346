"""`verify`: what a deploy stage demands before it lets an image in. No scanner, nobody else's policy, no clock but its own.

Fetches what is attached and lets `gate.pipeline.demand` judge it. Whether anything is demanded of an image is known before
anybody is asked about it (attack K18).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from gate.clock import Clock, Deadline
from gate.codec.attachments import MAX_FILE_BYTES, split_attestation_file
from gate.errors import GateError, ReferenceRefusedError, StorageError, UsageError
from gate.model.attachment import Attachments
from gate.model.image import INDEX_TYPES
from gate.model.policy_signers import KeylessSigner, KeySigner
from gate.model.reference import Reference, RegistryReference, parse_reference
from gate.model.requirement import ImageRequirement, VerdictRule, VerdictSigner
from gate.pipeline.demand import EVERY_IMAGE, Admission, children_to_judge, judge_attachments, requirement_for
from gate.pipeline.inputs import read_input
from gate.pipeline.verify_options import VerifyOptions, VerifyRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gate.images.image_source import ImageSource
    from gate.model.digest import Digest
    from gate.model.image import Platform
    from gate.model.policy_signers import Signer
    from gate.model.reference import Repository
    from gate.model.trust import Trust
    from gate.pipeline.shared import Shared

_NEEDED: Final = "gate verify REFERENCE --key gate.pub --policy sha256:..., or --requirement FILE"
_WORKERS: Final = 4


def verify(reference: str, options: VerifyOptions, *, clock: Clock | None = None) -> VerifyRun:
    """Demand a valid passing verdict for one digest, or the signatures that the requirement asks for instead.

    Returns:
        What was verified, where the image may be let in.

    Raises:
        AttestationError, SignatureError, ReferenceRefusedError: the image is refused, with the code of the reason.
        RegistryError and other EvidenceError: it could not be asked; UsageError: the request is invalid.
    """
    answer = answer_about(reference, options, clock=clock)
    if isinstance(answer.outcome, GateError):
        raise answer.outcome
    if answer.outcome.refusal is not None:
        raise answer.outcome.refusal
    if answer.unrecorded is not None:
        raise answer.unrecorded
    return run_of(reference, answer.outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The admission, or why nothing could be asked; `unrecorded` says why it does not stand in the record, as it was to."""

    outcome: Admission | GateError
    unrecorded: StorageError | None = None


def answer_about(reference: str, options: VerifyOptions, *, clock: Clock | None = None) -> Answer:
    """Answer about one image, and append the answer to the record where `options.recorded` asks for that.

    Raises:
        UsageError: the request is invalid, and has no answer.
    """
    used = clock or Clock()
    deadline = Deadline.after(options.timeout, used)
    try:
        answer = Answer(outcome=admit(reference, options, clock=used))
    except UsageError:
        raise
    except GateError as error:
        answer = Answer(outcome=error)
    if not options.recorded:
        return answer
    from gate.pipeline.answer_record import record_answer  # noqa: PLC0415 - a stage without a record needs no database

    try:
        record_answer(reference, answer.outcome, options, used.now(), deadline)
    except StorageError as error:
        return replace(answer, unrecorded=error)
    return answer


def admit(
    reference: str, options: VerifyOptions, *, clock: Clock | None = None, shared: Shared | None = None
) -> Admission:
    """Answer whether one digest may be let in, with every candidate that was set aside.

    Where the requirement names platforms and the digest is an index, the answer is that of its children: the first refusal,
    or the first admission. `shared` is what outlives this call; None: nothing does.

    Raises:
        ReferenceRefusedError: a tag, or an image that no entry of the requirement is about.
        RegistryError and other EvidenceError: it could not be asked; UsageError: the request is invalid.
    """
    used = clock or Clock()
    parsed = parse_reference(reference)
    repository = _repository(parsed, options)
    rule = _rule_for(repository, options)
    deadline = Deadline.after(options.timeout, used)
    platforms = options.requirement.platforms if options.requirement is not None else ()
    judge = partial(
        judge_attachments,
        repository=repository,
        rule=rule,
        expect_time=partial(deadline.check, "verifying what is attached"),
    )
    with ExitStack() as opened:
        found = list(_attachments(parsed, platforms, rule.attestations_in, options, deadline, opened, shared))
    admissions = [judge(attachments, now=used.now()) for attachments in found]
    set_aside = tuple(item for admission in admissions for item in admission.set_aside)
    chosen = next((admission for admission in admissions if not admission.admitted), admissions[0])
    return replace(chosen, set_aside=set_aside)


def _rule_for(repository: Repository, options: VerifyOptions) -> ImageRequirement:
    """Return the first entry that matches; without a requirement file, one made of the options."""
    if options.requirement is None:
        return ImageRequirement(match=EVERY_IMAGE, verdict=_rule_of(options))
    return requirement_for(options.requirement, repository)


def _rule_of(options: VerifyOptions) -> VerdictRule:
    signers, fail_signers = _signers_of(options)
    if not signers or not options.policies:
        raise UsageError(
            "the demand is not complete", expected=_NEEDED, seen="no signer" if not signers else "no policy"
        )
    return VerdictRule(
        signed_by=tuple(VerdictSigner(signer=signer, verifier_id=options.verifier_id) for signer in signers),
        failed_by=tuple(VerdictSigner(signer=signer, verifier_id=options.verifier_id) for signer in fail_signers),
        policies=options.policies,
        environment=options.environment,
        max_age=options.max_age,
        require_timestamp=options.require_timestamp,
    )


def _signers_of(options: VerifyOptions) -> tuple[tuple[Signer, ...], tuple[Signer, ...]]:
    """Return who may sign verdicts, and who FAILED ones alone."""
    trust: Trust | None = None
    if options.identity is not None or options.trusted_root is not None:
        # Imported where a root is asked for: keys need none.
        from gate.pipeline.trust import given_trust  # noqa: PLC0415

        content = read_input(options.trusted_root) if options.trusted_root is not None else None
        trust = given_trust(content, options.root_demand)
    beside = trust if options.trusted_root is not None else None
    signers: list[Signer] = [KeySigner(key=key, trust=beside) for key in options.keys]
    if options.identity is not None and trust is not None:
        signers.append(KeylessSigner(identity=options.identity, trust=trust))
    return tuple(signers), tuple(KeySigner(key=key, trust=beside) for key in options.fail_keys)


def _attachments(
    reference: Reference,
    platforms: tuple[Platform, ...],
    elsewhere: Repository | None,
    options: VerifyOptions,
    deadline: Deadline,
    opened: ExitStack,
    shared: Shared | None,
) -> Iterator[Attachments]:
    """Return what is attached to the digest, or to each judged child of an index, with the image and `elsewhere`."""
    if options.attestation_file is not None:
        yield _from_file(options.attestation_file, _digest_for_file(reference))
        return
    from gate.images.attachments import collect_everywhere  # noqa: PLC0415 - loads the registry client
    from gate.images.open_source import open_source  # noqa: PLC0415
    from gate.pipeline.attached import attachment_places, remembering  # noqa: PLC0415
    from gate.registry.client import RegistryClient  # noqa: PLC0415

    digest = _asked_digest(reference)
    registry = replace(options.registry, offline=options.offline)
    registries = shared.registries if shared is not None else None
    client = opened.enter_context(RegistryClient(registry, deadline, registries))
    source = open_source(reference, client)
    pool = shared.executor if shared is not None else opened.enter_context(_own_threads())
    for judged in _judged(source, digest, platforms):
        places = attachment_places(reference, source, judged, client, registry, elsewhere)
        yield collect_everywhere(remembering(places, shared.memory) if shared is not None else places, judged, pool)


def _own_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="gate-attachments")


def _judged(source: ImageSource, digest: Digest | None, platforms: tuple[Platform, ...]) -> tuple[Digest, ...]:
    if digest is not None and not platforms:
        return (digest,)
    root = source.root()
    if not platforms or root.media_type not in INDEX_TYPES:
        return (root.digest,)
    from gate.codec.oci import parse_index  # noqa: PLC0415 - only where platforms are named

    index = parse_index(root.content, media_type=root.media_type)
    return tuple(dict.fromkeys(child.digest for child in children_to_judge(index, platforms)))


def _repository(reference: Reference, options: VerifyOptions) -> Repository:
    if isinstance(reference, RegistryReference):
        return reference.repository
    if options.name is None:
        raise UsageError(
            "a layout or archive is verified under a name", code="REF_NAME", expected="--as registry/repository"
        )
    return options.name


def _digest_for_file(reference: Reference) -> Digest:
    if reference.digest is None:
        raise ReferenceRefusedError(
            "a file of attestations is compared with a digest", expected="...@sha256:...", seen=str(reference)
        )
    return reference.digest


def _from_file(path: Path, digest: Digest) -> Attachments:
    data = read_input(path, limit_bytes=MAX_FILE_BYTES)
    return Attachments(digest=digest, items=split_attestation_file(data))


def _asked_digest(reference: Reference) -> Digest | None:
    """Return the image's digest; None for a layout or archive, which may hold only one image."""
    if not isinstance(reference, RegistryReference):
        return None
    if reference.digest is None:
        raise ReferenceRefusedError(
            "a mutable tag cannot be verified", expected=f"{reference.repository}@sha256:...", seen=str(reference)
        )
    return reference.digest


def run_of(reference: str, admission: Admission) -> VerifyRun:
    """Return what let an admitted image in."""
    verdict = admission.verdict
    if verdict is None:
        first = admission.signatures[0]
        return VerifyRun(
            reference=reference,
            digest=admission.digest,
            key_id=first.key.key_id,
            identity=first.identity,
            trusted_time=min(first.times, default=None),
            attachment=first.manifest,
        )
    summary = verdict.summary
    return VerifyRun(
        reference=reference,
        digest=admission.digest,
        key_id=verdict.signature.key.key_id,
        identity=verdict.signature.identity,
        policy=summary.policy_digest,
        verifier_id=summary.verifier_id,
        environments=summary.environments,
        time_verified=summary.time_verified,
        trusted_time=verdict.at if verdict.trusted else None,
        expires=summary.expires,
        attachment=verdict.signature.manifest,
        set_aside=admission.set_aside,
    )
