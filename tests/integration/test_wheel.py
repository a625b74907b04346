"""The built wheel, installed into an empty environment, does the main job: what ships is whole."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.programs import absent
from tests.support.sources import ROOT
from tools.images.archive import file
from tools.images.layout import ImageConfig, image, layer, write_layout

pytestmark = pytest.mark.slow
UV = ROOT / ".venv" / "bin" / "uv"
OFFLINE = ("--quiet", "--offline", "--no-config")
NAME = "127.0.0.1:5000/shop/web"
POLICY = """\
apiVersion: gate/v1
kind: Policy
metadata: {name: user-only}
spec:
  image: {user: non-root}
"""


def package_cache() -> Path:
    """Return uv's cache of the locked packages that `make` fetched; without it an installation would need a network."""
    note = ROOT / ".venv" / "uv-cache"
    if not note.is_file() or not (folder := Path(note.read_text(encoding="utf-8").strip())).is_dir():
        absent("the cache of locked packages", "run `make test`, which fetches them")
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("supply_chain_gate-*.whl")
    return built


@pytest.fixture(scope="module")
def gate(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the command in an environment that holds the wheel, its locked dependencies and nothing of the checkout."""
    cache = package_cache()
    environment = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, capture_output=True)
    install = [
        str(UV),
        "pip",
        "install",
        *OFFLINE,
        "--cache-dir",
        str(cache),
        "--python",
        str(environment / "bin" / "python"),
    ]
    locked = ["--require-hashes", "--requirement", str(ROOT / "requirements" / "runtime.txt")]
    for arguments in (locked, ["--no-deps", str(wheel)]):
        subprocess.run([*install, *arguments], check=True, capture_output=True)
    return environment / "bin" / "gate"


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    config = ImageConfig(created=datetime(2026, 1, 1, tzinfo=UTC), user="10001:10001")
    # A distribution and a package that both scanners know: only the missing scanners stand in the way.
    installed = "Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 12.4+deb12u11\n\n"
    base = layer(
        [file("etc/os-release", 'ID=debian\nVERSION_ID="12"\n'), file("var/lib/dpkg/status", installed)], mtime=0
    )
    return write_layout(tmp_path / "image", image([base], config))


def run(gate: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(gate), *arguments], cwd=cwd, check=False, capture_output=True, text=True, timeout=120)


def test_the_wheel_carries_what_the_gate_reads_at_run_time(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {"gate/py.typed", "gate/data/policies/baseline.yaml", "gate/data/tools.lock.yaml"}
    expected |= {
        f"gate/data/tools/{tool}/go.{kind}" for tool in ("trivy", "grype", "cosign") for kind in ("mod", "sum")
    }
    assert expected <= names
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"gate"}


def test_an_image_is_judged_by_the_installed_wheel(gate: Path, layout: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    judged = run(
        gate, "check", f"oci:{layout}", "--as", NAME, "--policy", "policy.yaml", "--format", "json", cwd=tmp_path
    )
    assert judged.returncode == 0, judged.stderr
    report = json.loads(judged.stdout)
    assert report["exitCode"] == 0
    assert [subject["decision"] for subject in report["images"]] == ["passed"]


def test_the_shipped_policy_is_found_and_missing_scanners_are_no_pass(gate: Path, layout: Path, tmp_path: Path) -> None:
    judged = run(gate, "check", f"oci:{layout}", "--as", NAME, "--format", "json", "--offline", cwd=tmp_path)
    assert judged.returncode == 3, judged.stderr
    (subject,) = json.loads(judged.stdout)["images"]
    assert subject["policy"]["name"] == "baseline"
    codes = {code for check in subject["checks"] for code in check["codes"]}
    assert any(code.startswith("SCAN_") for code in codes), codes


def test_the_schema_ships(gate: Path, tmp_path: Path) -> None:
    printed = run(gate, "policy", "schema", cwd=tmp_path)
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
