"""`secret`: no plaintext secret is baked into the image, in no layer, the configuration or its history.

NIST SP 800-190, 4.1.4. What refuses is said by grade (what was proven) and origin (who shipped the file): by default what is
likely in the author's own files, and only what is certain in a file that a package shipped as it is, for that is in public
anyway. A secret that a later layer deletes can still be read by whoever pulls the image (attack X01), and counts unless
`live: only` is asked for. The gate searches; Trivy does so beside it where `scanners` says it, and then findings of both are
joined by place, so that one secret is one finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.checks._per_subject import over_subjects
from gate.model.check import Answer, Check
from gate.model.evidence import EvidenceKind, ScanReport, SecretEvidence
from gate.model.finding import SecretFinding, SecretPlace, Tool
from gate.model.policy import FailOrIgnore, SecretsFailOn, SecretsPolicy
from gate.model.problems import missing
from gate.model.verdict import JudgedSecret, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import EvidenceSet, SubjectEvidence
    from gate.model.policy import Policy, SecretAllowance


# Of a file with more hard links the report names the others.
_SHOWN_NAMES = 3


def _asked(policy: Policy) -> bool:
    return policy.secrets is not None


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    asked = {EvidenceKind.TRIVY, EvidenceKind.TRIVY_SECRETS} if _asks_trivy(policy.secrets) else set[EvidenceKind]()
    return frozenset({EvidenceKind.CONFIG, EvidenceKind.LAYERS, EvidenceKind.SECRETS, *asked})


def _asks_trivy(wanted: SecretsPolicy | None) -> bool:
    return wanted is not None and Tool.TRIVY in wanted.scanners


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    wanted = policy.secrets or SecretsPolicy()
    judged = tuple(found for subject in evidence.subjects for found in _judged(subject, wanted, now))

    def ask(subject: SubjectEvidence) -> Iterable[Problem]:
        counting = (found for found in judged if found.counts and found.subject == subject.subject.digest)
        return (*_unobtained(subject, wanted), *map(_problem, counting), *_unopened(subject, wanted))

    problems = over_subjects(evidence, ask)
    # What only the image's own lists of files keep from refusing, for whoever trusts no list of an author's.
    by_origin = sum(_only_by_origin(found, wanted.fail_on) for found in judged)
    counts = (("excusedByOrigin", by_origin), ("found", len(judged)))
    message = _message(judged, evidence)
    return Answer(message=message, problems=problems, secrets=judged, counts=counts)


def _message(judged: tuple[JudgedSecret, ...], evidence: EvidenceSet) -> str:
    """Say what was searched; where something stayed closed and the policy lets that pass, say so too."""
    left = sum(not found.counts for found in judged)
    found = [subject.secrets for subject in evidence.subjects if isinstance(subject.secrets, SecretEvidence)]
    closed = sum(len(search.unopened) for search in found)
    return (
        "no plaintext secret"
        + (f" that counts; {left} that do not" if left else "")
        + (f"; places that could not be opened: {closed}" if closed else "")
    )


def _only_by_origin(found: JudgedSecret, fail_on: SecretsFailOn) -> bool:
    secret = found.secret
    own, packaged = fail_on.own, fail_on.least(secret.origin)
    is_excused = not found.counts and own is not None and secret.grade.rank >= own.rank
    return is_excused and bool(secret.package) and (packaged is None or secret.grade.rank < packaged.rank)


def _unobtained(subject: SubjectEvidence, wanted: SecretsPolicy) -> tuple[Problem, ...]:
    digest = subject.subject.digest
    problems = [
        missing(subject.layers, "the reading of the layers", digest),
        missing(subject.secrets, "the search for secrets", digest),
    ]
    if _asks_trivy(wanted):
        searched = not isinstance(subject.trivy, ScanReport) or subject.trivy.searched_secrets
        problems.append(missing(subject.trivy if searched else None, "Trivy's search for secrets", digest))
    return tuple(problem for problem in problems if problem is not None)


def _judged(subject: SubjectEvidence, wanted: SecretsPolicy, now: datetime) -> tuple[JudgedSecret, ...]:
    own = subject.secrets.findings if isinstance(subject.secrets, SecretEvidence) else ()
    trivy = subject.trivy.secrets if _asks_trivy(wanted) and isinstance(subject.trivy, ScanReport) else ()
    return tuple(_judge_one(secret, subject.subject.digest, wanted, now) for secret in merge_secrets(own, trivy))


def merge_secrets(own: Iterable[SecretFinding], trivy: Iterable[SecretFinding]) -> tuple[SecretFinding, ...]:
    """Join by place: the gate's own finding stands for one of Trivy's at exactly the same place, and for no other.

    Trivy searches the configuration as one text; where it cannot name the variable or entry, its finding stays beside.
    """
    kept = list(own)
    places = {_place(secret) for secret in kept}
    kept += [secret for secret in trivy if _place(secret) not in places]
    return tuple(sorted(kept, key=_order))


def _order(secret: SecretFinding) -> tuple[object, ...]:
    """Order secrets totally by everything they say."""
    names = (secret.rule, secret.title, secret.fingerprint, secret.tool, secret.severity)
    return (*_place(secret), *names, secret.hidden, secret.line or 0)


def _place(secret: SecretFinding) -> tuple[str, str, str, int]:
    line = secret.line if secret.place is SecretPlace.FILE else None
    return secret.place, str(secret.layer or ""), secret.location, line or 0


def _judge_one(secret: SecretFinding, subject: Digest, wanted: SecretsPolicy, now: datetime) -> JudgedSecret:
    allowed = next((entry for entry in wanted.allow if _speaks_of(entry, secret)), None)
    counts, explanation = _decision(secret, allowed, wanted.fail_on, now)
    return JudgedSecret(secret=secret, subject=subject, counts=counts, explanation=explanation)


def _speaks_of(entry: SecretAllowance, secret: SecretFinding) -> bool:
    if entry.file is not None:
        return secret.file_digest == entry.file
    return entry.fingerprint == secret.fingerprint


def _decision(
    secret: SecretFinding, allowed: SecretAllowance | None, fail_on: SecretsFailOn, now: datetime
) -> tuple[bool, str]:
    if allowed is not None and now.date() <= allowed.expires:
        return False, f"accepted until {allowed.expires} by {allowed.owner}: {allowed.reason}"
    least = fail_on.least(secret.origin)
    whose = f"in a file of {secret.package}" if secret.package else "in the image's own"
    if least is None:
        return False, f"the policy does not fail on secrets {whose}"
    if secret.grade.rank < least.rank:
        return False, f"{secret.grade.value} {whose}, and the policy fails from {least.value} on"
    if fail_on.live_only and secret.hidden:
        return False, "hidden by a later layer, and the policy fails on live ones only"
    return True, f"{secret.grade.value} {whose}"


def _problem(found: JudgedSecret) -> Problem:
    secret = found.secret
    return Problem(
        code=code_of(secret),
        message=f"{secret.title} in {secret.place.value}",
        expected="no plaintext secret",
        seen=_where(secret),
        subject=found.subject,
        fingerprint=secret.fingerprint,
        location=secret.location,
    )


def code_of(secret: SecretFinding) -> str:
    """Return the reason code of a secret: by where in the image it stands."""
    if secret.place is not SecretPlace.FILE:
        return "SECRET_CONFIG"
    return "SECRET_LAYER" if secret.hidden else "SECRET_FOUND"


def _where(secret: SecretFinding) -> str:
    also = "".join(f" = {ascii(name)[1:-1]}" for name in secret.names[1:][:_SHOWN_NAMES])
    line = f", line {secret.line}" if secret.line else ""
    layer = f", layer {secret.layer.short}" if secret.layer else ""
    chain = "".join(f" > {ascii(name)[1:-1]}" for name in secret.chain)
    return f"{ascii(secret.location)[1:-1]}{also}{chain}{line}{layer}" + (
        f" (seen by {secret.tool.value})" if secret.tool is not Tool.GATE else ""
    )


def _unopened(subject: SubjectEvidence, wanted: SecretsPolicy) -> tuple[Problem, ...]:
    if wanted.unopened is FailOrIgnore.IGNORE or not isinstance(subject.secrets, SecretEvidence):
        return ()
    return tuple(
        Problem(
            code="SECRET_INCOMPLETE",
            message="something could not be opened to look for secrets",
            expected="everything can be read",
            seen=f"{ascii(place)[1:-1]}: {reason}",
            subject=subject.subject.digest,
            location=place,
        )
        for place, reason in subject.secrets.unopened
    )


CHECK = Check(id="secret", title="No plaintext secrets", asked=_asked, needs=_needs, judge=_judge)
