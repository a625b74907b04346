"""`gate tools install` by a publisher's signed checksums: a loopback mirror, releases signed by the test Sigstore."""

from __future__ import annotations

import base64
import http.server
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gate.admin.tools import InstallOptions, install_tool, list_tools, verify_tools
from gate.clock import Clock, Deadline
from gate.codec.release_signature import parse_checksums, parse_detached_signature
from gate.errors import GateError, InternalError, ScannerError
from gate.model.digest import Digest
from gate.scanners.tool_pins import SignatureForm, ToolPlaces, read_tool_lock, read_user_lock, this_platform
from tests.support.file_server import Served, serve_files
from tests.support.programs import absent
from tests.support.signing import NOW
from tests.support.virtual_sigstore import (
    ISSUER,
    SIGNED_AT,
    SUBJECT,
    Signing,
    VirtualSigstore,
    certificate_pem,
    log_body_hashedrekord,
)

PROGRAM = b"#!/bin/sh\necho scanner\n"
DIGEST = Digest.of(PROGRAM)
CHECKSUMS = "scanner_1.2.3_checksums.txt"
GOOD = f"{'0' * 64}  other.tgz\n{DIGEST.hex}  scanner.bin\n".encode()


def deadline() -> Deadline:
    return Deadline.after(timedelta(minutes=5), Clock(now=lambda: NOW))


@dataclass(kw_only=True)
class Release:
    """What a publisher put on its page; tests spoil one part."""

    sigstore: VirtualSigstore = field(default_factory=VirtualSigstore)
    form: str = "bundle"
    program: bytes = PROGRAM
    checksums: bytes = GOOD
    files: dict[str, bytes] = field(default_factory=dict)
    answer: bytes | None = None
    subject: dict[str, str] = field(default_factory=lambda: {"subject": SUBJECT})
    log: str = ""

    def sign(self, **changes: Any) -> Signing:  # noqa: ANN401 - any field of the leaf
        """Sign the checksums as `cosign sign-blob` does, with an entry in the log."""
        leaf = self.sigstore.leaf(**changes)
        made = self.sigstore.sign_artifact(self.checksums, certificate=self.sigstore.issue(leaf))
        return self.sigstore.log1(made)

    def publish(self, signing: Signing | None = None) -> Release:
        made = signing or self.sign()
        self.files = {"scanner.bin": self.program, CHECKSUMS: self.checksums}
        if self.form == "bundle":
            self.files[f"{CHECKSUMS}.sigstore.json"] = made.bundle()
            return self
        assert made.certificate is not None
        self.files[f"{CHECKSUMS}.pem"] = base64.b64encode(certificate_pem(made.certificate))
        self.files[f"{CHECKSUMS}.sig"] = base64.b64encode(made.signature)
        self.answer = json.dumps([answered(entry) for entry in made.entries]).encode()
        return self

    def lock(self, directory: Path) -> Path:
        archive = {
            "url": "https://example.invalid/v1/scanner.bin",
            "form": "binary",
            "member": "scanner",
            "sha256": None,
        }
        signed = {"checksums": CHECKSUMS, "form": self.form, "issuer": ISSUER, "log": self.log, **self.subject}
        build = {"module_dir": "module", "package": "example.org/scanner", "ldflags": "", "environment": {}}
        program = {
            "version": "1.2.3", "use": "scanner", "build": build, "archives": {this_platform(): archive},
            "binaries": {}, "signed": signed,
        }  # fmt: skip
        path = directory / "tools.lock.yaml"
        common: dict[str, object] = {"flags": [], "environment": {}}
        path.write_text(json.dumps({"schema": 1, "go": common, "programs": {"scanner": program}}))
        return path


def answered(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a log entry as Rekor v1 answers it."""
    proof = entry["inclusionProof"]
    return {
        "1" * 80: {
            "body": entry["canonicalizedBody"],
            "integratedTime": int(entry["integratedTime"]),
            "logID": unhexed(entry["logId"]["keyId"]),
            "logIndex": int(entry["logIndex"]),
            "verification": {
                "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
                "inclusionProof": {
                    "checkpoint": proof["checkpoint"]["envelope"],
                    "hashes": [unhexed(text) for text in proof["hashes"]],
                    "logIndex": int(proof["logIndex"]),
                    "rootHash": unhexed(proof["rootHash"]),
                    "treeSize": int(proof["treeSize"]),
                },
            },
        }
    }


def unhexed(text: str) -> str:
    return base64.b64decode(text).hex()


@contextmanager
def rekor(release: Release, asked: list[Any], status: int = 200) -> Iterator[str]:
    """Serve `entries/retrieve` with the release's answer, for the question that names this very signature."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, question))
            body = release.answer or b"[]"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where a user installs; `install` gives the program's digest, or the error."""

    folder: Path
    places: ToolPlaces

    def install(self, release: Release, *, path: str = "/nowhere", log_status: int = 200) -> Digest:
        with rekor(release, [], log_status) as log:
            release.log = release.log or log
            return self._install(release, path)

    def _install(self, release: Release, path: str) -> Digest:
        places = replace(self.places, lock=release.lock(self.folder))
        served = {f"/{name}": Served(content) for name, content in release.files.items()}
        with serve_files(served) as mirror:
            options = InstallOptions(
                mirror=mirror, environment={"PATH": path}, trusted_root=VirtualSigstore().trusted_root
            )
            return install_tool("scanner", places, options, deadline()).identity.digest

    def refusal(self, release: Release, *, log_status: int = 200) -> ScannerError:
        with pytest.raises(GateError) as raised:
            self.install(release, log_status=log_status)
        assert isinstance(raised.value, ScannerError)
        assert list(self.places.tools_dir.iterdir()) == []
        assert not self.places.user_lock.exists()
        return raised.value


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(
        folder=tmp_path,
        places=ToolPlaces(tools_dir=tmp_path / "tools", user_lock=tmp_path / "tools.lock.json"),
    )


FORMS = pytest.mark.parametrize("form", [form.value for form in SignatureForm])


@FORMS
def test_a_release_that_its_publisher_signed_is_installed_and_pinned(desk: Desk, form: str) -> None:
    release = Release(form=form).publish()
    assert desk.install(release) == DIGEST
    (pin,) = read_user_lock(desk.places.user_lock)
    assert (pin.digest, pin.origin) == (DIGEST, "signed release")
    assert pin.detail == f"https://example.invalid/v1/scanner.bin {DIGEST} signed by {SUBJECT} by {ISSUER}"
    places = replace(desk.places, lock=desk.folder / "tools.lock.yaml")
    assert verify_tools((), places)[0].identity.digest == DIGEST
    (status,) = list_tools(places)
    assert status.ways == ("signed release", "build")
    assert status.origin.startswith("signed release: https://example.invalid/")


def test_an_identity_may_be_a_pattern_that_fits_as_a_whole(desk: Desk) -> None:
    fits = r"https://github\.com/shop/web/\.github/workflows/release\.yml@refs/heads/.+"
    assert desk.install(Release(subject={"subjectRegExp": fits}).publish()) == DIGEST


def test_a_pattern_that_fits_a_part_only_is_another_identity(desk: Desk) -> None:
    release = Release(subject={"subjectRegExp": r"https://github\.com/shop/web/.+/release"}).publish()
    assert desk.refusal(release).code == "TOOL_PUBLISHER"


@FORMS
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"subject": "https://github.com/evil/web/.github/workflows/release.yml@refs/heads/main"}, "ID_MISMATCH"),
        ({"issuer": "https://issuer.evil.example"}, "ID_ISSUER"),
    ],
)
def test_a_release_signed_by_somebody_else_is_refused(desk: Desk, form: str, change: dict[str, str], code: str) -> None:
    release = Release(form=form)
    error = desk.refusal(release.publish(release.sign(**change)))
    assert error.code == "TOOL_PUBLISHER"
    assert error.seen.startswith(code)
    assert SUBJECT in error.expected


@FORMS
def test_c04_a_tampered_archive_is_refused(desk: Desk, form: str) -> None:
    error = desk.refusal(Release(form=form, program=PROGRAM + b"evil").publish())
    assert (error.code, error.expected) == ("TOOL_CHECKSUM", str(DIGEST))


@FORMS
def test_checksums_that_were_changed_after_signing_are_refused(desk: Desk, form: str) -> None:
    release = Release(form=form, program=b"evil").publish()
    release.files[CHECKSUMS] = GOOD.replace(DIGEST.hex.encode(), Digest.of(b"evil").hex.encode())
    error = desk.refusal(release)
    assert error.code == "TOOL_SIGNATURE"
    assert error.seen.startswith("SIG_")


@FORMS
def test_a_release_by_another_sigstore_is_refused(desk: Desk, form: str) -> None:
    error = desk.refusal(Release(form=form, sigstore=VirtualSigstore(seed=1)).publish())
    assert error.code == "TOOL_SIGNATURE"


@pytest.mark.parametrize(
    "checksums",
    [
        b"",
        f"{'0' * 64}  other.tgz\n".encode(),
        GOOD + GOOD,
        GOOD + b"not a line\n",
        GOOD.upper(),
        b"\xff\xfe" + GOOD,
    ],
    ids=["empty", "absent", "twice", "not a line", "upper case", "binary"],
)
def test_signed_checksums_that_say_nothing_of_the_archive_are_refused(desk: Desk, checksums: bytes) -> None:
    assert desk.refusal(Release(checksums=checksums).publish()).code == "TOOL_CHECKSUM"


@pytest.mark.parametrize(("form", "suffix"), [("bundle", ".sigstore.json"), ("detached", ".pem"), ("detached", ".sig")])
def test_a_release_without_its_signature_is_refused(desk: Desk, form: str, suffix: str) -> None:
    release = Release(form=form).publish()
    del release.files[f"{CHECKSUMS}{suffix}"]
    error = desk.refusal(release)
    assert error.code == "TOOL_SIGNATURE"
    assert "404" in error.seen


@pytest.mark.parametrize(("form", "suffix"), [("bundle", ".sigstore.json"), ("detached", ".pem"), ("detached", ".sig")])
@pytest.mark.parametrize("content", [b"", b"{}", b"\0" * 100, b"bm90aGluZw==", b"x" * 70_000])
def test_a_signature_that_is_none_is_refused(desk: Desk, form: str, suffix: str, content: bytes) -> None:
    release = Release(form=form).publish()
    release.files[f"{CHECKSUMS}{suffix}"] = content
    # What is larger than a signature may be is not fetched to its end.
    assert desk.refusal(release).code == ("TOOL_SOURCE" if len(content) > 65536 else "TOOL_SIGNATURE")


def test_a_detached_signature_counts_with_its_log_entry_alone(desk: Desk) -> None:
    release = Release(form="detached").publish()
    release.answer = b"[]"
    error = desk.refusal(release)
    assert error.code == "TOOL_SIGNATURE"
    assert error.seen.startswith(("SIG_THRESHOLD", "SIG_NO_TRUSTED_TIME"))


def test_an_entry_of_another_signature_is_refused(desk: Desk) -> None:
    release = Release(form="detached").publish()
    other = release.sigstore.sign_artifact(b"other")
    entry = release.sigstore.rekor1.append(log_body_hashedrekord(other), SIGNED_AT)
    release.answer = json.dumps([answered(entry)]).encode()
    error = desk.refusal(release)
    assert error.code == "TOOL_SIGNATURE"
    assert error.seen.startswith("SIG_TLOG_MISMATCH")


@pytest.mark.parametrize("answer", [b"{}", b"[[]]", b"[{}]", b'[{"a": {}}]', b"\xff", b"["])
def test_an_answer_of_the_log_that_is_none_is_refused(desk: Desk, answer: bytes) -> None:
    release = Release(form="detached").publish()
    release.answer = answer
    assert desk.refusal(release).code == "TOOL_SOURCE"


def test_a_log_that_refuses_or_is_not_there_is_an_error(desk: Desk) -> None:
    assert desk.refusal(Release(form="detached").publish(), log_status=404).code == "TOOL_SOURCE"


def test_the_log_is_asked_for_this_very_signature(desk: Desk) -> None:
    release = Release(form="detached").publish()
    asked: list[Any] = []
    with rekor(release, asked) as log:
        release.log = log
        desk._install(release, "/nowhere")
    ((path, question),) = asked
    (entry,) = question["entries"]
    assert path == "/api/v1/log/entries/retrieve"
    assert entry["spec"]["data"]["hash"]["value"] == Digest.of(GOOD).hex
    assert entry["spec"]["signature"]["content"].encode() == release.files[f"{CHECKSUMS}.sig"]


@pytest.mark.slow
@pytest.mark.real_tools
def test_a_release_that_cannot_be_had_is_built_and_a_wrong_one_is_not(desk: Desk) -> None:
    go = shutil.which("go")
    if go is None:
        absent("go", "install Go 1.26 or later")
    path = os.pathsep.join((str(Path(go).parent), "/usr/bin", "/bin"))
    with pytest.raises(ScannerError) as raised:
        desk.install(Release(program=b"evil").publish(), path=path)
    assert raised.value.code == "TOOL_CHECKSUM"
    with pytest.raises(ScannerError) as raised:  # the build was tried: there is no such module
        desk.install(Release(), path=path)
    assert raised.value.code == "TOOL_SOURCE"
    assert "built" in raised.value.message


def test_both_forms_of_a_detached_certificate_are_read() -> None:
    made = Release(form="detached").publish()
    pem, signature = made.files[f"{CHECKSUMS}.pem"], made.files[f"{CHECKSUMS}.sig"]
    plain = parse_detached_signature(base64.b64decode(pem), signature + b"\n")
    assert plain.material == parse_detached_signature(pem + b"\n", signature).material


def test_checksums_are_read_as_sha256sum_writes_them() -> None:
    assert parse_checksums(f"{DIGEST.hex} *scanner.bin\n".encode()) == {"scanner.bin": DIGEST}


def test_the_shipped_lock_names_the_publishers_of_both_scanners() -> None:
    lock = read_tool_lock()
    for name in ("trivy", "grype"):
        signer = lock[name].signer
        assert signer is not None
        assert signer.checksums == f"{name}_{lock[name].version}_checksums.txt"
        assert signer.identity.issuer.text == "https://token.actions.githubusercontent.com"
        assert f"/{name}/.github/workflows/" in signer.identity.subject.text
        assert (signer.form is SignatureForm.DETACHED) == bool(signer.log)


def test_a_lock_with_a_form_that_is_not_known_is_a_defect(tmp_path: Path) -> None:
    with pytest.raises(InternalError):
        read_tool_lock(Release(form="gpg").lock(tmp_path))
