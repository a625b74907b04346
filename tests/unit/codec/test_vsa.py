"""The verification summary: the bytes that are written, and that they are read back."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta

import pytest

from gate.codec.statement import parse_statement
from gate.codec.vsa import evidence_input, levels_for, parse_summary, render_summary
from gate.errors import AttestationError
from gate.model.digest import Digest
from gate.model.requirement import DEFAULT_EXTENSION_PREFIX
from gate.model.statement import InputAttestation, VerificationSummary
from tests.support.signing import CHILD, FAILED, IMAGE, NOW, PASSED, POLICY, VERIFIER, summary


def read(data: bytes, *prefixes: str) -> VerificationSummary:
    return parse_summary(parse_statement(data), extension_prefixes=prefixes or (DEFAULT_EXTENSION_PREFIX,))


def test_the_written_form_is_that_of_the_format_reference() -> None:
    """Formats reference, section 10.4."""
    evidence = evidence_input(b"evidence")
    made = summary(at=NOW, environments=("staging",), inputs=(evidence,))
    assert render_summary(made).decode() == (
        '{"_type":"https://in-toto.io/Statement/v1","predicate":{"https://gate.example/vsa/v1/environments":["staging"],'
        f'"inputAttestations":[{{"digest":{{"sha256":"{Digest.of(b"evidence").hex}"}},'
        '"mediaType":"application/vnd.in-toto+json"}],'
        f'"policy":{{"digest":{{"sha256":"{POLICY.hex}"}},"uri":"gate-policy:test"}},'
        f'"resourceUri":"oci://registry.example/shop/web@{IMAGE}","slsaVersion":"1.2",'
        '"timeVerified":"2026-03-01T12:00:00Z","verificationResult":"PASSED","verifiedLevels":["GATE_PASSED"],'
        f'"verifier":{{"id":"{VERIFIER}","version":{{"gate":"1.0.0"}}}}}},'
        '"predicateType":"https://slsa.dev/verification_summary/v1",'
        f'"subject":[{{"digest":{{"sha256":"{IMAGE.hex}"}},"name":"registry.example/shop/web"}}]}}'
    )


@pytest.mark.parametrize(
    "made",
    [
        summary(),
        summary(FAILED),
        summary(subjects=(IMAGE, CHILD), environments=("a", "b"), expires=NOW + timedelta(days=1)),
        summary(inputs=(InputAttestation(digest=CHILD, media_type="x", uri="y"), InputAttestation(digest=IMAGE))),
        summary(levels=("GATE_PASSED", "SLSA_BUILD_LEVEL_3")),
    ],
    ids=range(5),
)
def test_what_is_written_is_read_back_and_writes_the_same_bytes(made: VerificationSummary) -> None:
    data = render_summary(made)
    assert read(data) == made
    assert render_summary(read(data)) == data


def test_environments_are_a_set_in_one_order() -> None:
    assert render_summary(summary(environments=("b", "a"))) == render_summary(summary(environments=("a", "b")))


def test_extensions_stand_under_the_operators_prefix_and_are_read_only_there() -> None:
    made = summary(environments=("staging",), expires=NOW)
    data = render_summary(made, extension_prefix="https://ops.example/x/")
    assert "https://ops.example/x/environments" in json.loads(data)["predicate"]
    assert read(data, "https://ops.example/x/") == made
    assert read(data) == dataclasses.replace(made, environments=(), expires=None)


def test_levels_say_what_was_proven_and_never_unevaluated() -> None:
    assert levels_for(PASSED) == ("GATE_PASSED",)
    assert levels_for(PASSED, 2) == ("GATE_PASSED", "SLSA_BUILD_LEVEL_2")
    assert levels_for(FAILED, 2) == ("FAILED",)


def test_another_predicate_is_no_summary() -> None:
    data = json.loads(render_summary(summary()))
    data["predicateType"] = "https://slsa.dev/provenance/v1"
    with pytest.raises(AttestationError) as refused:
        read(json.dumps(data).encode())
    assert refused.value.code == "ATT_TYPE"


def test_more_inputs_than_can_be_are_refused() -> None:
    item = InputAttestation(digest=IMAGE)
    assert len(read(render_summary(summary(inputs=(item,) * 1024))).inputs) == 1024
    with pytest.raises(AttestationError) as refused:
        read(render_summary(summary(inputs=(item,) * 1025)))
    assert refused.value.code == "ATT_MALFORMED"


def test_the_earlier_of_two_ends_counts() -> None:
    data = json.loads(render_summary(summary(expires=NOW)))
    data["predicate"]["https://other.example/expires"] = "2026-02-01T00:00:00Z"
    found = read(json.dumps(data).encode(), "https://gate.example/vsa/v1/", "https://other.example/").expires
    assert found is not None
    assert found.month == 2
