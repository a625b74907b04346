"""Keys in a hardware module: a real SoftHSM2, keys made inside it, signatures that Cosign's own rules accept."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from pkcs11.util.ec import encode_named_curve_parameters

from gate.clock import Clock, Deadline
from gate.codec.attachments import parse_attachment
from gate.codec.keys import parse_public_key
from gate.errors import GateError
from gate.images.attachments import collect_attachments
from gate.images.open_source import open_source
from gate.model.policy_signers import KeySigner
from gate.model.reference import Repository, parse_reference
from gate.model.signer import KeyAlgorithm
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from gate.signers.uri import signer_for
from gate.verification.raw_signature import verify_bytes
from gate.verification.signature import verify_image_signature
from tests.conftest import StartOlareg
from tests.support.command import run_gate
from tests.support.cosign import Cosign
from tests.support.programs import Tools
from tests.support.softhsm import PIN, TOKEN, SoftHsm, softhsm
from tools.images.archive import file
from tools.images.layout import Blob, ImageConfig, image, layer, write_layout
from tools.images.push import push_layout

pytestmark = pytest.mark.real_tools


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    with softhsm(tmp_path_factory.mktemp("softhsm")) as made:
        make_keys(made)
        yield made


def make_keys(hsm: SoftHsm) -> None:
    with pkcs11.lib(str(hsm.module)).get_token(token_label=TOKEN).open(rw=True, user_pin=PIN) as session:
        for label, curve in (("p256", "secp256r1"), ("p384", "secp384r1"), ("p521", "secp521r1"), ("k1", "secp256k1")):
            make_pair(session, pkcs11.KeyType.EC, encode_named_curve_parameters(curve), label)
        make_pair(session, pkcs11.KeyType.EC_EDWARDS, b"\x13\x0cedwards25519", "ed25519")
        for _ in range(2):
            make_pair(session, pkcs11.KeyType.EC, encode_named_curve_parameters("secp256r1"), "twice")
        session.generate_keypair(pkcs11.KeyType.RSA, 2048, label="rsa", store=True)
        session.generate_keypair(pkcs11.KeyType.RSA, 1024, label="weak", store=True)


def make_pair(session: Any, kind: pkcs11.KeyType, curve: bytes, label: str) -> None:  # noqa: ANN401 - untyped
    parameters = session.create_domain_parameters(kind, {pkcs11.Attribute.EC_PARAMS: curve}, local=True)
    parameters.generate_keypair(label=label, id=label.encode(), store=True)


def subject_image() -> Blob:
    created = datetime(2026, 1, 1, tzinfo=UTC)
    return image([layer([file("etc/os-release", "ID=none\n")], mtime=0)], ImageConfig(created=created))


def pin() -> bytes:
    return PIN.encode()


def refusal(action: Callable[[], object]) -> GateError:
    with pytest.raises(GateError) as refused:
        action()
    return refused.value


@pytest.mark.parametrize(
    ("label", "algorithm"),
    [
        ("p256", KeyAlgorithm.ECDSA_P256),
        ("p384", KeyAlgorithm.ECDSA_P384),
        ("p521", KeyAlgorithm.ECDSA_P521),
        ("ed25519", KeyAlgorithm.ED25519),
        ("rsa", KeyAlgorithm.RSA_PKCS1),
    ],
)
def test_what_the_module_signs_verifies(hsm: SoftHsm, label: str, algorithm: KeyAlgorithm) -> None:
    signer = signer_for(hsm.uri(label), pin)
    assert signer.public_key.algorithm is algorithm
    for data in (b"data", b"d" * 100_000):
        verify_bytes(signer.public_key, signer.sign(data), data)


def test_a_key_is_found_by_its_id_and_the_pin_by_its_file(hsm: SoftHsm, tmp_path: Path) -> None:
    file = tmp_path / "pin"
    file.write_text(f"{PIN}\n")
    by_id = hsm.uri("p256", query=f"&pin-source=file:{file}").replace("object=p256", "id=p256")

    def nobody() -> bytes:
        raise AssertionError("the PIN was asked for though a file was named")

    assert signer_for(by_id, nobody).public_key == signer_for(hsm.uri("p256"), pin).public_key


@pytest.mark.parametrize(
    ("label", "code"), [("absent", "KEY_URI"), ("twice", "KEY_URI"), ("k1", "KEY_UNSUPPORTED"), ("weak", "KEY_WEAK")]
)
def test_what_is_no_single_good_key_is_refused(hsm: SoftHsm, label: str, code: str) -> None:
    assert refusal(lambda: signer_for(hsm.uri(label), pin)).code == code


def test_a_token_that_is_not_there_is_refused(hsm: SoftHsm) -> None:
    assert refusal(lambda: signer_for(hsm.uri("p256", token="other"), pin)).code == "KEY_URI"


def test_two_keys_of_one_token_sign_in_one_process(hsm: SoftHsm) -> None:
    passed, failed = signer_for(hsm.uri("p256"), pin), signer_for(hsm.uri("p384"), pin)
    for signer in (passed, failed, passed):
        verify_bytes(signer.public_key, signer.sign(b"data"), b"data")


# Cosign 3 verifies neither its own nor others' P-384 and P-521 signatures by default (formats reference, section 4.3).
@pytest.mark.parametrize("label", ["p256", "rsa", "ed25519"])
def test_cosign_verifies_what_the_module_signed(
    hsm: SoftHsm, tools: Tools, olareg: StartOlareg, tmp_path: Path, label: str
) -> None:
    registry, cosign = olareg(), Cosign(tools.cosign, tmp_path)
    write_layout(tmp_path / "image", subject_image())
    digest = push_layout(tmp_path / "image", Repository(registry.host, "shop/web"))
    reference = f"{registry.host}/shop/web@{digest}"
    settings = {"GATE_KEY_PASSWORD": PIN, "SOFTHSM2_CONF": os.environ["SOFTHSM2_CONF"], "GATE_KEY": hsm.uri(label)}
    settings["GATE_SIGN_KEY"] = settings["GATE_KEY"]
    for command in (("sign", reference), ("sign", reference, "--legacy"), ("keys", "public", "hsm.pub")):
        done = run_gate(*command, cwd=tmp_path, environment=settings)
        assert done.returncode == 0, done.stderr
    for form in ("true", "false"):
        assert cosign.verifies(reference, tmp_path / "hsm.pub", f"--new-bundle-format={form}"), form


def signing(hsm: SoftHsm, image: Path, pin_of_user: str) -> subprocess.CompletedProcess[str]:
    return run_gate(
        "sign", f"oci:{image}", "--key", hsm.uri("p256"),
        cwd=image.parent,
        environment={"GATE_KEY_PASSWORD": pin_of_user, "SOFTHSM2_CONF": os.environ["SOFTHSM2_CONF"]},
    )  # fmt: skip


def test_gate_sign_with_a_key_in_the_module_and_policies_by_its_public_half(hsm: SoftHsm, tmp_path: Path) -> None:
    write_layout(tmp_path / "image", subject_image())
    done = signing(hsm, tmp_path / "image", PIN)
    assert done.returncode == 0, done.stderr
    with RegistryClient(RegistryOptions(), Deadline.after(timedelta(minutes=1), Clock())) as client:
        source = open_source(parse_reference(f"oci:{tmp_path / 'image'}"), client)
        root = source.root().digest
        (found,) = collect_attachments(source, root).items
    key = signer_for(hsm.uri("p256"), pin).public_key
    signed = verify_image_signature(
        parse_attachment(found), signer=KeySigner(key=key), expected=root, now=datetime.now(UTC)
    )
    assert signed.key == key


def test_a_policy_names_the_public_half_that_gate_keys_public_writes(hsm: SoftHsm, tmp_path: Path) -> None:
    done = run_gate(
        "keys", "public", "hsm.pub", "--key", hsm.uri("p384"),
        cwd=tmp_path,
        environment={"GATE_KEY_PASSWORD": PIN, "SOFTHSM2_CONF": os.environ["SOFTHSM2_CONF"]},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = parse_public_key((tmp_path / "hsm.pub").read_bytes())
    assert written == signer_for(hsm.uri("p384"), pin).public_key
    assert written.key_id in done.stdout


def test_a_wrong_pin_ends_with_two_and_is_not_shown(hsm: SoftHsm, tmp_path: Path) -> None:
    write_layout(tmp_path / "image", subject_image())
    done = signing(hsm, tmp_path / "image", "999999")
    assert done.returncode == 2
    assert "KEY_PASSWORD" in done.stderr
    assert "Traceback" not in done.stderr
    assert "999999" not in done.stdout + done.stderr
    # SoftHSM counts wrong ones, as tokens do; the right one still works.
    assert signing(hsm, tmp_path / "image", PIN).returncode == 0


@pytest.mark.parametrize("content", [None, b"p" * 2000])
def test_a_pin_file_that_cannot_be_one_is_refused(hsm: SoftHsm, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "pin"
    if content is not None:
        file.write_bytes(content)
    uri = hsm.uri("p256", query=f"&pin-source={file}")
    assert refusal(lambda: signer_for(uri, pin)).code == "KEY_PASSWORD"


def test_a_module_that_is_none_is_an_error(hsm: SoftHsm, tmp_path: Path) -> None:
    uri = hsm.uri("p256").replace(str(hsm.module), str(tmp_path / "none.so"))
    assert refusal(lambda: signer_for(uri, pin)).code == "KEY_SERVICE"
