"""The CI step, run as a runner runs it: inputs through the environment, the platform's files, each exit code, hostile inputs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.integration.conftest import Shop
from tests.support.installation import PASSWORD
from tests.support.programs import Tools, absent
from tests.support.runner import Runner
from tests.support.sources import ROOT, tracked_files

pytestmark = pytest.mark.real_tools
WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), ROOT / "deploy" / "ci" / "github-two-jobs.yml"]
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40}", re.ASCII)


@pytest.fixture
def runner(shop: Shop, tmp_path: Path) -> Runner:
    """Return a job whose set-up is done: the scanners and databases of the tests stand where the step looks for them."""
    temp, workspace = tmp_path / "temp", tmp_path / "workspace"
    home = temp / "gate"
    home.mkdir(parents=True)
    workspace.mkdir()
    (home / "venv").symlink_to(sys.prefix)
    (home / "tools").symlink_to(shop.installed.tools)
    (home / "databases").symlink_to(shop.installed.databases)
    shutil.copy(shop.installed.policy, workspace / "policy.yaml")
    for folder in ("keys", "trust"):
        if (shop.installed.root / folder).exists():
            shutil.copytree(shop.installed.root / folder, workspace / folder)
    places = {"XDG_STATE_HOME": str(temp / "state"), "GATE_CACHE_DIR": str(shop.installed.root / "cache")}
    return Runner(temp=temp, workspace=workspace, environ=places)


def key_text(shop: Shop, name: str = "gate") -> str:
    return shop.installed.private_key(name).read_text()


def judge(runner: Runner, shop: Shop, image: str, **inputs: str) -> subprocess.CompletedProcess[str]:
    given = {"policy": "policy.yaml", "images": image, "key": key_text(shop), "key_password": PASSWORD, **inputs}
    return runner.run("gate", **given)


def test_a_good_image_passes_and_its_verdict_is_handed_on(runner: Runner, shop: Shop) -> None:
    reference = shop.reference("clean", "action/good")
    done = judge(runner, shop, reference, named_at="deploy/web.yaml:3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("::notice file=deploy/web.yaml,line=3,title=gate passed::")
    outputs = runner.outputs()
    assert outputs["verdict"] == "passed"
    assert outputs["digest"] == reference.partition("@")[2]
    assert re.fullmatch(r"(sha256:[0-9a-f]{64},?)+", outputs["attestation"])
    assert outputs["reasons"] == ""
    assert "✅ passed" in runner.summary()
    for name in ("gate.json", "gate.sarif", "gate.junit.xml", "summary.md", "gate.env"):
        assert (runner.workspace / "gate-reports" / name).stat().st_size


def test_a_bad_image_blocks_with_its_reasons_where_people_look_at_code(runner: Runner, shop: Shop) -> None:
    done = judge(runner, shop, shop.reference("setuid", "action/bad"), named_at="deploy/web.yaml:3")
    assert done.returncode == 1
    assert done.stdout.startswith("::error file=deploy/web.yaml,line=3,title=gate ")
    outputs = runner.outputs()
    assert (outputs["verdict"], outputs["exit-code"]) == ("refused", "1")
    assert "IMG_SETUID" in outputs["reasons"].split(",")
    sarif = json.loads((runner.workspace / "gate-reports" / "gate.sarif").read_text())
    uris = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in sarif["runs"][0]["results"]
    }
    assert uris == {"deploy/web.yaml"}


def test_several_images_end_with_the_worst(runner: Runner, shop: Shop) -> None:
    good, bad = shop.reference("clean", "action/one"), shop.reference("setuid", "action/two")
    done = judge(runner, shop, f"{good}\n\n{bad}\n")
    assert done.returncode == 1
    assert runner.outputs()["digest"] == f"{good.partition('@')[2]},{bad.partition('@')[2]}"


def test_a_tool_that_is_missing_is_told_from_a_bad_image(runner: Runner, shop: Shop) -> None:
    (runner.temp / "gate" / "databases").unlink()
    runner.environ["GATE_CACHE_DIR"] = str(runner.temp / "cold")
    done = judge(runner, shop, shop.reference("clean", "action/no-database"))
    assert done.returncode == 3
    assert runner.outputs()["verdict"] == "error"


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"images": ""}, "expected references"),
        ({"images_file": "x.txt"}, "and not both"),
        ({"command": "destroy"}, "expected one of check"),
        ({"policy": "none.yaml"}, "POL_MALFORMED"),
    ],
    ids=["none", "both", "command", "policy"],
)
def test_what_makes_no_sense_ends_with_2_and_one_line(
    runner: Runner, shop: Shop, inputs: dict[str, str], words: str
) -> None:
    done = judge(runner, shop, **{"image": shop.reference("clean", "action/sense"), **_as_image(inputs)})
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def _as_image(inputs: dict[str, str]) -> dict[str, str]:
    return {"image" if name == "images" else name: value for name, value in inputs.items()}


HOSTILE = [
    "$(touch owned)",
    "`touch owned`",
    "x; touch owned",
    "--exit-code=0",
    "-p/etc/passwd",
    "x\n::stop-commands::t",
    "registry.example/x:1\nverdict=passed",
    "registry.example/x:1%0A::set-output name=verdict::passed",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_o03_an_input_is_data_and_never_a_command_an_option_or_an_output(runner: Runner, shop: Shop, text: str) -> None:
    done = judge(runner, shop, text)
    assert done.returncode in {1, 2, 3}
    assert not (runner.workspace / "owned").exists()
    assert runner.outputs().get("verdict") != "passed"
    assert not re.search(r"^::stop-commands", done.stdout + done.stderr, re.MULTILINE)


@pytest.mark.parametrize("name", ["policy", "named_at", "environment", "attach_to", "reports", "unsigned_verdict"])
def test_o03_no_other_input_reaches_a_shell(runner: Runner, shop: Shop, name: str) -> None:
    image = shop.reference("clean", "action/inputs")
    judge(runner, shop, image, **{name: "$(touch owned);`touch owned`"})
    assert not list(runner.temp.parent.rglob("owned"))


def test_c03_the_key_is_in_a_private_file_for_the_time_of_the_step_and_in_no_output(runner: Runner, shop: Shop) -> None:
    done = judge(runner, shop, shop.reference("clean", "action/key"))
    secret = key_text(shop).splitlines()[1]
    left = [path for path in runner.temp.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    holding = [path for path in left if secret.encode() in path.read_bytes()]
    assert [path for path in holding if path.parent != runner.workspace / "keys"] == []
    assert secret not in done.stdout + done.stderr


def test_a_fork_without_secrets_is_judged_and_told_that_nothing_was_signed(runner: Runner, shop: Shop) -> None:
    done = judge(runner, shop, shop.reference("clean", "action/fork"), key="", key_password="")
    assert done.returncode == 0, done.stderr
    assert runner.outputs()["attestation"] == ""
    report = json.loads((runner.workspace / "gate-reports" / "gate.json").read_text())
    assert any("no attestation was made" in notice for notice in report["images"][0]["evidence"]["notices"])


def test_the_deploy_stage_demands_the_verdict_and_not_that_a_job_was_green(runner: Runner, shop: Shop) -> None:
    image = shop.reference("clean", "action/deploy")
    public = shop.installed.public_key_file().read_text()
    demand = {"command": "verify", "images": image, "policy": "policy.yaml", "verify_key": public}
    missing = runner.run("gate", **demand, environment="production")
    assert missing.returncode == 1
    assert runner.outputs()["reasons"] == "ATT_MISSING"
    assert judge(runner, shop, image).returncode == 0
    assert runner.run("gate", **demand, environment="production").returncode == 0


@pytest.mark.slow
def test_the_set_up_needs_nothing_but_python_and_its_pins(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "deploy" / "ci" / "setup.sh"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "GATE_HOME": str(tmp_path / "gate"),
            "GATE_SETUP": "gate",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    python = tmp_path / "gate" / "venv" / "bin" / "python"
    version = subprocess.run(
        [python, "-P", "-m", "gate", "version"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert version.stdout.startswith("gate ")
    lines = subprocess.run([python, "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout
    assert "pytest" not in lines


def uses() -> list[str]:
    """Return every action that our files name."""
    found = []
    for path in [ROOT / "action.yml", *WORKFLOWS]:
        document = yaml.safe_load(path.read_text())
        steps = document["runs"]["steps"] if "runs" in document else []
        steps += [step for job in document.get("jobs", {}).values() for step in job["steps"]]
        found += [step["uses"] for step in steps if "uses" in step]
    return found


def test_c01_everything_that_runs_is_pinned_by_commit() -> None:
    assert uses()
    assert [name for name in uses() if not PINNED.fullmatch(name)] == []


def test_c01_no_workflow_has_more_rights_than_it_needs() -> None:
    for path in WORKFLOWS:
        document = yaml.safe_load(path.read_text())
        assert document["permissions"] == {}
        assert "pull_request_target" not in document[True]
        for job in document["jobs"].values():
            assert job["permissions"]
            assert "timeout-minutes" in job


def test_actionlint_finds_nothing(tools: Tools) -> None:
    done = subprocess.run([tools.actionlint, *WORKFLOWS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_zizmor_finds_nothing() -> None:
    program = Path(sysconfig.get_path("scripts")) / "zizmor"
    if not program.exists():
        absent("zizmor", "run `tools/environment.sh`")
    done = subprocess.run(
        [program, "--offline", "--no-progress", "--quiet", ROOT / "action.yml", *WORKFLOWS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_step_has_every_input_and_the_action_every_variable() -> None:
    step = next(
        item for item in Runner(temp=Path(), workspace=Path()).action["runs"]["steps"] if item.get("id") == "gate"
    )
    text = (ROOT / "deploy" / "ci" / "step.py").read_text()
    for name in step["env"]:
        assert name in text or f'"{name.removeprefix("GATE_STEP_")}"' in text, name


@pytest.mark.parametrize("name", ["gitlab.yml", "tekton.yaml", "Jenkinsfile"])
def test_the_files_of_other_systems_name_what_is_there(name: str) -> None:
    text = (ROOT / "deploy" / "ci" / name).read_text()
    step = (ROOT / "deploy" / "ci" / "step.py").read_text()
    if not name.startswith("Jenkins"):
        assert yaml.safe_load(text)
    for variable in re.findall(r"GATE_STEP_([A-Z_]+)", text):
        assert f"GATE_STEP_{variable}" in step or f'"{variable}"' in step, variable
    for report in re.findall(r"gate-reports/([\w.-]+)", text):
        assert report in step, report
    assert "deploy/ci/setup.sh" in text


def test_the_scripts_are_in_the_repository_and_can_be_run() -> None:
    names = {str(path.relative_to(ROOT)) for path in tracked_files()}
    assert {"action.yml", "deploy/ci/setup.sh", "deploy/ci/step.py"} <= names
    assert os.access(ROOT / "deploy" / "ci" / "setup.sh", os.X_OK)
