"""Bad input, each told in one line with a code and the right exit code, never by a traceback, and never let through."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from gate.model.digest import Digest
from gate.model.image import OCI_INDEX, OCI_MANIFEST
from tests.support.command import Told, places_of
from tests.support.hostile import Exchange, HostileRegistry, answer, hostile_registry
from tests.support.images import described, small_image
from tests.support.installation import PASSWORD, SHOP, Installation, shop_policy

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

NAME: Final = f"{SHOP}/web"
MARK: Final = b'{"imageLayoutVersion":"1.0.0"}'


def write_layout(folder: Path, root: bytes, media_type: str, *blobs: bytes) -> Path:
    """Write a layout that names these bytes as its image, whatever they are."""
    (folder / "blobs" / "sha256").mkdir(parents=True)
    for blob in (root, *blobs):
        (folder / "blobs" / "sha256" / hashlib.sha256(blob).hexdigest()).write_bytes(blob)
    (folder / "oci-layout").write_bytes(MARK)
    (folder / "index.json").write_text(
        json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [described(root, media_type)]})
    )
    return folder


def large_index() -> bytes:
    child = small_image(b"").manifest
    platforms = ({"os": "linux", "architecture": f"a{number}"} for number in range(10_000))
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [{**described(child, OCI_MANIFEST), "platform": platform} for platform in platforms],
        }
    ).encode()


def with_annotation(text: str) -> bytes:
    """Return a manifest with one more member, written as it stands."""
    return small_image(b"").manifest[:-1] + b"," + text.encode() + b"}"


# Name → the bytes that are named as the image, their type as it is named, the code and the exit code.
MANIFESTS: dict[str, tuple[Callable[[], bytes], str, str, int]] = {
    "10,000 children": (large_index, OCI_INDEX, "LIMIT_INDEX", 1),
    "deeply nested": (lambda: with_annotation('"x":' + "[" * 100_000 + "]" * 100_000), OCI_MANIFEST, "IMG_MALFORMED", 1),
    "duplicate keys": (lambda: with_annotation('"layers":[]'), OCI_MANIFEST, "IMG_AMBIGUOUS", 1),
    "an index and an image": (lambda: with_annotation('"manifests":[]'), OCI_MANIFEST, "IMG_AMBIGUOUS", 1),
    "another type than named": (lambda: small_image(b"").manifest, OCI_INDEX, "IMG_AMBIGUOUS", 1),
    "an unknown type": (lambda: b"{}", "application/vnd.example+json", "IMG_MEDIA_TYPE", 1),
    "a schema of 2016": (
        lambda: b'{"schemaVersion":1}', "application/vnd.docker.distribution.manifest.v1+json", "IMG_MEDIA_TYPE", 1
    ),
    "no JSON": (lambda: b"<html>", OCI_MANIFEST, "IMG_MALFORMED", 1),
    "nothing": (lambda: b"", OCI_MANIFEST, "IMG_MALFORMED", 1),
}  # fmt: skip


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_manifest_that_is_none(case: str, tell: Callable[..., Told], tmp_path: Path) -> None:
    content, media_type, code, exit_code = MANIFESTS[case]
    told = tell("check", f"oci:{write_layout(tmp_path / 'image', content(), media_type)}")
    # The shipped policy only warns of one check that it leaves without an answer: the code stands under both headings.
    assert (told.exit_code, set(told.codes)) == (exit_code, {code})


def no_folder(image: Path) -> str:
    return f"oci:{image / 'absent'}"


def a_file(image: Path) -> str:
    return f"oci:{image / 'index.json'}"


def no_mark(image: Path) -> str:
    (image / "oci-layout").unlink()
    return f"oci:{image}"


def empty_index(image: Path) -> str:
    (image / "index.json").write_text('{"schemaVersion":2,"manifests":[]}')
    return f"oci:{image}"


def largest_blob(image: Path) -> Path:
    return max((image / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)


def half_a_layer(image: Path) -> str:
    blob = largest_blob(image)
    blob.write_bytes(blob.read_bytes()[: blob.stat().st_size // 2])
    return f"oci:{image}"


def no_layer(image: Path) -> str:
    largest_blob(image).unlink()
    return f"oci:{image}"


def another_layer(image: Path) -> str:
    blob = largest_blob(image)
    blob.write_bytes(bytes(byte ^ 1 for byte in blob.read_bytes()))
    return f"oci:{image}"


def no_archive(image: Path) -> str:
    return f"archive:{image / 'absent.tar'}"


def archive_of_text(image: Path) -> str:
    (image / "image.tar").write_text("this is no tar\n" * 100)
    return f"archive:{image / 'image.tar'}"


# What was done to a good image → the code and the exit code.
IMAGES: dict[Callable[[Path], str], tuple[str, int]] = {
    no_folder: ("REF_PATH", 2),
    a_file: ("IMG_UNREADABLE", 3),
    no_mark: ("IMG_MALFORMED", 1),
    empty_index: ("IMG_MALFORMED", 1),
    half_a_layer: ("IMG_BLOB_MISMATCH", 3),
    no_layer: ("IMG_UNREADABLE", 3),
    another_layer: ("IMG_BLOB_MISMATCH", 3),
    no_archive: ("REF_PATH", 2),
    archive_of_text: ("IMG_MALFORMED", 1),
}


@pytest.mark.parametrize("damage", IMAGES, ids=lambda damage: damage.__name__)
def test_an_image_that_is_not_whole(
    damage: Callable[[Path], str], tell: Callable[..., Told], installed: Installation, own: Path, tmp_path: Path
) -> None:
    image = installed.copy("exposed-ssh", tmp_path / "image")
    code, exit_code = IMAGES[damage]
    cold = [f"--cache-dir={own / 'cache'}", *places_of(installed, own)[1:]]
    told = tell("check", damage(image), *cold, places=False)
    assert (told.exit_code, set(told.codes)) == (exit_code, {code})


@pytest.fixture
def registry() -> Iterator[HostileRegistry]:
    with hostile_registry() as running:
        yield running


MANIFEST = small_image(b"").manifest
DIGEST = Digest.of(MANIFEST)
JSON_TYPE: Final = {"Content-Type": OCI_MANIFEST}


def too_much(exchange: Exchange) -> None:
    exchange.endless(200, JSON_TYPE)


def slowly(exchange: Exchange) -> None:
    exchange.raw(exchange.head(200, {**JSON_TYPE, "Content-Length": str(len(MANIFEST))}))
    exchange.drip(MANIFEST, every=1.0)


def nothing(exchange: Exchange) -> None:
    exchange.raw(b"")


ANSWERS: dict[str, tuple[Callable[[Exchange], None], str]] = {
    "401": (answer(401), "REG_AUTH"),
    "403": (answer(403), "REG_DENIED"),
    "404": (answer(404), "REG_NOT_FOUND"),
    "429": (answer(429, headers={"Retry-After": "3600"}), "REG_RATE_LIMIT"),
    "500": (answer(500), "REG_ERROR"),
    "HTML": (answer(200, b"<html>sign in</html>", {"Content-Type": "text/html"}), "REG_MALFORMED"),
    "no body": (answer(200, b"", JSON_TYPE), "REG_MALFORMED"),
    "nothing": (nothing, "REG_UNREACHABLE"),
    "too much": (too_much, "LIMIT_RESPONSE"),
    "slowly": (slowly, "REG_TIMEOUT"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_registry_that_does_not_answer_as_it_should(
    case: str, registry: HostileRegistry, tell: Callable[..., Told], installed: Installation
) -> None:
    script, code = ANSWERS[case]
    registry.on("GET", f"/v2/shop/web/manifests/{DIGEST}", script)
    reference = f"{registry.host}/shop/web@{DIGEST}"
    timeout = f"--timeout={1 if script is slowly else 4}s"
    told = tell("check", reference, timeout)
    assert (told.exit_code, told.codes) == (3, [code])
    registry.on("GET", f"/v2/shop/web/referrers/{DIGEST}", script)
    key = str(installed.public_key_file())
    # For the listing 404 means that there is no API for it (OCI distribution-spec); then nothing hangs on the image.
    told = tell("verify", reference, "--key", key, "--policy", str(installed.policy), timeout)
    assert told.exit_code == (1 if case == "404" else 3)


def test_a_registry_that_answers_is_judged(registry: HostileRegistry, tell: Callable[..., Told]) -> None:
    """The positive twin: this very manifest is read where the registry serves it, and only its blobs are missing."""
    registry.serve(f"/v2/shop/web/manifests/{DIGEST}", MANIFEST, JSON_TYPE)
    told = tell("check", f"{registry.host}/shop/web@{DIGEST}", "--timeout=4s")
    assert (told.exit_code, set(told.codes)) == (3, {"REG_NOT_FOUND"})
    assert registry.asked("GET", f"/v2/shop/web/blobs/{json.loads(MANIFEST)['config']['digest']}")


def test_a_policy_with_a_typo(tell: Callable[..., Told], tmp_path: Path, installed: Installation) -> None:
    policy = tmp_path / "policy.yaml"
    text = shop_policy(installed).decode()
    policy.write_text(text.replace('"failOn": "high"', '"failsOn": "high"'))
    told = tell("check", f"oci:{installed.layout('clean')}", "-p", str(policy))
    assert (told.exit_code, told.codes) == (2, ["POL_UNKNOWN_KEY"])
    line = 1 + next(row for row, content in enumerate(text.splitlines()) if '"failOn": "high"' in content)
    assert f"policy.yaml:{line}:" in told.stderr
    assert "failOn" in told.stderr
    policy.write_text(text)
    assert tell("check", f"oci:{installed.layout('clean')}", "-p", str(policy)).exit_code == 0


@pytest.mark.parametrize(
    ("password", "key", "code"),
    [
        ("not this one", "gate.key", "KEY_PASSWORD"),
        (PASSWORD, "gate.pub", "KEY_MALFORMED"),
        (PASSWORD, "absent.key", "KEY_MALFORMED"),
        (PASSWORD, ".", "KEY_MALFORMED"),
    ],
)
def test_a_key_that_cannot_sign(
    password: str,
    key: str,
    code: str,
    tell: Callable[..., Told],
    installed: Installation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATE_KEY_PASSWORD", password)
    place = installed.root / "keys" / key
    told = tell("check", f"oci:{installed.layout('clean')}", "--as", NAME, "--key", str(place))
    assert (told.exit_code, told.codes) == (2, [code])
    assert password not in told.stdout + told.stderr


def test_a_key_that_cannot_verify(tell: Callable[..., Told], installed: Installation) -> None:
    digest = installed.digests["clean"]
    for key in (installed.private_key(), installed.policy):
        told = tell("verify", f"{NAME}@{digest}", "--key", str(key), "--policy", str(installed.policy))
        assert (told.exit_code, told.codes) == (2, ["KEY_MALFORMED"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("web:latest@sha256:abc",), "REF_DIGEST"),
        (("-o/dev/null\n",), "USAGE"),
        (("registry.example/UPPER@sha256:" + "0" * 64,), "REF_MALFORMED"),
        ((f"{NAME}@sha256:" + "0" * 64, "--timeout=soon"), "USAGE"),
        ((f"{NAME}@sha256:" + "0" * 64, "--attestation=verdict.json"), "USAGE"),
        ((f"{NAME}@sha256:" + "0" * 64, "--policy=policy.yaml", "--fail-on=low"), "POL_MALFORMED"),
    ],
)
def test_a_request_that_makes_no_sense(arguments: tuple[str, ...], code: str, tell: Callable[..., Told]) -> None:
    told = tell("check", *arguments)
    assert (told.exit_code, told.codes) == (2, [code])
