"""What a user asked of `check`: whether the options fit together, and the request as evidence. Nothing is fetched yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.errors import PolicyError, UsageError
from gate.model.evidence import RequestFacts
from gate.model.reference import ArchiveReference, LayoutReference, RegistryReference
from gate.pipeline.issue.verdict_signers import require_timestamps, require_verdict_signers

if TYPE_CHECKING:
    from gate.model.reference import Reference
    from gate.pipeline.options import CheckOptions
    from gate.pipeline.policies import LoadedPolicy


def require_sense(reference: Reference, options: CheckOptions, loaded: LoadedPolicy) -> None:
    """Raise UsageError or PolicyError where the options contradict each other, the reference or the policy."""
    asked = (
        ("--attestation", options.attestation_file),
        ("--dsse", options.envelope_file),
        ("--legacy-attestation", options.legacy_attestation),
        ("--attach-to", options.attach_to),
    )
    for option, given in asked:
        if given and options.signer is None:
            raise UsageError(f"{option} needs a key", expected="--key as well", seen="no key")
    if options.unsigned_file is not None and options.signer is not None:
        raise UsageError("--unsigned-verdict leaves the signing to another job", expected="no --key", seen="a key")
    if options.signer is None and options.unsigned_file is None:
        return
    if options.signer is not None:
        require_verdict_signers(options.signer, options.fail_signer, legacy=options.legacy_attestation)
        if loaded.policy.attest.require_timestamp:
            require_timestamps(options.signer, options.fail_signer)
    if loaded.obstacle:
        raise PolicyError(
            f"no verdict can be signed: {loaded.obstacle}",
            code=loaded.obstacle_code,
            expected="a policy that is whole in itself, and that asks a verdict for nothing more than this run can give",
        )
    if isinstance(reference, LayoutReference | ArchiveReference) and options.name is None:
        raise UsageError(
            "a layout or archive is attested only under a name", code="REF_NAME", expected="--as registry/repository"
        )


def request_facts(text: str, reference: Reference, options: CheckOptions) -> RequestFacts:
    """Return what was asked, as evidence; raises UsageError."""
    if isinstance(reference, RegistryReference):
        if options.name is not None:
            raise UsageError("--as names a layout or archive", expected="no --as", seen=str(reference.repository))
        return RequestFacts(
            reference=text,
            repository=reference.repository,
            tag=reference.tag,
            digest=reference.digest,
            platforms=options.platforms,
        )
    return RequestFacts(
        reference=text, repository=options.name, digest=reference.digest, local=True, platforms=options.platforms
    )
