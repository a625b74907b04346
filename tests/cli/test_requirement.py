"""`gate requirement`: what is written is accepted, demands what was named, and nothing is written over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gate.cli.demands import read_requirement
from gate.model.digest import Digest
from tests.cli.conftest import Run

POLICY = (
    "apiVersion: gate/v1\nkind: Policy\nmetadata: {{name: a}}\nspec:\n  image: {{user: non-root}}\n  attest: {attest}\n"
)


@pytest.fixture
def stage(run: Run) -> Run:
    """Return a runner with keys and a policy for one environment in the working directory."""
    assert run("keys", "generate", "keys", env={"GATE_KEY_PASSWORD": ""}).exit_code == 0
    policy("{verifierId: https://gate.example/ci, environments: [production], maxAge: 3d}")
    return run


def policy(attest: str) -> None:
    Path("policy.yaml").write_text(POLICY.format(attest=attest), encoding="utf-8")


INIT = ("requirement", "init", "--key", "keys/gate.pub", "-p", "policy.yaml")


def test_what_is_written_demands_what_was_named(stage: Run) -> None:
    result = stage(*INIT, "--match", "registry.example/shop/**")
    assert (result.exit_code, result.stdout) == (0, "requirement.yaml\n")
    assert result.stderr == "next: gate verify REF --requirement requirement.yaml\n"
    (entry,) = read_requirement(Path("requirement.yaml")).images
    assert entry.verdict is not None
    assert str(entry.match) == "registry.example/shop/**"
    assert entry.verdict.policies == {Digest.of(Path("policy.yaml").read_bytes())}
    assert (entry.verdict.environment, entry.verdict.max_age.days) == ("production", 3)
    (signer,) = entry.verdict.signed_by
    assert signer.verifier_id == "https://gate.example/ci"
    assert stage("requirement", "validate", "requirement.yaml").exit_code == 0


def test_the_shipped_policies_lead_to_a_requirement(stage: Run) -> None:
    for template in ("baseline", "production", "strict"):
        assert stage("policy", "init", f"{template}.yaml", "--template", template).exit_code == 0
        made = stage(*INIT[:4], "-p", f"{template}.yaml", f"{template}-stage.yaml")
        assert made.exit_code == 0, made.stderr
        assert stage("requirement", "validate", made.stdout.strip()).exit_code == 0


def test_nothing_is_written_over(stage: Run) -> None:
    Path("requirement.yaml").write_text("mine", encoding="utf-8")
    result = stage(*INIT)
    assert (result.exit_code, result.stderr.startswith("gate: USAGE ")) == (2, True)
    assert Path("requirement.yaml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("environments", "arguments", "status", "demanded"),
    [
        ("[a]", (), 0, "a"),
        ("[a, b]", (), 2, None),
        ("[a, b]", ("--environment", "b"), 0, "b"),
        ("[a]", ("--environment", "c"), 2, None),
    ],
)
def test_the_environment_is_one_that_verdicts_are_for(
    stage: Run, environments: str, arguments: tuple[str, ...], status: int, demanded: str | None
) -> None:
    policy(f"{{environments: {environments}}}")
    result = stage(*INIT, *arguments)
    assert result.exit_code == status
    if demanded is None:
        assert "gate requirement init --environment NAME" in result.stderr
        assert not Path("requirement.yaml").exists()
    else:
        (entry,) = read_requirement(Path("requirement.yaml")).images
        assert entry.verdict is not None
        assert entry.verdict.environment == demanded


@pytest.mark.parametrize("match", ["", "a\nb", "**: x", '"'])
def test_a_pattern_that_is_none_leaves_nothing_behind(stage: Run, match: str) -> None:
    result = stage(*INIT, "--match", match)
    assert result.exit_code == 2
    assert result.stderr.startswith("gate: ")
    assert not Path("requirement.yaml").exists()


def test_a_private_key_is_no_key_that_verifies(stage: Run) -> None:
    result = stage("requirement", "init", "--key", "keys/gate.key", "-p", "policy.yaml")
    assert (result.exit_code, result.stderr.startswith("gate: KEY_")) == (2, True)
    assert not Path("requirement.yaml").exists()


def test_explain_says_key_policy_environment_and_age(stage: Run) -> None:
    assert stage(*INIT).exit_code == 0
    rows = json.loads(stage("requirement", "explain", "-f", "json").stdout)["demands"]
    assert rows[0]["images"] == "**"
    for part in ("https://gate.example/ci", Digest.of(Path("policy.yaml").read_bytes()).short, "production", "3d"):
        assert part in rows[0]["demanded"]
    assert rows[-1] == {"images": "every other image", "demanded": "is refused."}


def test_a_policy_is_no_requirement(stage: Run) -> None:
    result = stage("requirement", "validate", "policy.yaml")
    assert (result.exit_code, "gate policy validate policy.yaml" in result.stderr) == (2, True)
    assert stage("policy", "validate", "policy.yaml").exit_code == 0


def test_each_step_names_the_next_and_quiet_names_none(run: Run) -> None:
    password = {"GATE_KEY_PASSWORD": ""}
    for words in (("keys", "generate", "keys"), ("policy", "init")):
        assert run(*words, env=password).stderr.startswith("next: gate check REF -p policy.yaml --key keys/gate.key")
    for words in (("keys", "generate", "other"), ("policy", "init", "other.yaml")):
        assert run(*words, "-q", env=password).stderr == ""
