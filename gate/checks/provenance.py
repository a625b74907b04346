"""`provenance`: a builder that the policy trusts says from which source, and how, it built this digest.

SLSA 1.2, build track; NIST SP 800-204D, 4.1. One signed statement must meet every demand (attack S22): signer, builder, source,
ref, build type, parameters and level. The provenance must be on the digest that was asked for: that of an index covers its
children. Unsigned provenance, as BuildKit puts into an index, proves nothing here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gate.checks._attached import accepted, attachments_of, refusal
from gate.errors import GateError
from gate.model.check import Answer, Check
from gate.model.evidence import EvidenceKind
from gate.model.policy_signers import trusts_of
from gate.model.verdict import Problem
from gate.verification.provenance import require_provenance

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.evidence import EvidenceSet
    from gate.model.policy import Policy

_UNSIGNED = "unsigned BuildKit provenance in the index, which proves nothing"


def _asked(policy: Policy) -> bool:
    return policy.provenance is not None


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    del policy
    return frozenset({EvidenceKind.ATTACHMENTS})


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    attachments = attachments_of(evidence)
    if isinstance(attachments, Problem) or policy.provenance is None:
        return Answer(message="", problems=(attachments,) if isinstance(attachments, Problem) else ())
    try:
        found = require_provenance(attachments, policy.provenance, now)
    except GateError as error:
        problem = refusal(error)
        unsigned = error.code == "PROV_MISSING" and evidence.skipped
        seen = f"{problem.seen}; {_UNSIGNED}" if unsigned else problem.seen
        return Answer(message="", problems=(replace(problem, seen=seen),), trusts=trusts_of(policy.provenance.signers))
    source = found.source
    return Answer(
        message=f"built by {found.provenance.builder} from {source.uri}@{source.commit or 'no commit'}",
        signatures=(accepted(found.signature),),
        trusts=trusts_of(policy.provenance.signers),
        build_level=found.level,
        counts=(("level", found.level),),
    )


CHECK = Check(id="provenance", title="Built by a trusted builder", asked=_asked, needs=_needs, judge=_judge)
