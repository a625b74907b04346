"""Signatures by key with a trusted time: what an authority stamps verifies, and what another stamps is found out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gate.codec.bundle import parse_bundle
from gate.codec.statement import render_cosign_statement
from gate.codec.trusted_root import parse_trusted_root
from gate.errors import EvidenceError, KeyFileError
from gate.model.policy_signers import KeySigner
from gate.model.trust import Trust
from gate.signers.instance import SigstoreFiles
from gate.signers.signer import signer_name
from gate.signers.signing import sign_statement
from gate.signers.stamped import StampedSigner
from gate.verification.signature import verify_statement
from tests.support.signing import GATE, IMAGE
from tests.support.sigstore_access import access
from tests.support.sigstore_server import SigstoreServer, run_sigstore
from tests.support.virtual_sigstore import VirtualSigstore

STATEMENT = render_cosign_statement(IMAGE, {})


def test_a_key_can_be_stamped_and_then_has_a_trusted_time(server: SigstoreServer) -> None:
    made = access(server)
    signer = StampedSigner(GATE, made.find("public"), made)
    assert (signer.is_identity, signer.is_stamped, signer.public_key) == (False, True, GATE.public_key)
    bundle = parse_bundle(sign_statement(signer, STATEMENT).bundle)
    trust = Trust(name="test", root=parse_trusted_root(server.trusted_root()))
    found = verify_statement(bundle, signer=KeySigner(key=GATE.public_key, trust=trust), now=datetime.now(UTC))
    assert (len(found.signature.times), bundle.entries) == (1, ())
    assert [asked.service for asked in server.asked] == ["tsa"]
    assert signer_name(signer) != signer_name(GATE)


def test_a_stamp_of_another_instance_is_found_out(server: SigstoreServer) -> None:
    made = access(server)
    with run_sigstore(VirtualSigstore(seed=1)) as other:
        server.replies["tsa"] = other.answer
        with pytest.raises(EvidenceError) as error:
            sign_statement(StampedSigner(GATE, made.find("public"), made), STATEMENT)
    assert error.value.code == "KEY_SIGSTORE"


def test_an_instance_without_timestamps_stamps_nothing(server: SigstoreServer) -> None:
    files = SigstoreFiles(root=server.trusted_root(), signing=server.signing_config(timestamps=False))
    with pytest.raises(KeyFileError) as error:
        StampedSigner(GATE, files, access(server))
    assert error.value.code == "KEY_URI"
