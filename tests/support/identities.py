"""Signatures by identity as tests verify them: good ones in every form, and who may sign."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Protocol

from gate.codec.attachments import parse_attachment
from gate.codec.keys import parse_public_key
from gate.codec.legacy import LOG_BUNDLE, SIGNATURE, render_simple_signing
from gate.codec.statement import render_cosign_statement
from gate.codec.trusted_root import parse_trusted_root
from gate.errors import GateError
from gate.model.attachment import SIMPLE_SIGNING, Attachment, AttachmentSource
from gate.model.digest import Digest
from gate.model.evidence_demand import EvidenceDemand
from gate.model.identity import Claim, Identity, Matcher
from gate.model.policy_signers import KeylessSigner, KeySigner, Signer
from gate.model.signer import PublicKey
from gate.model.string_map import StringMap
from gate.model.trust import Trust
from gate.verification.signature import VerifiedSignature, verify_image_signature
from tests.support.signing import IMAGE, NOW, REPOSITORY
from tests.support.virtual_certificates import b64
from tests.support.virtual_sigstore import (
    ISSUER,
    MINUTE,
    SIGNED_AT,
    SUBJECT,
    Signing,
    SigningKey,
    VirtualSigstore,
    log_body_hashedrekord,
    log_body_intoto,
    public_pem,
)

STATEMENT: Final = render_cosign_statement(IMAGE, {})
PAYLOAD: Final = render_simple_signing(REPOSITORY, IMAGE, {})
MANIFEST: Final = b"an image"
LOGGED_AT: Final = SIGNED_AT + MINUTE


class Form(Protocol):
    """Make a good signature of `IMAGE` in one form, by certificate or by key."""

    def __call__(self, vs: VirtualSigstore, *, by_key: bool) -> Attachment: ...


def _dsse(vs: VirtualSigstore, *, by_key: bool) -> Attachment:
    return vs.log1(vs.sign_statement(STATEMENT, by_key=by_key)).attachment()


def _hashedrekord_of_statement(vs: VirtualSigstore, *, by_key: bool) -> Attachment:
    signing = vs.sign_statement(STATEMENT, by_key=by_key)
    return vs.log1(signing, log_body_hashedrekord(signing)).attachment()


def _intoto(vs: VirtualSigstore, *, by_key: bool) -> Attachment:
    signing = vs.sign_statement(STATEMENT, by_key=by_key)
    return vs.log1(signing, log_body_intoto(signing)).attachment()


def _version_2(vs: VirtualSigstore, *, by_key: bool) -> Attachment:
    return vs.stamp(vs.log2(vs.sign_statement(STATEMENT, by_key=by_key))).attachment()


def _manifest(vs: VirtualSigstore, *, by_key: bool) -> Attachment:
    return vs.log1(vs.sign_artifact(MANIFEST, by_key=by_key)).attachment()


def _manifest_version_2(vs: VirtualSigstore, *, by_key: bool) -> Attachment:
    return vs.stamp(vs.log2(vs.sign_artifact(MANIFEST, by_key=by_key))).attachment()


def _tag(vs: VirtualSigstore, *, by_key: bool) -> Attachment:
    return vs.legacy_signature(PAYLOAD, vs.sign_artifact(PAYLOAD, by_key=by_key))


FORMS: Final[Mapping[str, Form]] = {
    "dsse": _dsse,
    "hashedrekord-of-statement": _hashedrekord_of_statement,
    "intoto": _intoto,
    "log-2": _version_2,
    "manifest": _manifest,
    "manifest-log-2": _manifest_version_2,
    "tag": _tag,
}


def trust_in(vs: VirtualSigstore, demand: EvidenceDemand | None = None, **changes: Any) -> Trust:  # noqa: ANN401
    """Return trust in this instance; `changes` replaces whole lists of the trusted root."""
    root = parse_trusted_root(vs.trusted_root(**changes))
    return Trust(name="company", root=root, demand=demand or EvidenceDemand(logs=1))


def identity(
    subject: str = SUBJECT, issuer: str = ISSUER, claims: Mapping[Claim, str] | None = None, *, pattern: bool = False
) -> Identity:
    demanded = tuple((claim, Matcher(text=text)) for claim, text in (claims or {}).items())
    return Identity(subject=Matcher(text=subject, is_pattern=pattern), issuer=Matcher(text=issuer), claims=demanded)


def signer_of(
    vs: VirtualSigstore,
    who: Identity | None = None,
    demand: EvidenceDemand | None = None,
    **changes: Any,  # noqa: ANN401
) -> KeylessSigner:
    """Return who may sign: by default whom `vs.leaf()` names."""
    return KeylessSigner(identity=who or identity(), trust=trust_in(vs, demand, **changes))


def key_signer_of(vs: VirtualSigstore, key: SigningKey | None = None, **changes: Any) -> KeySigner:  # noqa: ANN401
    return KeySigner(key=public_key_of(key or vs.key), trust=trust_in(vs, **changes))


def public_key_of(key: SigningKey) -> PublicKey:
    return parse_public_key(public_pem(key))


def verified(
    item: Attachment | Signing,
    signer: Signer,
    *,
    now: datetime = NOW,
    demand: EvidenceDemand | None = None,
    expected: Digest = IMAGE,
) -> VerifiedSignature:
    attachment = item if isinstance(item, Attachment) else item.attachment()
    return verify_image_signature(
        parse_attachment(attachment), signer=signer, expected=expected, now=now, demand=demand
    )


def answer(
    item: Attachment | Signing,
    signer: Signer,
    *,
    now: datetime = NOW,
    demand: EvidenceDemand | None = None,
    expected: Digest = IMAGE,
) -> str:
    """Return the code of the refusal, or "" where the signature verifies."""
    try:
        verified(item, signer, now=now, demand=demand, expected=expected)
    except GateError as error:
        return error.code
    return ""


def tag_layer(vs: VirtualSigstore, signing: Signing, body: bytes) -> Attachment:
    """Return a `.sig` layer over `PAYLOAD` whose log entry has this body."""
    entry = vs.rekor1.append(body, LOGGED_AT)
    return Attachment(
        source=AttachmentSource.LEGACY_SIGNATURE,
        media_type=SIMPLE_SIGNING,
        content=PAYLOAD,
        annotations=StringMap.of({SIGNATURE: b64(signing.signature), **vs.legacy_evidence(signing, entry)}),
    )


def with_log_of(item: Attachment, other: Attachment) -> Attachment:
    """Glue the log entries of another signature to this one."""
    if LOG_BUNDLE in item.annotations:
        glued = {**item.annotations, LOG_BUNDLE: other.annotations[LOG_BUNDLE]}
        return replace(item, annotations=StringMap.of(glued))
    fields, others = json.loads(item.content), json.loads(other.content)
    fields["verificationMaterial"]["tlogEntries"] = others["verificationMaterial"]["tlogEntries"]
    return replace(item, content=json.dumps(fields).encode())


def edited(item: Attachment, path: str, value: object) -> Attachment:
    """Return the bundle with one value changed; `path` is dotted below `verificationMaterial`, None removes."""
    fields = json.loads(item.content)
    at = fields["verificationMaterial"]
    *steps, last = path.split(".")
    for step in steps:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return replace(item, content=json.dumps(fields).encode())
