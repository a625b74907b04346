"""The kinds of rows, and what the canonical bytes of each kind say.

One function or value a kind makes its entry, so that every gate writes the same bytes for the same fact;
`schemas/record-row.schema.json` says the same to other programs, and golden files in the tests are read for ever. `verdict`,
`intent`, `published` and `superseded` are made where a verdict is issued (`gate.pipeline.issue.recording`).

Times are RFC 3339 in UTC with whole seconds, digests are `sha256:` and 64 digits. Texts of people and of foreign programs are
cut and printable here, once, so that no reader of the record has to (attacks U03, O05). Nothing here may hold a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import printable
from gate.codec.times import format_time
from gate.model.string_map import StringMap
from gate.store.rows import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gate.codec.strict_json import JsonValue
    from gate.model.digest import Digest
    from gate.model.policy import Waiver

KINDS: Final = (
    "verdict", "given-again", "intent", "published", "superseded", "admission", "waiver-use", "break-glass",
    "break-glass-closed", "revocation", "policy", "refresh", "checkpoint",
)  # fmt: skip
_TEXT: Final = 1000
_NAME: Final = 300


def given_again(
    *, at: datetime, gate: str, verdict: int, subject: str, inputs: str, digest: Digest, decision: str, policy: Digest
) -> Entry:
    """Return the entry for a verdict that was given again; `verdict` is the number of its row."""
    content: dict[str, JsonValue] = {
        "at": format_time(at),
        "gate": gate,
        "digest": str(digest),
        "decision": decision,
        "policy": str(policy),
    }
    return Entry(kind="given-again", content=content, subject=subject, inputs=inputs, refers_to=verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRow:
    """What a deploy stage answered about one image.

    Attributes:
        stage: who asked: `verify`, `webhook`, `node` or `cluster-scan`.
        digest: of the image; None where a tag was asked and refused.
        decision: `admitted`, `refused`, or `error` where it could not be judged.
        mode: `enforce`, `warn` or `audit`: what the answer led to.
        code: the reason's code; "" for an image that was admitted.
        requirement: digest of the requirement's bytes; None where the demand came from options.
        policy: of the verdict that lets the image in.
        attestation: digest of the attached bytes (bundle) that let it in.
        signers: key ids or identities that were accepted.
        set_aside: codes of the candidates that were set aside.
        location: where it is to run: `cluster`, `namespace`, `kind`, `name`, `node`.
    """

    at: datetime
    gate: str
    stage: str
    reference: str
    repository: str
    digest: Digest | None
    decision: str
    mode: str
    code: str = ""
    message: str = ""
    requirement: Digest | None = None
    environment: str = ""
    policy: Digest | None = None
    attestation: Digest | None = None
    signers: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()
    location: StringMap = StringMap()

    def entry(self) -> Entry:
        """Return the entry to append."""
        name, reference = printable(self.repository, _NAME), printable(self.reference, _NAME)
        content: dict[str, JsonValue] = {
            "at": format_time(self.at),
            "gate": self.gate,
            "stage": self.stage,
            "reference": reference,
            "repository": name,
            "digest": str(self.digest or ""),
            "decision": self.decision,
            "mode": self.mode,
            "code": self.code,
            "message": printable(self.message, _TEXT),
            "requirement": str(self.requirement or ""),
            "environment": printable(self.environment, _NAME),
            "policy": str(self.policy or ""),
            "attestation": str(self.attestation or ""),
            "signers": [*sorted({printable(signer, _NAME) for signer in self.signers})],
            "setAside": [*sorted(set(self.set_aside))],
            "location": {key: printable(value, _NAME) for key, value in self.location.items()},
        }
        return Entry(kind="admission", content=content, subject=f"{name}@{self.digest}" if self.digest else reference)


def waiver_use(*, at: datetime, subject: str, waiver: Waiver, covers: int, policy: Digest) -> Entry:
    """Return the entry for a waiver that excused something; it refers to the first row of its call, the verdict.

    `covers` counts what it excused.
    """
    content: dict[str, JsonValue] = {
        "at": format_time(at),
        "waiver": printable(waiver.id, _NAME),
        "check": waiver.check,
        "owner": printable(waiver.owner, _NAME),
        "approvedBy": printable(waiver.approved_by, _NAME),
        "expires": waiver.expires.isoformat(),
        "covers": covers,
        "policy": str(policy),
    }
    return Entry(kind="waiver-use", content=content, subject=subject, refers_to_first=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlassRow:
    """One digest that is let through for a time.

    Attributes:
        until: when the permission ends.
        close_by: until when it must be closed, with what was done since.
        statement: digest of the signed bytes, which are kept.
    """

    at: datetime
    subject: str
    digest: Digest
    reason: str
    requested_by: str
    approvers: tuple[str, ...]
    environment: str
    until: datetime
    close_by: datetime
    statement: Digest

    def entry(self) -> Entry:
        """Return the entry to append."""
        content: dict[str, JsonValue] = {
            "at": format_time(self.at),
            "digest": str(self.digest),
            "reason": printable(self.reason, _TEXT),
            "requestedBy": printable(self.requested_by, _NAME),
            "approvers": [*sorted({printable(approver, _NAME) for approver in self.approvers})],
            "environment": printable(self.environment, _NAME),
            "until": format_time(self.until),
            "closeBy": format_time(self.close_by),
            "evidence": {"statement": str(self.statement)},
        }
        return Entry(kind="break-glass", content=content, subject=self.subject)


def break_glass_closed(*, at: datetime, opened: int, subject: str, closed_by: str, outcome: str) -> Entry:
    """Return the entry for the end of a break-glass; `opened` is the number of its row, `outcome` what was done since."""
    content: dict[str, JsonValue] = {
        "at": format_time(at),
        "closedBy": printable(closed_by, _NAME),
        "outcome": printable(outcome, _TEXT),
    }
    return Entry(kind="break-glass-closed", content=content, subject=subject, refers_to=opened)


def revocation(
    *, at: datetime, subject: str, digest: Digest, reason: str, revoked_by: str, statement: Digest | None
) -> Entry:
    """Return the entry for a pass that was taken back; `statement` is the digest of the signed bytes that are kept."""
    content: dict[str, JsonValue] = {
        "at": format_time(at),
        "digest": str(digest),
        "reason": printable(reason, _TEXT),
        "revokedBy": printable(revoked_by, _NAME),
        "evidence": {"statement": str(statement)} if statement is not None else {},
    }
    return Entry(kind="revocation", content=content, subject=subject)


def policy_seen(*, at: datetime, name: str, document: str, digest: Digest) -> Entry:
    """Return the entry for a document whose bytes were seen for the first time and are kept.

    `document` is `policy`, `policy-set` or `requirement`. The subject is the digest, so that a look-up finds whether it is known.
    """
    content: dict[str, JsonValue] = {
        "at": format_time(at),
        "name": printable(name, _NAME),
        "document": document,
        "digest": str(digest),
        "evidence": {"policy": str(digest)},
    }
    return Entry(kind="policy", content=content, subject=str(digest))


def refresh(
    *,
    at: datetime,
    scope: str,
    policy: Digest | None,
    judged: int,
    now_refused: Sequence[str],
    now_passed: Sequence[str],
    not_judged: Sequence[str],
) -> Entry:
    """Return the entry for a round in which images were judged again; the lists hold subjects, `repository@digest`."""
    content: dict[str, JsonValue] = {
        "at": format_time(at),
        "scope": printable(scope, _NAME),
        "policy": str(policy or ""),
        "judged": judged,
        "nowRefused": [*sorted(set(now_refused))],
        "nowPassed": [*sorted(set(now_passed))],
        "notJudged": [*sorted(set(not_judged))],
    }
    return Entry(kind="refresh", content=content, subject=f"refresh {printable(scope, _NAME)}")


def checkpoint(*, at: datetime, size: int, root: str, peaks: Sequence[str], note: str, key: str) -> Entry:
    """Return the entry for a signed head of the tree over the rows 1 to `size`.

    `root` and `peaks` (the roots of the whole subtrees, largest first) are hexadecimal; `note` is the signed note, `key` the
    verifier key that its signature verifies under.
    """
    content: dict[str, JsonValue] = {
        "at": format_time(at),
        "size": size,
        "root": root,
        "peaks": [*peaks],
        "note": note,
        "key": key,
    }
    return Entry(kind="checkpoint", content=content, subject="checkpoint")
