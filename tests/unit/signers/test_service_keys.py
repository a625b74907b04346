"""Keys in services: what is asked, what is answered in which encoding, and what a service that lies gets.

Google Cloud KMS, Vault and Azure Key Vault are emulated on loopback after their published interfaces.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from requests.adapters import HTTPAdapter

from gate.errors import EvidenceError, GateError, KeyFileError
from gate.signers.aws_key import AwsKeyName, parse_aws_uri
from gate.signers.azure_key import open_azure_key, parse_azure_uri
from gate.signers.gcp_key import parse_gcp_uri
from gate.signers.service_key import der_signature
from gate.signers.signer import Signer
from gate.signers.uri import signer_for
from gate.signers.vault_key import parse_vault_uri
from gate.verification.raw_signature import verify_bytes
from tests.support.key_services import (
    AZURE_HOST,
    AZURE_VERSION,
    GCP_KEY,
    TOKEN,
    VAULT_KEY,
    EmulatedService,
    PrivateKey,
    azure_answer,
    emulated,
    gcp_answer,
    vault_answer,
)

P256 = ec.derive_private_key(7, ec.SECP256R1())
P384 = ec.derive_private_key(7, ec.SECP384R1())
P521 = ec.derive_private_key(7, ec.SECP521R1())
OTHER = ec.derive_private_key(8, ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
Opening = Callable[[EmulatedService], AbstractContextManager[Callable[[], Signer]]]


def no_password() -> bytes:
    raise AssertionError("a password was asked for a key that has none")


def refusal(action: Callable[[], object]) -> GateError:
    with pytest.raises(GateError) as refused:
        action()
    return refused.value


@contextmanager
def vault(service: EmulatedService) -> Iterator[Callable[[], Signer]]:
    with emulated(service, vault_answer), pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAULT_ADDR", service.url)
        patch.setenv("VAULT_TOKEN", TOKEN)
        yield lambda: signer_for(f"hashivault://{VAULT_KEY}", no_password)


@contextmanager
def gcp(service: EmulatedService) -> Iterator[Callable[[], Signer]]:
    with emulated(service, gcp_answer), pytest.MonkeyPatch.context() as patch:
        account = Path.home() / "account.json"
        account.write_text(json.dumps(service_account(f"{service.url}/token")))
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
        patch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", service.url)
        yield lambda: signer_for(f"gcpkms://{GCP_KEY}", no_password)


def service_account(token_uri: str) -> dict[str, str]:
    key = RSA.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "type": "service_account", "project_id": "shop", "private_key_id": "1", "private_key": key.decode(),
        "client_email": "gate@shop.example", "client_id": "1", "token_uri": token_uri,
    }  # fmt: skip


class Loopback(HTTPAdapter):
    """Send what is meant for the vault's host to the emulator, so that the SDK's own checks of hosts stay on."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base

    def send(self, request: requests.PreparedRequest, *arguments: Any, **named: Any) -> requests.Response:  # noqa: ANN401
        assert request.url is not None
        request.url = request.url.replace(f"https://{AZURE_HOST}", self.base)
        return super().send(request, *arguments, **named)


class FixedCredential:
    def get_token(self, *scopes: str, **_named: Any) -> AccessToken:  # noqa: ANN401
        assert scopes == ("https://vault.azure.net/.default",)
        return AccessToken(TOKEN, int(time.time()) + 3600)


@contextmanager
def azure(service: EmulatedService) -> Iterator[Callable[[], Signer]]:
    with emulated(service, azure_answer), requests.Session() as session:
        session.mount("https://", Loopback(service.url))
        transport = RequestsTransport(session=session, session_owner=False)
        settings = {"transport": transport, "retry_total": 0}
        yield lambda: open_azure_key(f"azurekms://{AZURE_HOST}/release", FixedCredential(), **settings)


SERVICES: dict[str, Opening] = {"vault": vault, "gcp": gcp, "azure": azure}
every_service = pytest.mark.parametrize("opening", SERVICES.values(), ids=SERVICES)


@every_service
@pytest.mark.parametrize("key", [P256, P384, RSA], ids=["p256", "p384", "rsa"])
def test_what_a_service_signs_verifies(opening: Opening, key: PrivateKey) -> None:
    with opening(EmulatedService(key=key)) as signer:
        made = signer()
        verify_bytes(made.public_key, made.sign(b"data" * 5000), b"data" * 5000)


@pytest.mark.parametrize(("opening", "key"), [(vault, P521), (azure, P521), (vault, ED25519)])
def test_the_keys_that_only_some_services_have(opening: Opening, key: PrivateKey) -> None:
    with opening(EmulatedService(key=key)) as signer:
        made = signer()
        verify_bytes(made.public_key, made.sign(b"data"), b"data")


@every_service
def test_the_public_key_is_fetched_once_and_only_a_digest_leaves(opening: Opening) -> None:
    service = EmulatedService(key=P256)
    with opening(service) as signer:
        made = signer()
        before = len(service.asked)
        made.sign(b"one secret statement")
        made.sign(b"another")
    asked = service.asked[before:]
    assert len([method for method, _, body in asked if body is not None]) == 2
    assert all("secret" not in json.dumps(body) for _, _, body in asked)


@every_service
def test_a_service_that_signs_with_another_key_is_caught(opening: Opening) -> None:
    with opening(EmulatedService(key=P256, signer=OTHER)) as signer:
        made = signer()
        error = refusal(lambda: made.sign(b"data"))
    assert isinstance(error, EvidenceError)
    assert error.code == "KEY_SERVICE"
    assert "does not verify" in error.seen


@every_service
@pytest.mark.parametrize("status", [403, 404])
def test_a_service_that_refuses_is_an_error_without_a_credential_in_it(opening: Opening, status: int) -> None:
    with opening(EmulatedService(key=P256, status=status)) as signer:
        error = refusal(signer)
    assert error.code == "KEY_SERVICE"
    assert TOKEN not in repr(vars(error))


@every_service
def test_a_weak_key_is_refused(opening: Opening) -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505
    with opening(EmulatedService(key=weak)) as signer:
        assert refusal(signer).code in {"KEY_WEAK", "KEY_UNSUPPORTED"}


@every_service
def test_an_unreachable_service_is_an_error(opening: Opening) -> None:
    service = EmulatedService(key=P256)
    with opening(service) as signer:
        made = signer()
    assert refusal(lambda: made.sign(b"data")).code == "KEY_SERVICE"


def test_the_greatest_enabled_version_is_taken_by_number() -> None:
    service = EmulatedService(key=P256)
    with gcp(service) as signer:
        signer()
    assert f"/v1/{GCP_KEY}/cryptoKeyVersions/10/publicKey" in [path for _, path, _ in service.asked]


def test_kinds_of_key_that_cannot_sign_there_are_named() -> None:
    for opening in (gcp, azure):
        with opening(EmulatedService(key=ED25519)) as signer:
            assert refusal(signer).code == "KEY_UNSUPPORTED"


@pytest.mark.parametrize(
    ("variable", "uri"),
    [
        ("VAULT_ADDR", f"hashivault://{VAULT_KEY}"),
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", f"gcpkms://{GCP_KEY}"),
    ],
)
def test_no_token_is_sent_over_plain_http(variable: str, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "http://kms.example:8200")
    error = refusal(lambda: signer_for(uri, no_password))
    assert error.code == "KEY_URI"
    assert variable in error.expected


def test_vault_without_an_address_says_which_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAULT_ADDR", raising=False)
    assert "VAULT_ADDR" in refusal(lambda: signer_for("hashivault://release", no_password)).expected


@pytest.mark.parametrize(
    ("uri", "module", "extra"),
    [
        ("awskms:///alias/release", "boto3", "aws"),
        (f"gcpkms://{GCP_KEY}", "google", "gcp"),
        (f"azurekms://{AZURE_HOST}/release", "azure", "azure"),
        ("hashivault://release", "hvac", "vault"),
        ("pkcs11:token=t;object=k?module-path=/m.so", "pkcs11", "pkcs11"),
    ],
)
def test_a_missing_extra_is_one_clear_line(uri: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hidden:
        def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
            if name.partition(".")[0] == module:
                raise ModuleNotFoundError(name=name)

    found = [name for name in sys.modules if name.partition(".")[0] == module]
    for name in found:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None if name == module else object())
    monkeypatch.setattr(sys, "meta_path", [Hidden(), *sys.meta_path])
    error = refusal(lambda: signer_for(uri, no_password))
    assert isinstance(error, KeyFileError)
    assert error.code == "KEY_UNSUPPORTED"
    assert error.next_step == f"In the gate's checkout: pip install '.[{extra}]'"


ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    ("uri", "host", "region", "key_id"),
    [
        (f"awskms:///{ID}", "", "", ID),
        ("awskms:///alias/release", "", "", "alias/release"),
        (f"awskms:///arn:aws:kms:eu-west-1:111122223333:key/{ID}", "", "eu-west-1", None),
        ("awskms:///arn:aws-cn:kms:cn-north-1:111122223333:alias/release", "", "cn-north-1", None),
        ("awskms:///mrk-1234abcd12ab34cd56ef1234567890ab", "", "", "mrk-1234abcd12ab34cd56ef1234567890ab"),
        (f"awskms://kms.shop.example:4566/{ID}", "kms.shop.example:4566", "", ID),
    ],
)
def test_aws_uris_as_cosign_takes_them(uri: str, host: str, region: str, key_id: str | None) -> None:
    wanted = key_id or uri.removeprefix("awskms:///")
    assert parse_aws_uri(uri) == AwsKeyName(host=host, region=region, key_id=wanted)


def test_the_other_uris_as_cosign_takes_them() -> None:
    assert parse_gcp_uri(f"gcpkms://{GCP_KEY}") == (GCP_KEY, 0)
    assert parse_gcp_uri(f"gcpkms://{GCP_KEY}/versions/3") == (GCP_KEY, 3)
    assert parse_gcp_uri(f"gcpkms://{GCP_KEY}/cryptoKeyVersions/3") == (GCP_KEY, 3)
    assert parse_azure_uri(f"azurekms://{AZURE_HOST}/release") == (AZURE_HOST, "release", "")
    assert parse_azure_uri(f"azurekms://{AZURE_HOST}/release/{AZURE_VERSION}") == (AZURE_HOST, "release", AZURE_VERSION)
    assert parse_vault_uri("hashivault://release-2.key") == "release-2.key"


@pytest.mark.parametrize(
    "uri",
    [
        "awskms://alias/release",
        "awskms:///release",
        "awskms:///arn:aws:s3:::bucket",
        "awskms:///../../secret",
        "gcpkms://projects/p",
        f"gcpkms://{GCP_KEY}/versions/latest",
        f"gcpkms://{GCP_KEY}/../other",
        "azurekms://shop.evil.example/release",
        "azurekms://shop.vault.azure.net.evil.example/release",
        f"azurekms://{AZURE_HOST}/release/latest",
        "hashivault://",
        "hashivault://a/../b",
        "hashivault://transit/keys/release",
    ],
)
def test_a_uri_that_names_no_key_is_refused(uri: str) -> None:
    error = refusal(lambda: signer_for(uri, no_password))
    assert isinstance(error, KeyFileError)
    assert error.code == "KEY_URI"


def vault_said(key: object) -> dict[str, object]:
    return {"data": {"type": "ecdsa-p256", "latest_version": 1, "keys": {"1": {"public_key": key}}}}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ([], "KEY_SERVICE"),
        ("key", "KEY_SERVICE"),
        ({}, "KEY_SERVICE"),
        ({"data": {"type": "ecdsa-p256", "latest_version": 1, "keys": {}}}, "KEY_SERVICE"),
        (vault_said("not a key"), "KEY_SERVICE"),
        (vault_said(None), "KEY_SERVICE"),
        ({"data": {"type": "ed25519", "latest_version": 1, "keys": {"1": {"public_key": "AAAA"}}}}, "KEY_SERVICE"),
        ({"data": {"type": "aes256-gcm96", "latest_version": 1, "keys": {"1": {"public_key": ""}}}}, "KEY_UNSUPPORTED"),
    ],
)
def test_an_answer_of_vault_that_is_no_key_is_refused(
    content: object, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    with emulated(EmulatedService(key=P256), lambda *_: (200, content, {})) as service:
        monkeypatch.setenv("VAULT_ADDR", service.url)
        assert refusal(lambda: signer_for("hashivault://release", no_password)).code == code


@pytest.mark.parametrize("text", ["", "vault:v3", "vault:v3:!!!", "vault:v2:AAAA", "vault:v3:AAAA", None])
def test_an_answer_of_vault_that_is_no_signature_of_this_version_is_refused(text: str | None) -> None:
    service = EmulatedService(key=P256)

    def answer(found: EmulatedService, method: str, path: str, *rest: Any) -> tuple[int, Any, dict[str, str]]:  # noqa: ANN401
        if method == "GET":
            return vault_answer(found, method, path, *rest)
        return 200, {"data": {"signature": text}}, {}

    with emulated(service, answer), pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAULT_ADDR", service.url)
        patch.setenv("VAULT_TOKEN", TOKEN)
        made = signer_for(f"hashivault://{VAULT_KEY}", no_password)
        assert refusal(lambda: made.sign(b"data")).code == "KEY_SERVICE"


@pytest.mark.parametrize(
    "content", [[], {}, {"cryptoKeyVersions": []}, {"cryptoKeyVersions": [{"name": "x"}]}, {"cryptoKeyVersions": 1}]
)
def test_a_google_key_without_an_enabled_version_is_refused(content: object) -> None:
    service = EmulatedService(key=P256)

    def answer(found: EmulatedService, method: str, path: str, *rest: Any) -> tuple[int, Any, dict[str, str]]:  # noqa: ANN401
        return gcp_answer(found, method, path, *rest) if path == "/token" else (200, content, {})

    with gcp(service) as signer, emulated(service, answer), pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", service.url)
        assert refusal(signer).code == "KEY_SERVICE"


def test_google_without_credentials_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(Path.home() / "absent.json"))
    assert refusal(lambda: signer_for(f"gcpkms://{GCP_KEY}", no_password)).code == "KEY_SERVICE"


@pytest.mark.parametrize(
    "uri", ["awskms:///alias/x", f"gcpkms://{GCP_KEY}", f"azurekms://{AZURE_HOST}/x", f"hashivault://{VAULT_KEY}"]
)
def test_offline_no_service_is_asked(uri: str) -> None:
    service = EmulatedService(key=P256)
    with vault(service):
        error = refusal(lambda: signer_for(uri, no_password, offline=True))
    assert (error.code, error.seen, service.asked) == ("KEY_SERVICE", "--offline", [])


def test_two_numbers_become_der_and_half_a_number_does_not() -> None:
    assert der_signature(bytes([0, 1, 0, 2]), "here").hex() == "3006020101020102"
    assert refusal(lambda: der_signature(b"abc", "here")).code == "KEY_SERVICE"
    assert refusal(lambda: der_signature(b"", "here")).code == "KEY_SERVICE"
