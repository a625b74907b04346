"""No change of a good signature by identity is accepted, and whatever stands in a bundle ends in a declared error."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gate.codec.attachments import parse_attachment
from gate.codec.log_body import parse_log_body
from gate.codec.signed_note import parse_checkpoint
from gate.errors import GateError, SignatureError
from gate.model.bundle import CertificateMaterial
from gate.verification.signature import VerifiedSignature, verify_image_signature
from tests.support.identities import LOGGED_AT, STATEMENT, signer_of
from tests.support.signing import IMAGE, NOW
from tests.support.virtual_sigstore import VirtualSigstore, log_body_dsse, log_body_hashedrekord, log_body_intoto

VS = VirtualSigstore()
SIGNER = signer_of(VS)
GOOD = parse_attachment(VS.stamp(VS.log2(VS.sign_statement(STATEMENT))).attachment())
TOKEN = GOOD.timestamps[0]
assert isinstance(GOOD.material, CertificateMaterial)
CERTIFICATE = GOOD.material.certificates[0]
CHECKPOINT = VS.rekor1.checkpoint(LOGGED_AT)
SIGNING = VS.sign_statement(STATEMENT)
BODIES = [
    make(SIGNING, version=version)
    for make in (log_body_hashedrekord, log_body_dsse, log_body_intoto)
    for version in (1, 2)
]


def verify(certificate: bytes = CERTIFICATE, token: bytes = TOKEN) -> VerifiedSignature | None:
    """Return what verified, or None where it is refused with a declared error."""
    bundle = dataclasses.replace(GOOD, material=CertificateMaterial((certificate,)), timestamps=(token,))
    try:
        return verify_image_signature(bundle, signer=SIGNER, expected=IMAGE, now=NOW)
    except GateError:
        return None


edits = st.tuples(st.integers(0, 5000), st.integers(0, 3), st.binary(min_size=1, max_size=3))


def altered(data: bytes, edit: tuple[int, int, bytes]) -> bytes:
    """Put bytes in the place of others."""
    place, dropped, put = edit
    place %= len(data)
    return data[:place] + put + data[place + dropped :]


def test_the_good_one_is_good() -> None:
    found = verify()
    assert found is not None
    assert found.times == (LOGGED_AT,)


@given(edit=edits)
@example(edit=(14, 1, b"\x06"))
def test_an_altered_certificate_signs_nothing(edit: tuple[int, int, bytes]) -> None:
    certificate = altered(CERTIFICATE, edit)
    assert certificate == CERTIFICATE or verify(certificate=certificate) is None


@given(edit=edits)
def test_an_altered_timestamp_gives_no_other_time(edit: tuple[int, int, bytes]) -> None:
    # Parts of a response are signed by nobody: its version, its status text, the names of algorithms.
    found = verify(token=altered(TOKEN, edit))
    assert found is None or found.times == (LOGGED_AT,)


@given(content=st.binary(max_size=300))
def test_any_bytes_are_no_certificate_and_no_timestamp(content: bytes) -> None:
    assert verify(certificate=content) is None
    assert verify(token=content) is None


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_each_kind_of_body_says_what_was_signed(body: bytes) -> None:
    logged = parse_log_body(body)
    assert logged.signature in {SIGNING.signature, None}
    fields = json.loads(body)
    assert (logged.kind, logged.version) == (fields["kind"], fields["apiVersion"])


@given(body=st.sampled_from(BODIES), edit=edits)
def test_any_body_is_read_or_refused_with_a_declared_error(body: bytes, edit: tuple[int, int, bytes]) -> None:
    try:
        parse_log_body(altered(body, edit))
    except SignatureError:
        return


@given(edit=st.tuples(st.integers(0, 500), st.integers(0, 3), st.text(max_size=3)))
def test_any_note_is_read_or_refused_with_a_declared_error(edit: tuple[int, int, str]) -> None:
    place, dropped, put = edit
    place %= len(CHECKPOINT)
    note = CHECKPOINT[:place] + put + CHECKPOINT[place + dropped :]
    try:
        read = parse_checkpoint(note)
    except SignatureError:
        return
    assert read.text.decode("utf-8", "surrogatepass") == note.rpartition("\n\n")[0] + "\n"


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        "origin\n1\n\n\u2014 name AAAA\n",
        CHECKPOINT.replace(f"\n{len(VS.rekor1.leaves)}\n", f"\n0{len(VS.rekor1.leaves)}\n"),
        CHECKPOINT.replace("\u2014", "-"),
        CHECKPOINT.rstrip("\n"),
        CHECKPOINT + CHECKPOINT.split("\n\n")[1] * 16,
        CHECKPOINT + "x" * 65536,
        CHECKPOINT.replace("\n", "\r\n"),
        CHECKPOINT.replace("\u2014 ", "\u2014  "),
    ],
    ids=range(10),
)
def test_s10_a_malformed_checkpoint_proves_nothing(note: str) -> None:
    assert parse_checkpoint(CHECKPOINT).size == len(VS.rekor1.leaves)
    with pytest.raises(SignatureError) as refused:
        parse_checkpoint(note)
    assert refused.value.code == "SIG_INCLUSION"
