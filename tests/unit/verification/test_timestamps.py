"""Trusted times, thresholds and trusted roots against the attack table, sections 1 and 3; each beside a good twin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gate.codec.trusted_root import parse_trusted_root
from gate.model.attachment import Attachment
from gate.model.evidence_demand import EvidenceDemand
from tests.support.identities import (
    FORMS,
    LOGGED_AT,
    STATEMENT,
    answer,
    edited,
    key_signer_of,
    signer_of,
)
from tests.support.signing import NOW
from tests.support.virtual_certificates import b64
from tests.support.virtual_log import VirtualLog
from tests.support.virtual_sigstore import (
    DAY,
    END,
    MINUTE,
    SIGNED_AT,
    START,
    Signing,
    VirtualSigstore,
)
from tests.support.virtual_timestamps import VirtualTimestamps

V01 = "application/vnd.dev.sigstore.bundle+json;version=0.1"
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
by_key_or_identity = pytest.mark.parametrize("by_key", [False, True], ids=["identity", "key"])


@pytest.fixture
def vs() -> VirtualSigstore:
    return VirtualSigstore()


def answered(vs: VirtualSigstore, item: Attachment | Signing, *, by_key: bool = False) -> str:
    return answer(item, key_signer_of(vs) if by_key else signer_of(vs))


def test_s06_a_certificate_is_valid_at_every_time(vs: VirtualSigstore) -> None:
    logged = vs.log1(vs.sign_statement(STATEMENT))
    assert answered(vs, vs.stamp(logged)) == ""
    assert answered(vs, vs.stamp(logged, at=SIGNED_AT + 20 * MINUTE)) == "SIG_TIME_CONFLICT"
    assert answered(vs, vs.stamp(vs.stamp(logged), vs.other_tsa, at=SIGNED_AT - MINUTE)) == "SIG_TIME_CONFLICT"


def test_s07_an_authority_borrows_no_window(vs: VirtualSigstore) -> None:
    item = vs.stamp(vs.log2(vs.sign_statement(STATEMENT)))
    retired = [vs.tsa.entry(end=LOGGED_AT - DAY), vs.other_tsa.entry()]
    assert answer(item, signer_of(vs, timestampAuthorities=retired)) == "SIG_TSA_UNTRUSTED"
    assert answer(item, signer_of(vs, timestampAuthorities=[vs.tsa.entry(end=LOGGED_AT)])) == ""


def test_s07_a_token_is_by_a_trusted_authority_alone(vs: VirtualSigstore) -> None:
    item = vs.stamp(vs.log2(vs.sign_statement(STATEMENT)))
    for embed in (True, False):
        stranger = vs.stamp(vs.log2(vs.sign_statement(STATEMENT)), VirtualSigstore(seed=1).tsa, embed=embed)
        assert answered(vs, stranger) == "SIG_TSA_UNTRUSTED"
    assert answer(item, signer_of(vs, timestampAuthorities=[vs.other_tsa.entry()])) == "SIG_TSA_UNTRUSTED"
    assert answered(vs, item) == ""


def test_s07_an_expired_stamping_certificate_stamps_no_more(vs: VirtualSigstore) -> None:
    vs.tsa = VirtualTimestamps(
        name="old",
        uri="https://tsa.old.example",
        scalar=90,
        start=START,
        end=END,
        leaf_end=LOGGED_AT + timedelta(seconds=1),
    )
    assert answered(vs, vs.stamp(vs.log2(vs.sign_statement(STATEMENT)))) == ""
    late = vs.stamp(vs.log2(vs.sign_statement(STATEMENT)), at=LOGGED_AT + MINUTE)
    assert answered(vs, late) == "SIG_TSA_UNTRUSTED"


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_a_timestamp_is_over_this_signature(vs: VirtualSigstore, hash_name: str) -> None:
    signing = vs.log2(vs.sign_statement(STATEMENT))
    assert answered(vs, vs.stamp(signing, hash_name=hash_name)) == ""
    other = vs.tsa.stamp(b"another signature", LOGGED_AT, hash_name=hash_name)
    assert answered(vs, signing.altered(timestamps=(other,))) == "SIG_TSA_UNTRUSTED"
    assert answered(vs, signing.altered(timestamps=(b"no response",))) == "SIG_MALFORMED"


def test_a_timestamp_of_tomorrow_is_none(vs: VirtualSigstore) -> None:
    signing = vs.log2(vs.sign_statement(STATEMENT))
    assert answered(vs, vs.stamp(signing, at=NOW + 6 * MINUTE)) == "SIG_TSA_UNTRUSTED"


@pytest.mark.parametrize(
    ("emptied", "demand"),
    [
        ("timestampAuthorities", EvidenceDemand(logs=1, timestamps=1)),
        ("tlogs", EvidenceDemand(logs=1)),
        ("ctlogs", EvidenceDemand(logs=1)),
        ("certificateAuthorities", EvidenceDemand(logs=1)),
    ],
)
def test_s08_an_empty_list_of_what_is_demanded_skips_nothing(
    vs: VirtualSigstore, emptied: str, demand: EvidenceDemand
) -> None:
    item = vs.stamp(vs.log1(vs.sign_statement(STATEMENT)))
    lists: dict[str, Any] = {emptied: []}
    assert answer(item, signer_of(vs, demand=demand, **lists)) == "ROOT_EMPTY"
    assert answer(item, signer_of(vs, demand=demand)) == ""
    plain = vs.log1(vs.sign_statement(STATEMENT))
    assert answer(plain, signer_of(vs, demand=EvidenceDemand(logs=1, timestamps=1))) == "SIG_THRESHOLD"


def test_s09_authorities_are_counted_not_entries_or_tokens(vs: VirtualSigstore) -> None:
    two = EvidenceDemand(logs=2, timestamps=2)
    once = vs.stamp(vs.log1(vs.sign_statement(STATEMENT)))
    twice = vs.stamp(vs.log1(once), at=LOGGED_AT + MINUTE)
    assert len(twice.entries) == len(twice.timestamps) == 2
    assert answer(twice, signer_of(vs, demand=two)) == "SIG_THRESHOLD"
    assert answer(vs.log2(twice), signer_of(vs, demand=two)) == "SIG_THRESHOLD"
    both = vs.stamp(vs.log2(once), vs.other_tsa)
    assert answer(both, signer_of(vs, demand=two)) == ""
    # One operator that runs both is one authority.
    operated = [{**log.listed(start=START), "operator": "one"} for log in (vs.rekor1, vs.rekor2)]
    assert answer(both, signer_of(vs, demand=two, tlogs=operated)) == "SIG_THRESHOLD"


# T04, T06, T08: the trusted root


def test_t04_what_an_entry_brings_along_is_no_key(vs: VirtualSigstore) -> None:
    strange = VirtualSigstore(seed=1)
    strange.rekor1 = VirtualLog(version=1, host=vs.rekor1.host, key=strange.rekor1.key)
    signing = strange.log1(vs.sign_statement(STATEMENT))
    assert answered(vs, signing) == "SIG_TLOG_INVALID"
    # Under the id of the log that is trusted, the strange key's signatures do not verify.
    pretended = edited(signing.attachment(), "tlogEntries.0.logId.keyId", b64(vs.rekor1.log_id))
    assert answered(vs, pretended) == "SIG_TLOG_INVALID"


def test_t06_a_log_counts_in_its_window(vs: VirtualSigstore) -> None:
    promised, stamped = vs.log1(vs.sign_statement(STATEMENT)), vs.stamp(vs.log2(vs.sign_statement(STATEMENT)))
    for item in (promised, stamped):
        ended = [log.listed(start=START, end=LOGGED_AT - timedelta(seconds=1)) for log in (vs.rekor1, vs.rekor2)]
        open_ = [log.listed(start=LOGGED_AT, end=LOGGED_AT) for log in (vs.rekor1, vs.rekor2)]
        assert answer(item, signer_of(vs, tlogs=ended)) == "SIG_TLOG_INVALID"
        assert answer(item, signer_of(vs, tlogs=open_)) == ""


def test_t08_another_instance_is_another_instance(vs: VirtualSigstore) -> None:
    strange = VirtualSigstore(seed=1)
    assert answered(vs, strange.log1(strange.sign_statement(STATEMENT))) == "SIG_TLOG_INVALID"
    assert answered(vs, vs.log1(strange.sign_statement(STATEMENT))) == "SIG_UNTRUSTED_CHAIN"


def test_t08_an_unknown_kind_of_key_is_skipped_and_never_counted(vs: VirtualSigstore) -> None:
    unknown = vs.rekor2.listed(start=START)
    unknown["publicKey"] = {**unknown["publicKey"], "keyDetails": "LMS_SHA256"}
    content = vs.trusted_root(tlogs=[vs.rekor1.listed(start=START), unknown])
    assert parse_trusted_root(content).skipped == 1
    changes: dict[str, Any] = {"tlogs": [vs.rekor1.listed(start=START), unknown]}
    assert answer(vs.log1(vs.sign_statement(STATEMENT)), signer_of(vs, **changes)) == ""
    assert answer(vs.stamp(vs.log2(vs.sign_statement(STATEMENT))), signer_of(vs, **changes)) == "SIG_TLOG_INVALID"
