"""What `gate requirement init|explain` does: write what a deploy stage demands, and say it in words.

What is written is parsed first: a requirement that `gate verify` would refuse is never left behind, and no file is written over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gate.admin.policies import write_new
from gate.codec.keys import render_public_key
from gate.codec.policy.document import parse_policy, require_policy_dates
from gate.codec.requirement.document import parse_requirement
from gate.codec.times import format_duration
from gate.errors import UsageError
from gate.settings.policy_folder import PolicyFolder, document_name, read_document

if TYPE_CHECKING:
    from gate.model.policy import Policy
    from gate.model.requirement import ImageRequirement, Requirement
    from gate.model.signer import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a deploy stage demands: verdicts by this key under this policy, for these images and this environment."""

    key: PublicKey
    policy: Path
    match: str = "**"
    environment: str | None = None
    name: str = "production"


def init_requirement(path: Path, stage: Stage, now: datetime) -> str:
    """Write a commented requirement; return the environment that it demands, or an empty text.

    Raises:
        PolicyError: the policy, or what would be written, is refused.
        UsageError: `USAGE`, the file is there, cannot be written, or the environment is not clear.
    """
    data = read_document(stage.policy)
    policy = parse_policy(data, name=document_name(stage.policy), files=PolicyFolder.of(stage.policy))
    require_policy_dates(policy, now)
    environment = _environment(stage, policy)
    content = _text(stage, policy, environment).encode()
    parse_requirement(content, name=document_name(path), files=PolicyFolder.of(path))
    write_new(path, content)
    return environment


def _environment(stage: Stage, policy: Policy) -> str:
    """Return what was asked for, else the policy's only one; a verdict for others would never be accepted."""
    named = policy.attest.environments
    if stage.environment is not None:
        if named and stage.environment not in named:
            raise _unclear("the policy's verdicts are not for this environment", named, stage.environment)
        return stage.environment
    if len(named) > 1:
        raise _unclear("the policy's verdicts are for several environments", named, "none")
    return named[0] if named else ""


def _unclear(message: str, named: Iterable[str], seen: str) -> UsageError:
    step = "Say which stage this is: `gate requirement init --environment NAME`."
    return UsageError(message, expected=" | ".join(named), seen=ascii(seen[:80]), next_step=step)


def _text(stage: Stage, policy: Policy, environment: str) -> str:
    # JSON's strings are YAML's: no name or pattern can end one early.
    pem = "".join(f"                  {line}\n" for line in render_public_key(stage.key).decode("ascii").splitlines())
    where = f"        environment: {json.dumps(environment)}\n" if environment else ""
    return f"""\
# What a deploy stage demands before an image runs. It trusts its own words only: the key that signs verdicts, the policy by
# the digest of its bytes, the environment, the age. `gate requirement explain FILE` says it in words.
apiVersion: gate/v1
kind: Requirement
metadata: {{name: {json.dumps(stage.name)}}}
spec:
  images:
    # The first entry that matches decides; an image that none matches is refused.
    - match: {json.dumps(stage.match)}
      verdict:
        signedBy:
          - verifierId: {json.dumps(policy.attest.verifier_id)}
            key:
                pem: |
{pem}        # The policy {json.dumps(policy.name)}. After a change of it add the new digest here, then remove the old one.
        policies: [{policy.digest}]
{where}        maxAge: {int(policy.attest.max_age.total_seconds())}s
  default: refuse
"""


def explain_requirement(requirement: Requirement) -> tuple[tuple[str, str], ...]:
    """Return for each entry what it matches and what it demands, in words."""
    rows = [(str(entry.match), " ".join(_sentences(entry))) for entry in requirement.images]
    platforms = f" Indexes are judged by {', '.join(map(str, requirement.platforms))}." if requirement.platforms else ""
    return (*rows, ("every other image", f"is refused.{platforms}"))


def _sentences(entry: ImageRequirement) -> Iterable[str]:
    if entry.verdict is None:
        yield "A signature that the entry's rule accepts; no verdict."
        return
    rule = entry.verdict
    signers = (f"{signer.signer} as {signer.verifier_id or 'any verifier'}" for signer in rule.signed_by)
    yield f"A passing verdict signed by {' or '.join(signers)},"
    yield f"under the policy {' or '.join(sorted(digest.short for digest in rule.policies))},"
    yield f"for {rule.environment}," if rule.environment else "for no environment in particular,"
    yield f"at most {format_duration(rule.max_age)} old{' by a trusted timestamp' if rule.require_timestamp else ''}."
    yield "A newer FAILED verdict refuses."
    if rule.failed_by:
        yield f"FAILED is also believed of {' or '.join(str(signer.signer) for signer in rule.failed_by)}."
