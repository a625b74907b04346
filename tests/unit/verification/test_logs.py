"""Log entries against the rows of the attack table, section 1; each beside a good twin."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gate.codec.attachments import parse_attachment
from gate.errors import GateError
from gate.model.attachment import Attachment
from gate.model.evidence_demand import EvidenceDemand, Inclusion
from gate.verification.signature import verify_statement
from tests.support.identities import (
    FORMS,
    LOGGED_AT,
    MANIFEST,
    PAYLOAD,
    STATEMENT,
    Form,
    answer,
    edited,
    identity,
    key_signer_of,
    signer_of,
    tag_layer,
    verified,
    with_log_of,
)
from tests.support.signing import NOW
from tests.support.virtual_certificates import b64, private_key
from tests.support.virtual_log import VirtualLog, canonical
from tests.support.virtual_sigstore import (
    ISSUER,
    SUBJECT,
    Signing,
    VirtualSigstore,
    log_body_dsse,
    log_body_hashedrekord,
    log_body_intoto,
)

each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
by_key_or_identity = pytest.mark.parametrize("by_key", [False, True], ids=["identity", "key"])


@pytest.fixture
def vs() -> VirtualSigstore:
    return VirtualSigstore()


def answered(vs: VirtualSigstore, item: Attachment | Signing, *, by_key: bool = False) -> str:
    return answer(item, key_signer_of(vs) if by_key else signer_of(vs))


# What verifies


@each_form
@by_key_or_identity
def test_a_good_signature_verifies_in_every_form(vs: VirtualSigstore, form: Form, by_key: bool) -> None:  # noqa: FBT001
    found = verified(form(vs, by_key=by_key), key_signer_of(vs) if by_key else signer_of(vs))
    assert len(found.entries) == 1
    assert found.times == (LOGGED_AT,)
    assert (found.identity is None) is by_key
    if found.identity is not None:
        assert (found.identity.subject, found.identity.issuer) == (SUBJECT, ISSUER)
        assert found.identity.claims["trigger"] == "push"


@pytest.mark.parametrize("kind", ["dsse", "intoto", "intoto2"])
@pytest.mark.parametrize("stamped", [False, True])
def test_an_attestation_under_the_legacy_tag_verifies(vs: VirtualSigstore, kind: str, stamped: bool) -> None:  # noqa: FBT001
    item = vs.legacy_attestation(vs.sign_statement(STATEMENT), kind=kind, stamped=stamped)
    found = verify_statement(parse_attachment(item), signer=signer_of(vs), now=NOW).signature
    assert len(found.times) == 1 + stamped
    spaced = dataclasses.replace(item, content=item.content + b" ")
    with pytest.raises(GateError) as refused:
        verify_statement(parse_attachment(spaced), signer=signer_of(vs), now=NOW)
    assert refused.value.code == ("SIG_TSA_UNTRUSTED" if stamped else "SIG_TLOG_MISMATCH")


def test_a_kind_that_binds_no_signature_is_refused_outside_the_layer_that_it_hashes(vs: VirtualSigstore) -> None:
    signing = vs.sign_statement(STATEMENT)
    assert answered(vs, vs.log1(signing, log_body_intoto(signing, version=1))) == "SIG_TLOG_KIND"
    assert answered(vs, vs.log1(signing, log_body_intoto(signing))) == ""


@pytest.mark.parametrize(
    "key",
    [
        ec.derive_private_key(77, ec.SECP384R1()),
        ec.derive_private_key(77, ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["p384", "p521", "ed25519", "rsa"],
)
def test_every_accepted_kind_of_key_signs_with_a_certificate(
    vs: VirtualSigstore, key: ec.EllipticCurvePrivateKey
) -> None:
    good = vs.log1(vs.sign_statement(STATEMENT, key=key))
    assert answered(vs, good) == ""
    # The entry names the same signature, so that only the last step is left to find out.
    bad = vs.sign_statement(STATEMENT, key=key).altered(payload=STATEMENT + b" ")
    assert answered(vs, vs.log1(bad)) == "SIG_INVALID"


@pytest.mark.parametrize(
    "key",
    [
        ec.derive_private_key(78, ec.SECP256R1()),
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)),
    ],
    ids=["ecdsa", "rsa", "ed25519"],
)
def test_checkpoints_of_every_kind_of_log_verify(vs: VirtualSigstore, key: ec.EllipticCurvePrivateKey) -> None:
    vs.rekor2 = VirtualLog(version=2, host="log.example", key=key)
    item = vs.stamp(vs.log2(vs.sign_statement(STATEMENT)))
    assert answered(vs, item) == ""
    checkpoint = vs.rekor2.checkpoint(LOGGED_AT).replace("log.example", "log.evil", 1)
    forged = edited(item.attachment(), "tlogEntries.0.inclusionProof.checkpoint.envelope", checkpoint)
    assert answered(vs, forged) == "SIG_INCLUSION"


# S01, S02: an entry of another signature


@each_form
@by_key_or_identity
def test_s01_an_entry_of_another_signature_is_not_ours(vs: VirtualSigstore, form: Form, by_key: bool) -> None:  # noqa: FBT001
    good = form(vs, by_key=by_key)
    other = VirtualSigstore()
    other.rekor1, other.rekor2, other.key = vs.rekor1, vs.rekor2, private_key(4711)
    assert answered(vs, with_log_of(good, form(other, by_key=by_key)), by_key=by_key) == "SIG_TLOG_MISMATCH"
    assert answered(vs, with_log_of(good, good), by_key=by_key) == ""


@pytest.mark.parametrize("part", ["digest", "key", "signature"])
@pytest.mark.parametrize("form", ["tag", "bundle", "bundle-log-2"])
@by_key_or_identity
def test_s02_every_part_of_the_entry_is_compared_on_every_path(
    vs: VirtualSigstore,
    part: str,
    form: str,
    by_key: bool,  # noqa: FBT001
) -> None:
    signing = vs.sign_artifact(PAYLOAD if form == "tag" else MANIFEST, by_key=by_key)
    stranger = vs.sign_artifact(b"other", key=private_key(4711), by_key=by_key)
    changes: dict[str, dict[str, Any]] = {
        "digest": {"digest": bytes(32)},
        "key": {"key": stranger.key, "certificate": stranger.certificate},
        "signature": {"signature": stranger.signature},
    }

    def logged(described: Signing) -> Attachment:
        if form == "tag":
            return tag_layer(vs, signing, log_body_hashedrekord(described))
        version = 2 if form == "bundle-log-2" else 1
        body = log_body_hashedrekord(described, version=version)
        log = vs.log2 if version == 2 else vs.log1
        return vs.stamp(log(signing, body)).attachment()

    assert answered(vs, logged(signing.altered(**changes[part])), by_key=by_key) == "SIG_TLOG_MISMATCH"
    assert answered(vs, logged(signing), by_key=by_key) == ""


@pytest.mark.parametrize("body", [log_body_dsse, log_body_intoto])
def test_s02_a_statement_s_entry_is_about_this_payload(vs: VirtualSigstore, body: Callable[[Signing], bytes]) -> None:
    assert callable(body)
    signing = vs.sign_statement(STATEMENT)
    assert answered(vs, vs.log1(signing, body(signing.altered(payload=b"{}")))) == "SIG_TLOG_MISMATCH"
    assert answered(vs, vs.log1(signing, body(signing))) == ""


def test_s02_an_entry_for_statements_says_nothing_of_an_artifact(vs: VirtualSigstore) -> None:
    statement, artifact = vs.sign_statement(STATEMENT), vs.sign_artifact(MANIFEST)
    body = log_body_dsse(statement.altered(signature=artifact.signature, certificate=artifact.certificate))
    assert answered(vs, vs.log1(artifact, body)) == "SIG_TLOG_MISMATCH"


# S03: what is there must verify


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("inclusionPromise.signedEntryTimestamp", b64(b"no signature"), "SIG_TLOG_INVALID"),
        ("integratedTime", "1700000000", "SIG_TLOG_INVALID"),
        ("logIndex", "7", "SIG_TLOG_INVALID"),
        ("logId.keyId", b64(bytes(32)), "SIG_TLOG_INVALID"),
        ("canonicalizedBody", b64(b"{}"), "SIG_TLOG_INVALID"),
        ("inclusionProof.rootHash", b64(bytes(32)), "SIG_INCLUSION"),
        ("inclusionProof.logIndex", "1", "SIG_INCLUSION"),
        ("inclusionProof.treeSize", "4711", "SIG_INCLUSION"),
        ("inclusionProof.hashes", [], "SIG_INCLUSION"),
        ("inclusionProof.checkpoint.envelope", "", "SIG_INCLUSION"),
        ("inclusionProof.checkpoint", None, "SIG_INCLUSION"),
        ("inclusionProof", None, "SIG_INCLUSION"),
        ("kindVersion.version", "0.0.2", "SIG_TLOG_MISMATCH"),
    ],
)
@by_key_or_identity
def test_s03_s10_an_entry_that_is_there_must_verify(
    vs: VirtualSigstore,
    path: str,
    value: object,
    code: str,
    by_key: bool,  # noqa: FBT001
) -> None:
    good = FORMS["dsse"](vs, by_key=by_key)
    assert answered(vs, edited(good, f"tlogEntries.0.{path}", value), by_key=by_key) == code
    assert answered(vs, good, by_key=by_key) == ""


def test_s03_one_bad_entry_beside_a_good_one_refuses(vs: VirtualSigstore) -> None:
    good = vs.log1(vs.sign_statement(STATEMENT))
    strange = VirtualSigstore(seed=1)
    both = good.altered(entries=(*good.entries, *strange.log1(good.altered(entries=())).entries))
    assert answered(vs, both) == "SIG_TLOG_INVALID"


def test_s04_the_identity_is_demanded_on_every_path(vs: VirtualSigstore) -> None:
    for form in FORMS.values():
        assert answer(form(vs, by_key=False), signer_of(vs, identity(subject=f"{SUBJECT}x"))) == "ID_MISMATCH"


@pytest.mark.parametrize("form", ["dsse", "manifest"])
def test_s05_a_time_that_nobody_signed_is_none(vs: VirtualSigstore, form: str) -> None:
    backdated = edited(FORMS[form](vs, by_key=False), "tlogEntries.0.inclusionPromise", None)
    assert answered(vs, edited(backdated, "tlogEntries.0.integratedTime", "1772362800")) == "SIG_NO_TRUSTED_TIME"


def test_s10_a_checkpoint_is_signed_by_this_log_over_this_tree(vs: VirtualSigstore) -> None:
    good = vs.stamp(vs.log2(vs.sign_statement(STATEMENT)))
    other = vs.rekor2.copy(key=ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))
    place = "tlogEntries.0.inclusionProof.checkpoint.envelope"
    checkpoints = {
        "strange": other.checkpoint(LOGGED_AT),
        "origin": vs.rekor2.checkpoint(LOGGED_AT, origin="log.other.example"),
        "root": vs.rekor2.checkpoint(LOGGED_AT, root=bytes(32)),
        "size": vs.rekor2.checkpoint(LOGGED_AT, size=4711),
        "unsigned": vs.rekor2.checkpoint(LOGGED_AT).split("\n\n")[0] + "\n\n",
        "half": vs.rekor2.checkpoint(LOGGED_AT)[:60],
    }
    for name, checkpoint in checkpoints.items():
        assert answered(vs, edited(good.attachment(), place, checkpoint)) == "SIG_INCLUSION", name
    # Others may sign beside the log, before it or after it.
    text, own = vs.rekor2.checkpoint(LOGGED_AT).split("\n\n")
    strange = checkpoints["strange"].split("\n\n")[1]
    assert answered(vs, edited(good.attachment(), place, f"{text}\n\n{strange}{own}")) == ""
    # Two lines by the log's own key, one of them bad: refused.
    bad = own.strip()[:-8] + "AAAAAA=="
    assert answered(vs, edited(good.attachment(), place, f"{text}\n\n{own}{bad}\n")) == "SIG_INCLUSION"


@pytest.mark.parametrize("version", ["0.1", "0.2", ""], ids=["0.1", "0.2", "0.3"])
def test_s11_what_a_bundle_calls_itself_demands_nothing_away(vs: VirtualSigstore, version: str) -> None:
    kind = {"media_type": f"application/vnd.dev.sigstore.bundle+json;version={version}"} if version else {}
    good = vs.log1(vs.sign_statement(STATEMENT)).altered(**kind)
    stripped = edited(good.attachment(), "tlogEntries.0.inclusionProof", None)
    none = edited(stripped, "tlogEntries.0.inclusionPromise", None)
    # What is demanded is the verifier's: a promise is enough only where it says so, and then in every version.
    for inclusion, code in (
        (Inclusion.PROOF, "SIG_INCLUSION"),
        (Inclusion.BUNDLES, "SIG_INCLUSION"),
        (Inclusion.PROMISE, ""),
    ):
        demand = EvidenceDemand(logs=1, inclusion=inclusion)
        assert answer(good, signer_of(vs), demand=demand) == ""
        assert answer(stripped, signer_of(vs), demand=demand) == code
        assert answer(none, signer_of(vs), demand=demand) == (code or "SIG_TLOG_INVALID")


def test_s11_a_legacy_tag_has_a_promise_unless_a_proof_is_demanded(vs: VirtualSigstore) -> None:
    tag = FORMS["tag"](vs, by_key=False)
    assert answer(tag, signer_of(vs)) == ""
    assert answer(tag, signer_of(vs), demand=EvidenceDemand(logs=1, inclusion=Inclusion.PROOF)) == "SIG_INCLUSION"


def test_s12_a_log_without_times_needs_a_timestamp(vs: VirtualSigstore) -> None:
    unstamped = vs.log2(vs.sign_statement(STATEMENT))
    assert answered(vs, unstamped) == "SIG_NO_TRUSTED_TIME"
    assert answered(vs, vs.stamp(unstamped)) == ""


@pytest.mark.parametrize(
    ("kind", "version"), [("hashedrekord", "0.0.9"), ("rekord", "0.0.1"), ("hashedrekord", "0.0.02")]
)
def test_s12_an_unknown_kind_of_entry_is_refused(vs: VirtualSigstore, kind: str, version: str) -> None:
    signing = vs.sign_statement(STATEMENT)
    body = json.loads(log_body_hashedrekord(signing)) | {"kind": kind, "apiVersion": version}
    assert answered(vs, vs.log1(signing, canonical(body))) == "SIG_TLOG_KIND"


def test_a_log_of_version_2_has_one_number_for_an_entry(vs: VirtualSigstore) -> None:
    good = vs.stamp(vs.log2(vs.sign_statement(STATEMENT))).attachment()
    assert answered(vs, good) == ""
    for number in ("0", "4711"):
        assert answered(vs, edited(good, "tlogEntries.0.logIndex", number)) == "SIG_INCLUSION"


def test_dsse_entries_of_version_2_are_read(vs: VirtualSigstore) -> None:
    signing = vs.sign_statement(STATEMENT)
    assert answered(vs, vs.stamp(vs.log2(signing, log_body_dsse(signing, version=2)))) == ""
    other = log_body_dsse(signing.altered(payload=b"{}"), version=2)
    assert answered(vs, vs.stamp(vs.log2(signing, other))) == "SIG_TLOG_MISMATCH"
