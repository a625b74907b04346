"""Commands that talk to a registry, on a real one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gate.cli.main import cli
from gate.model.reference import Repository
from tests.conftest import StartOlareg
from tools.images.archive import file
from tools.images.layout import ImageConfig, image, layer, write_layout
from tools.images.push import push_layout

pytestmark = pytest.mark.real_tools
CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def run(*arguments: str, password: str = "") -> Result:
    result = CliRunner().invoke(cli, arguments, env={"GATE_KEY_PASSWORD": password})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture(autouse=True)
def _working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def pushed(host: str) -> str:
    """Push a small image under the tag `1` and give the reference with its digest."""
    write_layout(
        Path("image"), image([layer([file("etc/os-release", "ID=none\n")], mtime=0)], ImageConfig(created=CREATED))
    )
    digest = push_layout(Path("image"), Repository(host, "shop/web"), tag="1")
    return f"{host}/shop/web@{digest}"


def test_a_tag_resolves_to_the_digest_that_it_names(olareg: StartOlareg) -> None:
    host = olareg().host
    reference = pushed(host)
    assert run("resolve", f"{host}/shop/web:1").stdout == f"{reference}\n"
    missing = run("resolve", f"{host}/shop/web:2")
    assert (missing.exit_code, missing.stdout) == (3, "")
    assert missing.stderr.startswith("gate: REG_NOT_FOUND ")


def test_a_tag_is_refused_with_the_digest_that_it_names_as_a_hint(olareg: StartOlareg) -> None:
    host = olareg().host
    reference = pushed(host)
    result = run("check", f"{host}/shop/web:1", "-f", "json")
    (found,) = json.loads(result.stdout)["images"]
    assert result.exit_code == 1
    assert found["digest"] is None
    assert found["attestations"] == []
    assert found["evidence"]["request"]["digestNow"] == reference.partition("@")[2]
    assert "REF_NOT_DIGEST" in [code for check in found["checks"] for code in check["codes"]]


@pytest.mark.parametrize(("referrers", "state"), [(True, "ok"), (False, "note")])
def test_the_doctor_tries_a_registry_and_its_referrers(olareg: StartOlareg, *, referrers: bool, state: str) -> None:
    host = olareg(referrers=referrers).host
    pushed(host)
    result = run("doctor", f"{host}/shop/web:1", "-f", "json")
    found = {row["component"]: row["state"] for row in json.loads(result.stdout)["diagnoses"]}
    assert (found["registry"], found["referrers"]) == ("ok", state)


def test_a_signature_hangs_on_the_digest_and_a_verdict_is_still_demanded(olareg: StartOlareg) -> None:
    reference = pushed(olareg().host)
    assert run("keys", "generate", password="of the key").exit_code == 0
    signed = run("sign", reference, "--key", "gate.key", "-a", "stage=build", "-f", "json", password="of the key")
    (row,) = json.loads(signed.stdout)["signatures"]
    assert signed.exit_code == 0, signed.stderr
    assert row["signed"] == reference.partition("@")[2]
    demanded = run("verify", reference, "--key", "gate.pub", "--policy", f"sha256:{'0' * 64}", "-f", "json")
    assert demanded.exit_code == 1
    (image_report,) = json.loads(demanded.stdout)["images"]
    assert image_report["decision"] == "refused"
    assert image_report["error"]["code"] == demanded.stderr.split()[1]
    assert image_report["error"]["code"].startswith("ATT_")
