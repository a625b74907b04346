"""The builder of real programs: what decides a program decides where it is kept."""

from __future__ import annotations

import dataclasses
import os
import stat
from pathlib import Path

import pytest

from tools.build import BuildError, Recipe, build, built_path, main, read_recipes

NAMES = {
    "actionlint",
    "kube-apiserver",
    "trivy",
    "grype",
    "cosign",
    "olareg",
    "slsa-verifier",
    "policy-tester",
    "tessera-fsck",
}
# Stands in for Go: writes what it was given to the file after -o, as a compiler would, or ends with an error.
GO = """#!/bin/sh
[ "$1" = env ] && { echo go9.99.0; exit 0; }
[ "$FAIL" = 1 ] && { echo "module lost" >&2; exit 3; }
printf '%s\\n' "$PWD" "$@" "CGO=$CGO_ENABLED" "EXPERIMENT=$GOEXPERIMENT" >>"$RUNS"
while [ "$1" != -o ]; do shift; done
echo program >"$2"
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module example\n", encoding="utf-8")
    (module / "go.sum").write_text("", encoding="utf-8")
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(GO, encoding="utf-8")
    go.chmod(go.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{go.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("GOEXPERIMENT", "of-the-caller")
    monkeypatch.setenv("GATE_TEST_TOOLS_DIR", str(tmp_path / "tools"))
    return Recipe(
        name="example",
        version="1.0",
        module_dir=module,
        package="example.org/cmd",
        arguments=("-trimpath",),
        environment={"CGO_ENABLED": "0"},
    )


def test_the_lock_names_each_program_with_its_pinned_modules() -> None:
    recipes = read_recipes()
    assert set(recipes) == NAMES
    for recipe in recipes.values():
        modules = (recipe.module_dir / "go.mod").read_text(encoding="utf-8")
        assert f"tool {recipe.package}\n" in modules
        assert recipe.environment["CGO_ENABLED"] == "0"
        assert any(
            line.split()[1] == f"v{recipe.version}"
            for line in modules.splitlines()
            if line.strip() and recipe.package.startswith(f"{line.split()[0]}/")
        )


def test_a_second_build_runs_nothing(recipe: Recipe, tmp_path: Path) -> None:
    first = build(recipe)
    assert first.read_text(encoding="utf-8") == "program\n"
    runs = (tmp_path / "runs").read_text(encoding="utf-8")
    assert build(recipe) == first
    assert (tmp_path / "runs").read_text(encoding="utf-8") == runs
    assert sorted(path.name for path in first.parent.iterdir()) == ["example"]


def test_the_caller_does_not_decide_what_is_built(recipe: Recipe, tmp_path: Path) -> None:
    build(recipe)
    runs = (tmp_path / "runs").read_text(encoding="utf-8").splitlines()
    assert runs[0] == str(recipe.module_dir)
    assert runs[-2:] == ["CGO=0", "EXPERIMENT="]


def test_what_decides_a_program_decides_its_place(recipe: Recipe) -> None:
    place = built_path(recipe)
    assert built_path(dataclasses.replace(recipe, arguments=("-race",))) != place
    assert built_path(dataclasses.replace(recipe, environment={})) != place
    (recipe.module_dir / "go.sum").write_text("example.org v1 h1:\n", encoding="utf-8")
    assert built_path(recipe) != place


def test_a_failed_build_leaves_no_program_and_says_what_go_said(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(BuildError, match="module lost"):
        build(recipe)
    assert not built_path(recipe).exists()
    assert list(built_path(recipe).parent.iterdir()) == []


def test_an_unknown_name_is_refused_with_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["trivvy"])
    assert ended.value.code == 2
    assert "it has trivy, grype" in capsys.readouterr().err


def test_another_schema_of_the_lock_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "tools.lock.yaml"
    lock.write_text("schema: 2\n", encoding="utf-8")
    with pytest.raises(BuildError, match="expected schema 1, saw 2"):
        read_recipes(lock)
