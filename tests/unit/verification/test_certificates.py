"""Signing certificates against the rows of the attack table, section 1; each beside a good twin."""

from __future__ import annotations

import base64
import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from gate.codec.attachments import parse_attachment
from gate.errors import GateError
from gate.model.attachment import Attachment
from gate.model.evidence_demand import EvidenceDemand
from gate.model.policy_signers import KeySigner
from tests.support.identities import (
    FORMS,
    LOGGED_AT,
    STATEMENT,
    answer,
    edited,
    key_signer_of,
    public_key_of,
    signer_of,
    trust_in,
)
from tests.support.signing import NOW, OTHER
from tests.support.virtual_certificates import b64, intermediate, issue, root
from tests.support.virtual_sigstore import (
    DAY,
    END,
    MINUTE,
    SIGNED_AT,
    START,
    Signing,
    VirtualSigstore,
)

V01 = "application/vnd.dev.sigstore.bundle+json;version=0.1"
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
by_key_or_identity = pytest.mark.parametrize("by_key", [False, True], ids=["identity", "key"])


@pytest.fixture
def vs() -> VirtualSigstore:
    return VirtualSigstore()


def answered(vs: VirtualSigstore, item: Attachment | Signing, *, by_key: bool = False) -> str:
    return answer(item, key_signer_of(vs) if by_key else signer_of(vs))


def test_s13_a_certificate_is_proven_to_be_logged(vs: VirtualSigstore) -> None:
    def signed(certificate: bytes) -> Signing:
        return vs.log1(vs.sign_statement(STATEMENT, certificate=certificate))

    strange = VirtualSigstore(seed=1)
    assert answered(vs, signed(vs.issue())) == ""
    assert answered(vs, signed(vs.issue(vs.leaf(logged=False)))) == "SIG_SCT"
    theirs, vs.ct = vs.ct, strange.ct
    other = vs.issue()
    vs.ct = theirs
    assert answered(vs, signed(other)) == "SIG_SCT"
    assert answered(vs, signed(vs.issue(vs.leaf(sct_at=NOW + DAY)))) == "SIG_SCT"
    assert answered(vs, signed(vs.issue(vs.leaf(sct_at=START - DAY)))) == "SIG_SCT"
    # No flag skips it: only the trusted root's own entry in the policy.
    unlogged = signed(vs.issue(vs.leaf(logged=False)))
    assert answer(unlogged, signer_of(vs, demand=EvidenceDemand(logs=1, sct=False))) == ""


def test_s13_the_proof_is_for_the_very_key_that_issued(vs: VirtualSigstore) -> None:
    twin = intermediate("intermediate", 4711, vs.root, (START, END))
    leaf = x509.load_der_x509_certificate(vs.issue(authority=twin))
    assert leaf.issuer == vs.intermediate.certificate.subject
    authorities = [vs.authority_entry(), vs.authority_entry((twin.der, vs.root.der))]
    good = vs.log1(vs.sign_statement(STATEMENT, certificate=vs.issue(authority=twin)))
    assert answer(good, signer_of(vs, certificateAuthorities=authorities)) == ""
    forged = issue(vs.leaf(), vs.key.public_key(), twin, vs.ct, ct_issuer=vs.intermediate.key.public_key())
    bad = vs.log1(vs.sign_statement(STATEMENT, certificate=forged))
    assert answer(bad, signer_of(vs, certificateAuthorities=authorities)) == "SIG_SCT"


def test_s14_the_whole_chain_is_valid_at_every_time(vs: VirtualSigstore) -> None:
    item = vs.log1(vs.sign_statement(STATEMENT))
    ended = [vs.authority_entry(end=LOGGED_AT - MINUTE)]
    assert answer(item, signer_of(vs, certificateAuthorities=ended)) == "SIG_CHAIN_TIME"
    assert answer(item, signer_of(vs, certificateAuthorities=[vs.authority_entry(end=LOGGED_AT)])) == ""
    for window in ((START, LOGGED_AT - timedelta(seconds=1)), (LOGGED_AT + MINUTE, END)):
        short = intermediate("short", 4711, vs.root, window)
        signed = vs.log1(vs.sign_statement(STATEMENT, certificate=vs.issue(authority=short)))
        authorities = [vs.authority_entry((short.der, vs.root.der))]
        assert answer(signed, signer_of(vs, certificateAuthorities=authorities)) == "SIG_CHAIN_TIME"


def test_s14_a_root_that_ended_is_no_anchor(vs: VirtualSigstore) -> None:
    old = root("old root", 4712, (START, LOGGED_AT - timedelta(seconds=1)))
    below = intermediate("below", 4713, old, (START, END))
    signed = vs.log1(vs.sign_statement(STATEMENT, certificate=vs.issue(authority=below)))
    authorities = [vs.authority_entry((below.der, old.der))]
    assert answer(signed, signer_of(vs, certificateAuthorities=authorities)) == "SIG_CHAIN_TIME"


def test_s15_an_expired_certificate_signs_no_more(vs: VirtualSigstore) -> None:
    signing = vs.sign_statement(STATEMENT)
    assert answered(vs, vs.log1(signing, at=SIGNED_AT + 10 * MINUTE)) == ""
    assert answered(vs, vs.log1(signing, at=SIGNED_AT + 11 * MINUTE)) == "SIG_EXPIRED"
    assert answered(vs, vs.log1(signing, at=SIGNED_AT - MINUTE)) == "SIG_EXPIRED"


def test_s15_a_key_counts_at_its_trusted_times(vs: VirtualSigstore) -> None:
    item = vs.log1(vs.sign_statement(STATEMENT, by_key=True))
    trust = trust_in(vs)

    def judged(not_after: timedelta, item: Signing = item) -> str:
        key = dataclasses.replace(public_key_of(vs.key), not_after=LOGGED_AT + not_after)
        return answer(item, KeySigner(key=key, trust=trust))

    assert judged(timedelta()) == ""
    assert judged(-timedelta(seconds=1)) == "SIG_EXPIRED"
    assert judged(timedelta(), vs.stamp(item, at=LOGGED_AT + MINUTE)) == "SIG_TIME_CONFLICT"


def test_s16_a_time_is_no_signer(vs: VirtualSigstore) -> None:
    signing = vs.stamp(vs.sign_statement(STATEMENT).altered(signature=b"made up"))
    fields = signing.fields()
    del fields["verificationMaterial"]["certificate"]
    item = dataclasses.replace(signing.attachment(), content=json.dumps(fields).encode())
    assert answered(vs, item) == "SIG_NO_KEY_MATERIAL"


# S19: whose certificate


def test_s19_only_the_trusted_root_anchors(vs: VirtualSigstore) -> None:
    strange = VirtualSigstore(seed=1)
    foreign = strange.issue(key=vs.key)
    signed = vs.log1(vs.sign_statement(STATEMENT, certificate=foreign))
    assert answered(vs, signed) == "SIG_UNTRUSTED_CHAIN"
    for chain in ((strange.intermediate.der,), (strange.intermediate.der, strange.root.der)):
        brought = signed.altered(media_type=V01, extra_certificates=chain)
        assert answered(vs, brought) == "SIG_UNTRUSTED_CHAIN"
    # What is brought along is dropped where it is no root, and changes nothing.
    good = vs.log1(vs.sign_statement(STATEMENT)).altered(media_type=V01)
    assert answered(vs, good.altered(extra_certificates=(strange.intermediate.der,))) == ""
    assert answered(vs, good.altered(extra_certificates=(vs.root.der,))) == "SIG_UNTRUSTED_CHAIN"


def test_s19_a_self_signed_certificate_is_nobody_s(vs: VirtualSigstore) -> None:
    own = intermediate("intermediate", 5, dataclasses.replace(vs.intermediate, key=vs.key), (START, END))
    forged = vs.issue(authority=dataclasses.replace(own, key=vs.key))
    assert answered(vs, vs.log1(vs.sign_statement(STATEMENT, certificate=forged))) == "SIG_UNTRUSTED_CHAIN"


@pytest.mark.parametrize(
    "changes",
    [
        {"purposes": (ExtendedKeyUsageOID.SERVER_AUTH,)},
        {"purposes": ()},
        {"digital_signature": False},
        {"is_authority": True},
    ],
    ids=["server", "no-purpose", "no-signature", "authority"],
)
def test_s19_a_certificate_for_something_else_signs_nothing(vs: VirtualSigstore, changes: dict[str, Any]) -> None:
    certificate = vs.issue(vs.leaf(**changes))
    assert answered(vs, vs.log1(vs.sign_statement(STATEMENT, certificate=certificate))) == "SIG_UNTRUSTED_CHAIN"


@pytest.mark.parametrize(
    "changes",
    [
        {"is_authority": False},
        {"cert_sign": False},
        {"purpose": ExtendedKeyUsageOID.SERVER_AUTH},
    ],
    ids=["no-authority", "may-not-issue", "for-servers"],
)
def test_s19_an_authority_that_may_not_issue_issues_nothing(vs: VirtualSigstore, changes: dict[str, Any]) -> None:
    def judged(**changes: Any) -> str:  # noqa: ANN401 - any field
        made = intermediate("made", 4711, vs.root, (START, END), **changes)
        signed = vs.log1(vs.sign_statement(STATEMENT, certificate=vs.issue(authority=made)))
        authorities = [vs.authority_entry((made.der, vs.root.der))]
        return answer(signed, signer_of(vs, certificateAuthorities=authorities))

    assert judged(**changes) == "SIG_UNTRUSTED_CHAIN"
    assert judged() == ""


def test_s19_a_chain_is_no_longer_than_its_authorities_allow(vs: VirtualSigstore) -> None:
    upper = intermediate("upper", 4711, vs.root, (START, END), path_length=0)
    lower = intermediate("lower", 4712, upper, (START, END))
    signed = vs.log1(vs.sign_statement(STATEMENT, certificate=vs.issue(authority=lower)))
    chain = [vs.authority_entry((lower.der, upper.der, vs.root.der))]
    assert answer(signed, signer_of(vs, certificateAuthorities=chain)) == "SIG_UNTRUSTED_CHAIN"


def test_s25_long_lists_are_refused_before_their_items(vs: VirtualSigstore) -> None:
    signing = vs.log1(vs.sign_statement(STATEMENT))
    for changes in (
        {"entries": signing.entries * 100_000},
        {"timestamps": tuple(b"%d" % number for number in range(9))},
        {"media_type": V01, "extra_certificates": (b"x",) * 100},
    ):
        with pytest.raises(GateError) as refused:
            parse_attachment(signing.altered(**changes).attachment())
        assert refused.value.code == "LIMIT_BUNDLE"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("certificate.rawBytes", b64(b"no certificate")),
        ("tlogEntries.0.canonicalizedBody", "!"),
        ("tlogEntries.0.logIndex", "-1"),
        ("tlogEntries.0.inclusionProof.treeSize", "0"),
        ("timestampVerificationData", {"rfc3161Timestamps": [{"signedTimestamp": b64(b"x")}]}),
    ],
)
def test_s27_malformed_parts_are_malformed(vs: VirtualSigstore, path: str, value: object) -> None:
    item = vs.log1(vs.sign_statement(STATEMENT)).attachment()
    assert answered(vs, edited(item, path, value)) == "SIG_MALFORMED"


def test_s27_a_certificate_with_bytes_behind_it_is_malformed(vs: VirtualSigstore) -> None:
    item = vs.log1(vs.sign_statement(STATEMENT)).attachment()
    longer = b64(base64.b64decode(json.loads(item.content)["verificationMaterial"]["certificate"]["rawBytes"]) + b"\0")
    assert answered(vs, edited(item, "certificate.rawBytes", longer)) == "SIG_MALFORMED"


@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(65537, 1024), ec.derive_private_key(5, ec.SECP224R1())],  # noqa: S505 - the attack
    ids=["rsa-1024", "p224"],
)
def test_s28_a_weak_key_signs_nothing(vs: VirtualSigstore, key: ec.EllipticCurvePrivateKey) -> None:
    certificate = vs.issue(key=key)
    signing = vs.log1(vs.sign_statement(STATEMENT, certificate=certificate))
    assert answered(vs, signing) == "SIG_ALG"


def test_a_signature_about_another_digest_is_refused_whatever_vouches_for_it(vs: VirtualSigstore) -> None:
    for form in FORMS.values():
        assert answer(form(vs, by_key=False), signer_of(vs), expected=OTHER) in {
            "SIG_SUBJECT_MISMATCH",
            "SIG_TLOG_MISMATCH",
        }
