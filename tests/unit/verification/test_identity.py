"""Who signed, against the rows of the attack table, section 2; each beside a good twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from cryptography import x509

from gate.codec.certificates import parse_certificate
from gate.codec.strict_json import Fault
from gate.errors import GateError, SignatureError
from gate.model.identity import CLAIM_NUMBERS, Claim, Identity, Matcher, VerifiedIdentity
from gate.verification.identity import MAX_MATCHED_CHARACTERS, matches, verify_identity
from tests.support.der import utf8
from tests.support.identities import identity
from tests.support.virtual_certificates import FULCIO
from tests.support.virtual_sigstore import CLAIMS, ISSUER, SUBJECT, VirtualSigstore

FAULT = Fault(SignatureError, "SIG_MALFORMED", "the test")
VS = VirtualSigstore()


def certificate(**changes: Any) -> x509.Certificate:  # noqa: ANN401 - any field of the leaf
    return parse_certificate(VS.issue(VS.leaf(**changes)), FAULT)


def found(demanded: Identity, **changes: Any) -> VerifiedIdentity:  # noqa: ANN401
    return verify_identity(certificate(**changes), demanded)


def code(demanded: Identity, **changes: Any) -> str:  # noqa: ANN401
    try:
        found(demanded, **changes)
    except GateError as error:
        return error.code
    return ""


def test_everything_that_the_certificate_says_is_given() -> None:
    who = found(identity())
    assert (who.subject, who.issuer) == (SUBJECT, ISSUER)
    assert dict(who.claims) == {claim.value: CLAIMS[number] for claim, number in CLAIM_NUMBERS.items()}


@pytest.mark.parametrize(
    ("demanded", "expected"),
    [
        (identity(subject=r"https://github\.com/stranger/.+", pattern=True), "ID_MISMATCH"),
        (identity(subject="https://github.com/stranger"), "ID_MISMATCH"),
        (identity(issuer="https://issuer.example"), "ID_ISSUER"),
        (
            Identity(
                subject=Matcher(text=SUBJECT), issuer=Matcher(text=r"https://issuer\.example/.+", is_pattern=True)
            ),
            "ID_ISSUER",
        ),
        (identity(claims={Claim.REF: "refs/heads/other"}), "ID_WORKFLOW"),
    ],
)
def test_i01_each_matcher_alone_keeps_a_stranger_out(demanded: Identity, expected: str) -> None:
    assert code(demanded) == expected
    assert code(identity()) == ""


@pytest.mark.parametrize(
    ("subject", "good"),
    [
        ("https://github.com/trusted/app/ci.yml", True),
        ("xhttps://github.com/trusted/app/ci.yml", False),
        ("https://github.com/trusted/app/ci.ymly", False),
        ("https://evil.example/?https://github.com/trusted/app/ci.yml", False),
        ("https://github.com/trusted.evil.example/ci.yml", False),
        ("https://github.com/trusted/app/", False),
        ("", False),
    ],
)
def test_i02_a_pattern_fits_the_whole_text(subject: str, good: bool) -> None:  # noqa: FBT001
    pattern = Matcher(text=r"https://github\.com/trusted/app/.+\.yml", is_pattern=True)
    assert matches(pattern, subject) is good


def test_i02_a_newline_at_the_end_fits_nothing() -> None:
    assert not matches(Matcher(text=r"a|b", is_pattern=True), "a\n")
    assert not matches(Matcher(text=r"^a$", is_pattern=True), "a\n")
    assert not matches(Matcher(text="a"), "a\n")
    assert matches(Matcher(text=r"^a$", is_pattern=True), "a")


def test_i02_a_text_beyond_the_bound_is_not_matched_at_all() -> None:
    pattern = Matcher(text=".+", is_pattern=True)
    assert matches(pattern, "x" * MAX_MATCHED_CHARACTERS)
    assert not matches(pattern, "x" * (MAX_MATCHED_CHARACTERS + 1))


def test_i03_the_same_subject_of_another_issuer_is_somebody_else() -> None:
    assert code(identity(), issuer="https://accounts.google.com") == "ID_ISSUER"
    assert code(identity(issuer="https://accounts.google.com"), issuer="https://accounts.google.com") == ""


def test_i03_two_issuers_in_one_certificate_are_none() -> None:
    assert code(identity(), raw_extensions={f"{FULCIO}.1": b"https://issuer.example"}) == "ID_ISSUER"
    assert code(identity(), raw_extensions={f"{FULCIO}.8": utf8("https://issuer.example")}) == "ID_ISSUER"
    assert code(identity(), raw_extensions={f"{FULCIO}.1": b"", f"{FULCIO}.8": b""}) == "ID_ISSUER"
    assert code(identity(), raw_extensions={f"{FULCIO}.1": b""}) == ""


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((x509.RFC822Name("yourname@gmail.com"),), ""),
        ((x509.RFC822Name("yourname@gmail.com\0.evil.example"),), "ID_ENCODING"),
        ((x509.RFC822Name("yourXname@gmail.com"),), "ID_MISMATCH"),
        ((x509.RFC822Name("yourname@GMAIL.com"),), "ID_MISMATCH"),
        ((x509.RFC822Name("yourname@gmail.com."),), "ID_MISMATCH"),
        ((x509.OtherName(x509.ObjectIdentifier(f"{FULCIO}.7"), utf8("yourname@gmail.com")),), ""),
        ((x509.OtherName(x509.ObjectIdentifier(f"{FULCIO}.7"), utf8("yourn\u0430me@gmail.com")),), "ID_ENCODING"),
        ((x509.OtherName(x509.ObjectIdentifier("1.2.3.4"), utf8("yourname@gmail.com")),), "ID_MISMATCH"),
        ((x509.DNSName("yourname"),), "ID_MISMATCH"),
        ((x509.RFC822Name("yourname@gmail.com"), x509.RFC822Name("b@gmail.com")), "ID_MISMATCH"),
        ((), "ID_MISMATCH"),
    ],
    ids=range(11),
)
def test_i04_an_identity_is_one_plain_text_and_equal_byte_for_byte(
    names: tuple[x509.GeneralName, ...], expected: str
) -> None:
    assert code(identity(subject="yourname@gmail.com"), san=names) == expected


@pytest.mark.parametrize("claim", CLAIM_NUMBERS)
def test_i05_every_claim_is_compared(claim: Claim) -> None:
    number = CLAIM_NUMBERS[claim]
    demanded = identity(claims={claim: CLAIMS[number]})
    assert code(demanded) == ""
    assert code(demanded, extensions={**CLAIMS, number: "another"}) == "ID_WORKFLOW"
    assert code(demanded, extensions={**CLAIMS, number: ""}) == "ID_WORKFLOW"
    without = {other: text for other, text in CLAIMS.items() if other != number}
    assert code(demanded, extensions=without) == "ID_WORKFLOW"


def test_i05_a_reusable_workflow_is_not_its_caller() -> None:
    demanded = identity(claims={Claim.SOURCE_REPOSITORY: "https://github.com/shop/web"})
    assert code(demanded, extensions={**CLAIMS, 12: "https://github.com/stranger/fork"}) == "ID_WORKFLOW"
    assert code(demanded) == ""


def test_i09_another_builder_is_another_builder() -> None:
    demanded = identity(claims={Claim.BUILDER: SUBJECT})
    assert code(demanded, extensions={**CLAIMS, 9: f"{SUBJECT}-publish"}) == "ID_WORKFLOW"
    assert code(demanded) == ""


@pytest.mark.parametrize(
    "raw",
    [b"push", utf8("push") + b"\0", b"\x0c\x81\x04push", b"\x0c\x05push", b"\x0c", b"\x13\x04push", b"\x0c\x80"],
    ids=range(7),
)
def test_a_claim_is_exactly_one_der_text(raw: bytes) -> None:
    demanded = identity(claims={Claim.TRIGGER: "push"})
    assert code(demanded, raw_extensions={f"{FULCIO}.20": raw}) == "ID_ENCODING"
    assert code(demanded, raw_extensions={f"{FULCIO}.20": utf8("push")}) == ""


def test_a_name_that_nobody_demands_may_be_any_text() -> None:
    names: Mapping[int, str] = {**CLAIMS, 4: "Release \U0001f680"}
    assert code(identity(), extensions=names) == ""
    assert found(identity(), extensions=names).claims["workflowName"].isascii()
    assert code(identity(claims={Claim.WORKFLOW_NAME: "Release"}), extensions=names) == "ID_ENCODING"


def test_a_long_claim_is_read_whole() -> None:
    long = "refs/heads/" + "x" * 400
    demanded = identity(claims={Claim.REF: long})
    assert code(demanded, extensions={**CLAIMS, 14: long}) == ""
    assert code(demanded, extensions={**CLAIMS, 14: f"{long}x"}) == "ID_WORKFLOW"
