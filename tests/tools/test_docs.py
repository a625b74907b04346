"""The generated pages say what the commands say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest

import tools.docs
from gate.model.reasons import REASONS
from tools.docs import main, render_cli, render_reasons


def common(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--offline", is_flag=True, envvar="GATE_OFFLINE", help="Open no socket.")(command)


@click.group()
def program() -> None:
    """Do it all."""


@program.command()
@click.argument("reference")
@click.option("--format", "-f", "form", type=click.Choice(["table", "json"]), help="Form | of the report.")
@click.option("--secret-door", hidden=True, is_flag=True, help="Not shown.")
@common
def check(reference: str, form: str, *, secret_door: bool, offline: bool) -> None:
    """Judge an image.

    The second paragraph.

    \b
    program check oci:image
      --offline
    """


@program.group()
def db() -> None:
    """Keep databases."""


@db.command()
@common
def status(*, offline: bool) -> None:
    """Say their age."""


@program.command(hidden=True)
def internal() -> None:
    """Not for people."""


@pytest.fixture
def page() -> str:
    return render_cli(program)


def test_each_shown_command_is_a_section(page: str) -> None:
    sections = [line for line in page.splitlines() if line.startswith("## gate")]
    assert sections == ["## gate check", "## gate db status"]


def test_what_every_command_takes_stands_once(page: str) -> None:
    assert page.count("`--offline`") == 1
    assert page.index("## Options of every command") < page.index("`--offline`") < page.index("## gate check")
    assert "Open no socket. [env var: GATE_OFFLINE]" in page


def test_a_cell_cannot_end_its_table(page: str) -> None:
    assert "Form \\| of the report." in page


def test_an_example_stays_as_it_is_written(page: str) -> None:
    assert "```\nprogram check oci:image\n  --offline\n```" in page
    assert "\b" not in page


def test_hidden_options_are_not_shown(page: str) -> None:
    assert "secret-door" not in page


def test_each_reason_has_the_anchor_that_it_names() -> None:
    headings = {line.removeprefix("### ").lower() for line in render_reasons().splitlines() if line.startswith("### ")}
    assert headings == {reason.page.partition("#")[2] for reason in REASONS.values()}


def test_a_stale_page_is_told_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.md"
    monkeypatch.setattr(tools.docs, "ROOT", tmp_path)
    monkeypatch.setattr(tools.docs, "PAGES", {"page": (path, lambda: "new\n")})
    assert main(["--check"]) == 1
    assert not path.exists()
    assert main([]) == 0
    assert path.read_text(encoding="utf-8") == "new\n"
    assert main(["--check", "page"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == ["docs: page.md: stale", "docs: page.md: written", "docs: page.md: as it should be"]


def test_an_unknown_page_is_refused() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["clii"])
    assert ended.value.code == 2
