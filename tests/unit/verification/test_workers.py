"""The same answers with any number of workers: what verifies is frozen, and nothing is shared that could change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from gate.errors import GateError
from gate.model.attachment import Attachments
from gate.model.glob import Glob
from gate.model.policy_signers import KeySigner, SignatureRule
from gate.signers.file_key import FileSigner
from gate.verification.match import match_signatures
from tests.support.signing import FAIL_KEY, GATE, NOW, STRANGER, attached, image_bundle

RULE = SignatureRule(images=Glob("**"), any_of=(KeySigner(key=GATE.public_key), KeySigner(key=FAIL_KEY.public_key)))


def answer(attachments: Attachments) -> str:
    """Return who signed, or why it is refused."""
    try:
        (found,) = match_signatures(attachments, RULE, NOW)
    except GateError as error:
        return error.code
    return found.key.key_id


def mixed() -> list[Attachments]:
    """Return 200 digests: signed by one key, by the other, by a stranger, by nobody."""
    signed = [attached(image_bundle(key)) for key in (GATE, FAIL_KEY, STRANGER)]
    return [*signed, attached()] * 50


@pytest.mark.parametrize("workers", [1, 4, 32])
def test_i08_the_verdict_does_not_depend_on_the_number_of_workers(workers: int) -> None:
    wanted = [key_of(GATE), key_of(FAIL_KEY), "SIG_INVALID", "SIG_MISSING"] * 50
    with ThreadPoolExecutor(max_workers=workers) as pool:
        assert list(pool.map(answer, mixed())) == wanted


def key_of(signer: FileSigner) -> str:
    return signer.public_key.key_id
