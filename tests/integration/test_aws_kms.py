"""Keys in AWS KMS, as moto serves it on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from gate.errors import GateError
from gate.model.signer import KeyAlgorithm
from gate.signers.uri import signer_for
from gate.verification.raw_signature import verify_bytes
from tests.support.aws_kms import AwsKms, aws_kms


def no_password() -> bytes:
    raise AssertionError("a password was asked for a key that has none")


def refusal(action: Callable[[], object]) -> GateError:
    with pytest.raises(GateError) as refused:
        action()
    return refused.value


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsKms]:
    with aws_kms() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", running.url)
        yield running


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [
        ("ECC_NIST_P256", KeyAlgorithm.ECDSA_P256),
        ("ECC_NIST_P384", KeyAlgorithm.ECDSA_P384),
        ("ECC_NIST_P521", KeyAlgorithm.ECDSA_P521),
        ("RSA_2048", KeyAlgorithm.RSA_PKCS1),
    ],
)
def test_what_kms_signs_verifies_by_alias_and_by_arn(kms: AwsKms, spec: str, algorithm: KeyAlgorithm) -> None:
    arn = kms.make(spec, "release")
    for uri in ("awskms:///alias/release", f"awskms:///{arn}", f"awskms:///{arn.rpartition('/')[2]}"):
        signer = signer_for(uri, no_password)
        assert signer.public_key.algorithm is algorithm
        # Longer than the 4096 bytes that KMS takes as a message: only the digest is sent.
        verify_bytes(signer.public_key, signer.sign(b"d" * 10_000), b"d" * 10_000)


def test_a_key_that_is_not_there_is_an_error_with_the_services_word(kms: AwsKms) -> None:
    del kms
    error = refusal(lambda: signer_for("awskms:///alias/absent", no_password))
    assert (error.code, error.seen) == ("KEY_SERVICE", "NotFoundException")
    assert "secret-of-the-test" not in repr(vars(error))


def test_a_key_for_encryption_or_of_another_curve_does_not_sign(kms: AwsKms) -> None:
    made = kms.client.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]
    signer = signer_for(f"awskms:///{made['KeyId']}", no_password)
    assert refusal(lambda: signer.sign(b"data")).code == "KEY_SERVICE"
    kms.make("ECC_SECG_P256K1", "bitcoin")
    assert refusal(lambda: signer_for("awskms:///alias/bitcoin", no_password)).code == "KEY_WEAK"


def test_a_service_that_signs_something_else_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    with aws_kms(unmended=True) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", running.url)
        running.make("ECC_NIST_P256", "release")
        signer = signer_for("awskms:///alias/release", no_password)
        error = refusal(lambda: signer.sign(b"data"))
    assert error.code == "KEY_SERVICE"
    assert "does not verify" in error.seen


def test_without_a_region_or_a_service_it_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert refusal(lambda: signer_for("awskms:///alias/release", no_password)).code == "KEY_SERVICE"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert refusal(lambda: signer_for("awskms:///alias/release", no_password)).code == "KEY_SERVICE"
