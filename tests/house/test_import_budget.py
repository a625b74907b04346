"""What a command loads is what it needs (DESIGN section 10): counted in modules, which no clock disturbs."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.virtual_sigstore import ISSUER, SUBJECT, VirtualSigstore, public_pem
from tools.images.archive import file
from tools.images.layout import ImageConfig, image, layer, write_layout

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
SERVERS = {"aiohttp", "flask", "granian", "hypercorn", "starlette", "uvicorn"}
HEAVY = {
    "cel",
    "cryptography",
    "cyclonedx",
    "jsonschema",
    "pydantic",
    "requests",
    "sigstore",
    "sqlalchemy",
}
# Run as the console script does, then say on the last line which modules came.
PROBE = """
import json, sys
before = set(sys.modules)
sys.argv[0] = "gate"
try:
    from gate.cli.main import main
    sys.exit(main())
finally:
    print("\\n" + json.dumps(sorted(set(sys.modules) - before)))
"""


def run(code: str, *arguments: str) -> tuple[int, list[str]]:
    child = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert child.stdout, child.stderr
    modules: list[str] = json.loads(child.stdout.splitlines()[-1])
    return child.returncode, modules


def top_level(modules: list[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("module", ["gate.model", "gate.model.reasons", "gate.model.reference"])
def test_the_model_loads_nothing_else(module: str) -> None:
    code = f"import json, sys; before = set(sys.modules); import {module}\n"
    code += "print(json.dumps(sorted(set(sys.modules) - before)))"
    _, modules = run(code)
    gate_parts = {name for name in modules if name.startswith("gate.")}
    assert module in gate_parts
    assert {name for name in gate_parts if not name.startswith(("gate.model", "gate.errors"))} == set()
    assert top_level(modules) - set(sys.stdlib_module_names) == {"gate"}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_loads_nothing_heavy(option: str) -> None:
    status, modules = run(PROBE, option)
    assert status == 0
    assert "gate.cli.main" in modules
    assert top_level(modules) & (HEAVY | SERVERS) == set()


# What `gate verify` and `gate verify-bundle` do without, whoever must have signed.
NEVER_TO_VERIFY = SERVERS | {
    "cattrs",
    "jsonschema",
    "nacl",
    "pydantic",
    "requests",
    "rich",
    "sqlalchemy",
    "univers",
    "yaml",
}
# The evidence and the policy of a check: half of the model, and the other half is what a verifier needs.
IDENTITY = {"cryptography.x509", "gate.codec.identity_patterns", "gate.model.identity", "gate.model.trust"}
CHECKED = {"gate.model.evidence", "gate.model.policy", "gate.model.verdict", "gate.pipeline.check"}


def key_file(folder: Path, key: ec.EllipticCurvePrivateKey) -> str:
    (folder / "gate.pub").write_bytes(public_pem(key))
    return str(folder / "gate.pub")


def test_verify_by_key_loads_what_a_key_and_a_verdict_need(tmp_path: Path) -> None:
    subject = image([layer([file("etc/os-release", "ID=none\n")], mtime=0)], ImageConfig(created=CREATED))
    write_layout(tmp_path / "image", subject)
    demanded = (
        "--key",
        key_file(tmp_path, ec.generate_private_key(ec.SECP256R1())),
        "--policy",
        f"sha256:{'0' * 64}",
        "--as",
        "registry.example/shop/web",
    )
    status, modules = run(PROBE, "verify", f"oci:{tmp_path / 'image'}", *demanded)
    assert status == 1, "nothing is attached, so it is refused: ATT_MISSING"
    assert "gate.verification.demand" in modules
    assert top_level(modules) & (NEVER_TO_VERIFY | {"sigstore"}) == set()
    assert set(modules) & (CHECKED | IDENTITY) == set()
    scanners = {name for name in modules if name.startswith("gate.") and name.rpartition(".")[2] in {"trivy", "grype"}}
    assert scanners == set()


def test_a_check_loads_no_library_of_sboms(tmp_path: Path) -> None:
    """Documents are validated in a process of their own, and only where a policy demands one."""
    subject = image([layer([file("etc/os-release", "ID=none\n")], mtime=0)], ImageConfig(created=CREATED))
    write_layout(tmp_path / "image", subject)
    demanded = {"image": {"user": "non-root"}}
    (tmp_path / "policy.yaml").write_text(
        json.dumps({"apiVersion": "gate/v1", "kind": "Policy", "metadata": {"name": "user"}, "spec": demanded})
    )
    places = [f"--{name}-dir={tmp_path / name}" for name in ("cache", "tools", "db")]
    record = f"--record={tmp_path / 'record.db'}"
    arguments = (f"oci:{tmp_path / 'image'}", f"--policy={tmp_path / 'policy.yaml'}", *places, record)
    status, modules = run(PROBE, "check", *arguments)
    assert status == 1, "its user is root, so it is refused: IMG_USER_ROOT"
    assert "gate.pipeline.collect.gather" in modules
    assert top_level(modules) & (SERVERS | {"cel", "cyclonedx", "jsonschema", "pydantic", "sigstore"}) == set()


def test_verify_bundle_by_key_reads_no_certificate_and_loads_no_client(tmp_path: Path) -> None:
    made = VirtualSigstore()
    (tmp_path / "bundle").write_bytes(made.sign_artifact(b"artifact", by_key=True).bundle())
    (tmp_path / "artifact").write_bytes(b"artifact")
    who = ("--bundle", str(tmp_path / "bundle"), "--key", key_file(tmp_path, made.key))
    status, modules = run(PROBE, "verify-bundle", str(tmp_path / "artifact"), *who)
    assert status == 0
    assert "gate.verification.signature" in modules
    assert top_level(modules) & (NEVER_TO_VERIFY | {"sigstore", "urllib3"}) == set()
    assert set(modules) & (CHECKED | IDENTITY) == set()


def test_verify_bundle_by_identity_loads_no_client(tmp_path: Path) -> None:
    made = VirtualSigstore()
    (tmp_path / "bundle").write_bytes(made.stamp(made.log2(made.sign_artifact(b"artifact"))).bundle())
    (tmp_path / "artifact").write_bytes(b"artifact")
    (tmp_path / "root.json").write_bytes(made.trusted_root())
    identity = ("--certificate-identity", SUBJECT, "--certificate-oidc-issuer", ISSUER)
    who = ("--bundle", str(tmp_path / "bundle"), "--trusted-root", str(tmp_path / "root.json"), *identity)
    status, modules = run(PROBE, "verify-bundle", str(tmp_path / "artifact"), *who)
    assert status == 0
    assert "gate.verification.certificates" in modules
    assert top_level(modules) & (NEVER_TO_VERIFY | {"sigstore", "urllib3"}) == set()
    assert set(modules) & CHECKED == set()


def test_finding_references_loads_no_client_and_no_signatures(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM alpine:3.20\n", encoding="utf-8")
    status, modules = run(PROBE, "refs", str(tmp_path), "--quiet")
    assert status == 1
    assert "gate.sources.dockerfile" in modules
    assert top_level(modules) & (HEAVY | SERVERS | {"urllib3"}) == set()
