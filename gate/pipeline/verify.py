"""`verify`: what a deploy stage demands before it lets an image in. No scanner, nobody else's policy, no clock but its own."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gate.codec.attachments import MAX_FILE_BYTES, split_attestation_file
from gate.errors import ReferenceRefusedError, UsageError
from gate.model.attachment import Attachments
from gate.model.glob import Glob
from gate.model.policy_signers import KeylessSigner, KeySigner
from gate.model.reference import Reference, RegistryReference, parse_reference
from gate.model.requirement import ImageRequirement, VerdictRule, VerdictSigner
from gate.pipeline.inputs import read_input
from gate.pipeline.verify_options import VerifyOptions, VerifyRun
from gate.registry.deadline import Clock, Deadline
from gate.verification.demand import demand_verdict
from gate.verification.match import match_signatures
from gate.verification.verdict import VerdictDemand, VerifiedVerdict

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from gate.model.digest import Digest
    from gate.model.policy_signers import SignatureRule, Signer
    from gate.model.reference import Repository
    from gate.model.trust import Trust

_EVERYTHING: Final = Glob("**")
_NEEDED: Final = "gate verify REFERENCE --key gate.pub --policy sha256:..., or --requirement FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The image that is asked for: one digest in one repository, and what hangs on it."""

    reference: str
    repository: Repository
    attachments: Attachments


def verify(reference: str, options: VerifyOptions, *, clock: Clock | None = None) -> VerifyRun:
    """Demand a valid passing verdict for one digest, or the signatures that the requirement asks for instead.

    Returns:
        What was verified, where the image may be let in.

    Raises:
        AttestationError, SignatureError, ReferenceRefusedError: the image is refused, with the code of the reason.
        RegistryError and other EvidenceError: it could not be asked; UsageError: the request makes no sense.
    """
    used = clock or Clock()
    parsed = parse_reference(reference)
    # Whether anything is demanded of this image is known before anybody is asked about it (attack K18).
    requirement = _requirement_for(_repository(parsed, options), options)
    with ExitStack() as opened:
        asked = _ask(reference, parsed, options, used, opened)
    now = used.now()
    if requirement.signature is not None:
        return _by_signature(asked, requirement.signature, now)
    if requirement.verdict is None:
        raise UsageError(
            "the requirement demands nothing of this image", expected="verdict or signature", seen=str(asked.repository)
        )
    return _by_verdict(asked, requirement.verdict, now)


def _requirement_for(repository: Repository, options: VerifyOptions) -> ImageRequirement:
    """Give the first entry that matches; without a requirement file, one made of the options."""
    if options.requirement is None:
        return ImageRequirement(match=_EVERYTHING, verdict=_rule_of(options))
    for entry in options.requirement.images:
        if entry.match.matches(str(repository)):
            return entry
    expected = ", ".join(str(entry.match) for entry in options.requirement.images)
    raise ReferenceRefusedError(
        "no entry of the requirement is about this image", code="REF_REGISTRY", expected=expected, seen=str(repository)
    )


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
    """Give who may sign verdicts, and who FAILED ones alone."""
    trust: Trust | None = None
    if options.identity is not None or options.trusted_root is not None:
        # Imported where a root is asked for: keys need none.
        from gate.pipeline.trust import given_trust  # noqa: PLC0415

        content = read_input(options.trusted_root) if options.trusted_root is not None else None
        trust = given_trust(content)
    beside = trust if options.trusted_root is not None else None
    signers: list[Signer] = [KeySigner(key=key, trust=beside) for key in options.keys]
    if options.identity is not None and trust is not None:
        signers.append(KeylessSigner(identity=options.identity, trust=trust))
    return tuple(signers), tuple(KeySigner(key=key, trust=beside) for key in options.fail_keys)


def _ask(text: str, reference: Reference, options: VerifyOptions, clock: Clock, opened: ExitStack) -> _Asked:
    repository = _repository(reference, options)
    if options.attestation_file is not None:
        digest = _digest_for_file(reference)
        return _Asked(reference=text, repository=repository, attachments=_from_file(options.attestation_file, digest))
    attachments = _from_source(reference, options, clock, opened)
    return _Asked(reference=text, repository=repository, attachments=attachments)


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
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(
            "the attestation file cannot be read", expected=str(path), seen=error.strerror or ""
        ) from error
    return Attachments(digest=digest, items=split_attestation_file(data))


def _from_source(reference: Reference, options: VerifyOptions, clock: Clock, opened: ExitStack) -> Attachments:
    from gate.collectors.attachments import collect_attachments  # noqa: PLC0415 - loads the registry client
    from gate.collectors.open_source import open_source  # noqa: PLC0415
    from gate.registry.client import RegistryClient  # noqa: PLC0415

    if isinstance(reference, RegistryReference) and reference.digest is None:
        raise ReferenceRefusedError(
            "a mutable tag cannot be verified", expected=f"{reference.repository}@sha256:...", seen=str(reference)
        )
    registry = replace(options.registry, offline=options.offline)
    client = opened.enter_context(RegistryClient(registry, Deadline.after(options.timeout, clock)))
    source = open_source(reference, client)
    digest = reference.digest if isinstance(reference, RegistryReference) else None
    return collect_attachments(source, digest or source.root().digest)


def _by_verdict(asked: _Asked, rule: VerdictRule, now: datetime) -> VerifyRun:
    demand = VerdictDemand(asked=asked.attachments.digest, repository=asked.repository, rule=rule)
    found = demand_verdict(asked.attachments, demand, now)
    return _run_of(asked, found)


def _run_of(asked: _Asked, found: VerifiedVerdict) -> VerifyRun:
    summary = found.summary
    return VerifyRun(
        reference=asked.reference,
        digest=asked.attachments.digest,
        key_id=found.signature.key.key_id,
        identity=found.signature.identity,
        policy=summary.policy_digest,
        verifier_id=summary.verifier_id,
        environments=summary.environments,
        time_verified=summary.time_verified,
        trusted_time=found.at if found.trusted else None,
        expires=summary.expires,
        attachment=found.signature.manifest,
    )


def _by_signature(asked: _Asked, rule: SignatureRule, now: datetime) -> VerifyRun:
    matched = match_signatures(asked.attachments, rule, now)
    first = matched[0]
    return VerifyRun(
        reference=asked.reference,
        digest=asked.attachments.digest,
        key_id=first.key.key_id,
        identity=first.identity,
        trusted_time=min(first.times, default=None),
        attachment=first.manifest,
    )
