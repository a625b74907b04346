"""The bundles of the sigstore-conformance project: the right answer for each, and the reason code for each refusal.

A refusal for another reason than the case's own would hide that the case is not covered (DESIGN rule 9).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from gate.cli.main import cli
from gate.codec.keys import parse_public_key
from gate.errors import GateError
from gate.model.digest import Digest
from gate.model.identity import Identity, Matcher
from gate.model.signer import PublicKey
from gate.pipeline.verify_bundle import verify_bundle

IDENTITY: Final = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/"
    "extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
ISSUER: Final = "https://token.actions.githubusercontent.com"
# After the last of the cases was made: a fixed moment, so that no answer depends on the day of the run.
NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
BEFORE: Final = datetime(2026, 5, 7, 15, 20, tzinfo=UTC)
# Formats reference, section 8.1, "Conformance cases and their codes".
CODES: Final = {
    "bundle-from-wrong-instance_fail": "SIG_TLOG_INVALID",
    "bundle-invalid-base64-signature_fail": "SIG_MALFORMED",
    "bundle-negative-log-index_fail": "SIG_MALFORMED",
    "bundle-with-root-cert_fail": "SIG_UNTRUSTED_CHAIN",
    "checkpoint-wrong-roothash_fail": "SIG_INCLUSION",
    "dsse-invalid-sig_fail": "SIG_TLOG_MISMATCH",
    "dsse-mismatch-envelope_fail": "SIG_TLOG_MISMATCH",
    "inclusion-proof-corrupted-hash_fail": "SIG_INCLUSION",
    "integrated-time-in-future_fail": "SIG_EXPIRED",
    "intoto-expired-certificate_fail": "SIG_EXPIRED",
    "intoto-missing-inclusion-proof_fail": "SIG_INCLUSION",
    "intoto-set-outside-signing-cert-validity_fail": "SIG_EXPIRED",
    "intoto-tsa-timestamp-outside-cert-validity_fail": "SIG_TIME_CONFLICT",
    "invalid-checkpoint-signature_fail": "SIG_INCLUSION",
    "invalid-ct-key_fail": "SIG_SCT",
    "invalid-inclusion-proof_fail": "SIG_INCLUSION",
    # A key file that does not parse is a fault of the request, not of the signature (formats 11).
    "managed-key-wrong-key_fail": "KEY_MALFORMED",
    "rekor2-checkpoint-missing-root-hash_fail": "SIG_INCLUSION",
    "rekor2-checkpoint-missing-size_fail": "SIG_INCLUSION",
    "rekor2-dsse-mismatch-sig_fail": "SIG_TLOG_MISMATCH",
    "rekor2-no-timestamp_fail": "SIG_NO_TRUSTED_TIME",
    "rekor2-timestamp-outside-tsa-cert-validity_fail": "SIG_TSA_UNTRUSTED",
    # The parser refuses its DER: the order of a set.
    "rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail": "SIG_MALFORMED",
    "rekor2-timestamp-untrusted-tsa-without-embedded-cert_fail": "SIG_TSA_UNTRUSTED",
    "set-invalid-signature_fail": "SIG_TLOG_INVALID",
    "signature-mismatch_fail": "SIG_TLOG_MISMATCH",
    "wrong-hashedrekord-artifact_fail": "SIG_TLOG_MISMATCH",
    "wrong-hashedrekord-cert-and-sig_fail": "SIG_TLOG_MISMATCH",
    "wrong-hashedrekord-entry_fail": "SIG_TLOG_MISMATCH",
}


def _folder() -> Path | None:
    place = os.environ.get("SIGSTORE_CONFORMANCE_DIR")
    return Path(place) if place else None


@dataclass(frozen=True)
class Case:
    """One folder of the suite."""

    folder: Path

    def path(self, name: str) -> Path | None:
        place = self.folder / name
        return place if place.exists() else None

    def read(self, name: str) -> bytes | None:
        place = self.path(name)
        return place.read_bytes() if place is not None else None

    @property
    def artifact(self) -> Path:
        return self.path("artifact") or self.folder.parent / "a.txt"

    def text(self, name: str, default: str) -> str:
        content = self.read(name)
        return content.decode().strip() if content is not None else default

    @property
    def signer(self) -> PublicKey | Identity:
        key = self.read("key.pub")
        if key is not None:
            return parse_public_key(key)
        subject, issuer = self.text("identity", IDENTITY), self.text("issuer", ISSUER)
        return Identity(subject=Matcher(text=subject), issuer=Matcher(text=issuer))

    def code(self, *, by_digest: bool = False, now: datetime = NOW) -> str:
        """Return the code of the refusal, or ""."""
        data = self.artifact.read_bytes()
        bundle = (self.folder / "bundle.sigstore.json").read_bytes()
        artifact = Digest.of(data) if by_digest else data
        try:
            verify_bundle(bundle, artifact, signer=self.signer, trusted_root=self.read("trusted_root.json"), now=now)
        except GateError as error:
            return error.code
        return ""

    def arguments(self) -> list[str]:
        given = ["verify-bundle", "--bundle", str(self.folder / "bundle.sigstore.json")]
        key, root = self.path("key.pub"), self.path("trusted_root.json")
        if key is not None:
            given += ["--key", str(key)]
        else:
            given += ["--certificate-identity", self.text("identity", IDENTITY)]
            given += ["--certificate-oidc-issuer", self.text("issuer", ISSUER)]
        return given + (["--trusted-root", str(root)] if root is not None else [])


CASES: Final = (
    [Case(path.parent) for path in sorted(folder.glob("*/bundle.sigstore.json"))] if (folder := _folder()) else []
)
pytestmark = pytest.mark.skipif(not CASES, reason="SIGSTORE_CONFORMANCE_DIR is not set")
each_case = pytest.mark.parametrize("case", CASES, ids=[case.folder.name for case in CASES])


@each_case
@pytest.mark.parametrize("by_digest", [False, True], ids=["file", "digest"])
def test_the_case_has_its_answer_and_its_reason(case: Case, by_digest: bool) -> None:  # noqa: FBT001
    expected = CODES[case.folder.name] if case.folder.name.endswith("_fail") else ""
    assert case.code(by_digest=by_digest) == expected


@each_case
def test_the_command_speaks_the_suites_own_protocol(case: Case) -> None:
    digest = str(Digest.of(case.artifact.read_bytes()))
    for artifact in (str(case.artifact), digest):
        result = CliRunner().invoke(cli, [*case.arguments(), artifact])
        assert (result.exit_code != 0) == case.folder.name.endswith("_fail"), result.stderr
        if result.exit_code:
            assert CODES[case.folder.name] in result.stderr


def test_a_time_of_a_log_that_is_not_come_yet_is_no_time() -> None:
    case = Case(CASES[0].folder.parent / "integrated-time-in-future_fail")
    assert case.code(now=BEFORE) == "SIG_TLOG_INVALID"


def test_all_cases_that_are_refused_have_a_code() -> None:
    assert {case.folder.name for case in CASES if case.folder.name.endswith("_fail")} == set(CODES)
