"""Images as real builders write them (`fixtures/builders`) are judged as honest, with both real scanners."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.builder_forms import FORMS
from tests.support.command import Told
from tests.support.policies import policy_document

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

_FIXTURES: Final = Path(__file__).parents[2] / "fixtures" / "builders"
ESTARGZ: Final = "buildkit-estargz-archive"
NAMES: Final = sorted({path.name.removesuffix(".tar.gz") for path in _FIXTURES.glob("*.tar.gz")} - {ESTARGZ})
# What is asked of each: everything that looks into layers and configuration.
_POLICY: Final[dict[str, Any]] = {
    "vulnerabilities": {"failOn": "high", "databaseMaxAge": "48h"},
    "secrets": {"failOn": "any"},
    "image": {"user": "any", "setuid": {"allow": []}},
    "coverage": {"unread": "fail"},
}


def reference(name: str, folder: Path) -> str:
    """Unpack a fixture as its builder left it, and return the reference of its image."""
    packed = _FIXTURES / f"{name}.tar.gz"
    if name.endswith("-archive"):
        archive = folder / f"{name}.tar"
        archive.write_bytes(gzip.decompress(packed.read_bytes()))
        return f"archive:{archive}"
    with tarfile.open(packed) as layout:
        layout.extractall(folder / name, filter="data")
    return f"oci:{folder / name}"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    place = tmp_path / "policy.yaml"
    place.write_text(json.dumps(policy_document(**_POLICY)), encoding="utf-8")
    return place


@pytest.mark.parametrize("name", NAMES)
def test_the_image_of_a_real_builder_passes(name: str, policy: Path, tmp_path: Path, tell: Callable[..., Told]) -> None:
    told = tell("check", reference(name, tmp_path), "--policy", str(policy), "--format", "json")
    report = json.loads(told.stdout)
    assert told.exit_code == 0, [check for check in report["images"][0]["checks"] if check["outcome"] != "pass"]
    (coverage,) = [check for check in report["images"][0]["checks"] if check["id"] == "coverage"]
    assert coverage["outcome"] == "pass"


def test_estargz_of_buildkit_passes_once_its_second_list_of_files_is_accepted(
    policy: Path, tmp_path: Path, tell: Callable[..., Told]
) -> None:
    image = reference(ESTARGZ, tmp_path)
    told = tell("check", image, "--policy", str(policy))
    assert (told.exit_code, told.codes) == (1, ["SCAN_FORM_UNREAD"])
    assert "`path: /stargz.index.json`" in " ".join(told.stdout.split())
    accept = [{"path": "/stargz.index.json", "reason": "pulled whole", "owner": "us", "expires": "2027-01-31"}]
    policy.write_text(json.dumps(policy_document(**{**_POLICY, "coverage": {"accept": accept}})), encoding="utf-8")
    assert tell("check", image, "--policy", str(policy)).exit_code == 0


# What an operator says of images that have no distribution: Nix's, whose store Grype reads.
_EMPTY: Final = {"nix": {"emptyBase": ["registry.example/shop/nix"], "scanners": {"require": ["trivy", "grype"]}}}


@pytest.mark.parametrize("name", sorted(FORMS))
def test_the_form_of_a_builder_that_cannot_run_here_passes(
    name: str, tmp_path: Path, tell: Callable[..., Told]
) -> None:
    spec = {**_POLICY, "vulnerabilities": {**_POLICY["vulnerabilities"], **_EMPTY.get(name, {})}}
    place = tmp_path / "policy.yaml"
    place.write_text(json.dumps(policy_document(**spec)), encoding="utf-8")
    told = tell(
        "check",
        FORMS[name](tmp_path),
        "--as",
        f"registry.example/shop/{name}",
        "--policy",
        str(place),
        "--format",
        "json",
    )
    report = json.loads(told.stdout)
    assert told.exit_code == 0, [
        check for check in report["images"][0]["checks"] if check["outcome"] in {"fail", "error"}
    ]


def test_there_are_images_of_several_builders() -> None:
    assert {name.partition("-")[0] for name in NAMES} >= {
        "buildah",
        "buildkit",
        "crane",
        "jib",
        "ko",
        "skopeo",
        "umoci",
    }
