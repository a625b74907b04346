"""What a command loads is what it needs (DESIGN section 10): counted in modules, which no clock disturbs."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

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


def test_verify_by_key_loads_no_sigstore_no_schema_and_no_scanner(tmp_path: Path) -> None:
    subject = image([layer([file("etc/os-release", "ID=none\n")], mtime=0)], ImageConfig(created=CREATED))
    write_layout(tmp_path / "image", subject)
    (tmp_path / "gate.pub").write_bytes(
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    demanded = (
        "--key",
        str(tmp_path / "gate.pub"),
        "--policy",
        f"sha256:{'0' * 64}",
        "--as",
        "registry.example/shop/web",
    )
    status, modules = run(PROBE, "verify", f"oci:{tmp_path / 'image'}", *demanded)
    assert status == 1, "nothing is attached, so it is refused: ATT_MISSING"
    assert top_level(modules) & (SERVERS | {"jsonschema", "sigstore", "pydantic", "sqlalchemy"}) == set()
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
    assert "gate.pipeline.gather" in modules
    assert top_level(modules) & (SERVERS | {"cel", "cyclonedx", "jsonschema", "pydantic", "sigstore"}) == set()
