"""`gate verify-bundle` as it is used: by identity, by key, over files and digests, offline; each refusal with its code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gate.model.digest import Digest
from tests.cli.conftest import Run
from tests.support.virtual_sigstore import DAY, ISSUER, MINUTE, START, SUBJECT, VirtualSigstore, public_pem

ARTIFACT = b"an artifact\n"
SIGNED = START + DAY
WHO = ("--certificate-identity", SUBJECT, "--certificate-oidc-issuer", ISSUER)
ROOT = ("--trusted-root", "root.json")


@pytest.fixture(autouse=True)
def _files(run: Run) -> None:
    """Write an artifact, bundles over it by identity and by key, the trusted root and the key."""
    del run
    vs = VirtualSigstore()
    signing = vs.sign_artifact(ARTIFACT, certificate=vs.issue(vs.leaf(at=SIGNED)))
    by_key = vs.sign_artifact(ARTIFACT, by_key=True)
    Path("artifact").write_bytes(ARTIFACT)
    Path("bundle.json").write_bytes(vs.log1(signing, at=SIGNED + MINUTE).bundle())
    Path("key.json").write_bytes(by_key.bundle())
    Path("logged-key.json").write_bytes(vs.log1(by_key, at=SIGNED + MINUTE).bundle())
    Path("root.json").write_bytes(vs.trusted_root())
    Path("key.pub").write_bytes(public_pem(vs.key))


@pytest.mark.parametrize("artifact", ["artifact", str(Digest.of(ARTIFACT))])
def test_a_bundle_verifies_and_says_who_signed_when(run: Run, artifact: str) -> None:
    result = run("verify-bundle", artifact, "--bundle", "bundle.json", *WHO, *ROOT, "--offline", "-f", "json")
    assert result.exit_code == 0, result.stderr
    (row,) = json.loads(result.stdout)["signatures"]
    assert (row["signer"], row["issuer"], row["timestamps"]) == (SUBJECT, ISSUER, None)
    assert row["time"] == "2025-01-26T12:01:00Z"
    assert row["logs"].startswith("https://rekor.virtual.example ")


def test_patterns_fit_whole_identities(run: Run) -> None:
    issuer = ("--certificate-oidc-issuer", ISSUER)
    common = ("verify-bundle", "artifact", "--bundle", "bundle.json", *ROOT, *issuer)
    good = run(*common, "--certificate-identity-regexp", r"https://github\.com/shop/web/.+@refs/heads/main")
    assert good.exit_code == 0, good.stderr
    other = run(*common, "--certificate-identity-regexp", r"https://github\.com/shop/web/.+@refs/heads/mai")
    assert (other.exit_code, other.stderr.count("ID_MISMATCH")) == (1, 1)
    loose = run(*common, "--certificate-identity-regexp", "github.com/shop")
    assert (loose.exit_code, loose.stderr.count("POL_REGEX")) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (("artifact", "--bundle", "bundle.json", *WHO), "SIG_TLOG_INVALID", 1),
        (("root.json", "--bundle", "bundle.json", *WHO, *ROOT), "SIG_TLOG_MISMATCH", 1),
        (("artifact", "--bundle", "bundle.json", "--key", "key.pub", *ROOT), "ID_MISMATCH", 1),
        (("artifact", "--bundle", "key.json", *WHO, *ROOT), "ID_MISMATCH", 1),
        (("root.json", "--bundle", "key.json", "--key", "key.pub"), "SIG_SUBJECT_MISMATCH", 1),
        (("artifact", "--bundle", "logged-key.json", "--key", "key.pub"), "SIG_TLOG_INVALID", 1),
        (("artifact", "--bundle", "artifact", "--key", "key.pub"), "SIG_MALFORMED", 1),
        (("artifact", "--bundle", "bundle.json", *WHO, "--trusted-root", "artifact"), "ROOT_MALFORMED", 2),
        (("artifact", "--bundle", "bundle.json", *WHO, "--key", "key.pub", *ROOT), "USAGE", 2),
        (("artifact", "--bundle", "bundle.json", *ROOT), "USAGE", 2),
        (("artifact", "--bundle", "bundle.json", *WHO[:2], *ROOT), "USAGE", 2),
        (("artifact", "--bundle", "bundle.json", *WHO[2:], *ROOT), "USAGE", 2),
        (("artifact", "--bundle", "bundle.json", *WHO[:2], "--certificate-oidc-issuer", "", *ROOT), "USAGE", 2),
        (("gone", "--bundle", "bundle.json", *WHO, *ROOT), "USAGE", 2),
        (("artifact", "--bundle", "gone.json", *WHO, *ROOT), "USAGE", 2),
        ((".", "--bundle", "bundle.json", *WHO, *ROOT), "USAGE", 2),
        (("sha256:abc", "--bundle", "bundle.json", *WHO, *ROOT), "REF_DIGEST", 2),
    ],
    ids=range(17),
)
def test_what_does_not_verify_is_refused_with_its_code(
    run: Run, arguments: tuple[str, ...], code: str, exit_code: int
) -> None:
    result = run("verify-bundle", *arguments)
    assert (result.exit_code, result.stderr.count(code)) == (exit_code, 1), result.stderr


@pytest.mark.parametrize("name", ["key.json", "logged-key.json"])
def test_a_key_verifies_with_and_without_a_log(run: Run, name: str) -> None:
    result = run("verify-bundle", "artifact", "--bundle", name, "--key", "key.pub", *ROOT)
    assert result.exit_code == 0, result.stderr
    if name == "key.json":
        assert run("verify-bundle", "artifact", "--bundle", name, "--key", "key.pub").exit_code == 0


def test_a_private_instance_without_log_and_certificate_log_is_verified_by_flags(run: Run) -> None:
    """As GitHub's instance for private repositories: timestamps alone, and certificates that no log holds."""
    vs = VirtualSigstore()
    certificate = vs.issue(vs.leaf(at=SIGNED, logged=False))
    signing = vs.stamp(vs.sign_artifact(ARTIFACT, certificate=certificate), at=SIGNED + MINUTE)
    Path("private.json").write_bytes(signing.bundle())
    Path("private-root.json").write_bytes(vs.trusted_root(tlogs=[], ctlogs=[]))
    asked = ("verify-bundle", "artifact", "--bundle", "private.json", *WHO, "--trusted-root", "private-root.json")
    assert "ROOT_EMPTY" in run(*asked).stderr
    flags = ("--log", "0", "--timestamps", "1", "--no-sct")
    result = run(*asked, *flags)
    assert result.exit_code == 0, result.stderr
    assert run(*asked, *flags[:4]).exit_code == 3, "the root has no certificate log, and one is still demanded"
    assert "SIG_THRESHOLD" in run(*asked, "--log", "0", "--timestamps", "2", "--no-sct").stderr
    for wrong in (("--log", "0"), ("--log", "0", "--timestamps", "0", "--no-sct")):
        assert run(*asked, *wrong).exit_code == 2
    public = run("verify-bundle", "artifact", "--bundle", "private.json", *WHO, *flags)
    assert (public.exit_code, "--trusted-root" in public.stderr) == (2, True)
