"""Keys, signatures and verdicts for tests, made by the gate's own writers; an attacker's variants are made from them."""

from __future__ import annotations

import base64
import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from gate.codec.dsse import pre_authentication_encoding
from gate.codec.keys import render_public_key
from gate.codec.legacy import SIGNATURE, render_simple_signing
from gate.codec.statement import render_cosign_statement
from gate.codec.vsa import levels_for, render_summary, resource_uri
from gate.model.attachment import BUNDLE_V03, SIMPLE_SIGNING, Attachment, Attachments, AttachmentSource
from gate.model.bundle import Envelope
from gate.model.digest import Digest
from gate.model.policy_signers import KeySigner
from gate.model.reference import Repository
from gate.model.requirement import VerdictRule, VerdictSigner
from gate.model.signer import PublicKey
from gate.model.statement import NamedSubject, VerificationResult, VerificationSummary
from gate.model.string_map import StringMap
from gate.signers.file_key import FileSigner
from gate.signers.signing import sign_statement
from gate.verification.demand import judge_verdicts
from gate.verification.verdict import VerdictDemand, VerifiedVerdict

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
IMAGE = Digest.of(b"an image")
CHILD = Digest.of(b"a child of the image")
OTHER = Digest.of(b"another image")
POLICY = Digest.of(b"a policy")
VERIFIER = "https://gate.example/verifier/test"
REPOSITORY = Repository("registry.example", "shop/web")
PASSED, FAILED = VerificationResult.PASSED, VerificationResult.FAILED


def p256_signer(scalar: int) -> FileSigner:
    """Return the signer whose P-256 private scalar is this number: a known key, the same at every run."""
    return FileSigner(ec.derive_private_key(scalar, ec.SECP256R1()))


GATE = p256_signer(1)
FAIL_KEY = p256_signer(2)
STRANGER = p256_signer(3)


def pem_of(key: PublicKey) -> bytes:
    """Return a public key as a file."""
    return render_public_key(key)


def bundle_attachment(content: bytes, media_type: str = BUNDLE_V03) -> Attachment:
    """Return a bundle as it is found as a referrer."""
    return Attachment(source=AttachmentSource.REFERRER, media_type=media_type, content=content)


def attached(*items: Attachment, digest: Digest = IMAGE) -> Attachments:
    """Return the attachments of a digest."""
    return Attachments(digest=digest, items=items)


def image_bundle(
    signer: FileSigner = GATE, digest: Digest = IMAGE, annotations: dict[str, str] | None = None
) -> Attachment:
    """Return an image signature of Cosign 3's form."""
    return bundle_attachment(sign_statement(signer, render_cosign_statement(digest, annotations or {})).bundle)


def image_tag_layer(
    signer: FileSigner = GATE, digest: Digest = IMAGE, annotations: dict[str, str] | None = None
) -> Attachment:
    """Return an image signature of the legacy form."""
    return legacy_layer(render_simple_signing(REPOSITORY, digest, annotations or {}), signer)


def legacy_layer(payload: bytes, signer: FileSigner = GATE, extra: dict[str, str] | None = None) -> Attachment:
    """Return any signed payload as a layer of a `.sig` tag."""
    signature = base64.b64encode(signer.sign(payload)).decode()
    return Attachment(
        source=AttachmentSource.LEGACY_SIGNATURE,
        media_type=SIMPLE_SIGNING,
        content=payload,
        annotations=StringMap.of({SIGNATURE: signature, **(extra or {})}),
    )


def summary(
    result: VerificationResult = PASSED,
    *,
    at: datetime = NOW - timedelta(hours=1),
    subjects: tuple[Digest, ...] = (IMAGE,),
    repository: Repository = REPOSITORY,
    **changes: Any,  # noqa: ANN401 - any field of the summary
) -> VerificationSummary:
    """Return a verdict that `demand()` accepts, with the fields that a test changes."""
    made = VerificationSummary(
        subjects=tuple(NamedSubject(name=str(repository), digest=digest) for digest in subjects),
        verifier_id=VERIFIER,
        time_verified=at,
        resource_uri=resource_uri(repository, subjects[0]),
        policy_uri="gate-policy:test",
        policy_digest=POLICY,
        result=result,
        levels=levels_for(result),
        verifier_versions=StringMap.of({"gate": "1.0.0"}),
    )
    return dataclasses.replace(made, **changes)


def verdict(made: VerificationSummary | None = None, signer: FileSigner = GATE) -> Attachment:
    """Return a signed verdict as a referrer."""
    return signed(render_summary(made or summary()), signer)


def signed(payload: bytes, signer: FileSigner = GATE) -> Attachment:
    """Return any payload as a signed bundle."""
    return bundle_attachment(sign_statement(signer, payload).bundle)


def altered_verdict(fields: dict[str, Any], signer: FileSigner = GATE) -> Attachment:
    """Return a signed verdict whose predicate's fields are replaced; None removes a field."""
    statement = json.loads(render_summary(summary()))
    kept = statement["predicate"] | fields
    statement["predicate"] = {name: value for name, value in kept.items() if value is not None}
    return signed(json.dumps(statement).encode(), signer)


def envelope(payload: bytes, payload_type: str, signer: FileSigner = GATE) -> Envelope:
    """Return an envelope over exactly these bytes and this type."""
    signature = signer.sign(pre_authentication_encoding(payload_type, payload))
    return Envelope(payload_type=payload_type, payload=payload, signature=signature)


def rule(**changes: Any) -> VerdictRule:  # noqa: ANN401 - any field of the rule
    """Return the rule that accepts `verdict()`, with the fields that a test changes."""
    made = VerdictRule(
        signed_by=(VerdictSigner(signer=KeySigner(key=GATE.public_key), verifier_id=VERIFIER),),
        failed_by=(VerdictSigner(signer=KeySigner(key=FAIL_KEY.public_key)),),
        policies=frozenset({POLICY}),
    )
    return dataclasses.replace(made, **changes)


def demand(asked: Digest = IMAGE, *, index: Digest | None = None, **changes: Any) -> VerdictDemand:  # noqa: ANN401
    """Return the demand that `verdict()` meets, with the fields of its rule that a test changes."""
    return VerdictDemand(asked=asked, repository=REPOSITORY, rule=rule(**changes), index=index)


def demand_verdict(attachments: Attachments, asked: VerdictDemand, now: datetime) -> VerifiedVerdict:
    """Return the verdict that stands, or raise why none does."""
    judged = judge_verdicts(attachments, asked, now)
    if judged.refusal is not None:
        raise judged.refusal
    assert judged.standing is not None
    return judged.standing
