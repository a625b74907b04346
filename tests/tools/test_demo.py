"""The demo notices every answer that is not as expected, and shows of an output what says why."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from tools.demo.preparation import HERE
from tools.demo.screen import Screen, excerpt
from tools.demo.story import LEFT_OUT, NEVER_JUDGED, REFUSED, Shop, Step, chapters
from tools.demo.workspace import Answer, DemoError, Workspace
from tools.images.catalog import WRONG

REFUSAL = {"images": [{"checks": [{"codes": ["IMG_PORT"]}, {"codes": []}]}]}
REPORT = """\
REFUSED  shop/web
  policy    shop

Why it is refused
  IMG_PORT  image-config
    a denied port is exposed

Checks
outcome  check
fail     image-config
"""
STEP = Step(command=("gate", "check"), exit_code=1, codes=frozenset({"IMG_PORT"}))
REFUSED_ANSWER = Answer(command=STEP.command, exit_code=1, output=REPORT, seconds=0.1, report=REFUSAL)


def test_an_answer_as_expected_has_no_fault() -> None:
    assert STEP.faults(REFUSED_ANSWER) == []


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (replace(REFUSED_ANSWER, exit_code=3), "expected exit code 1, saw 3"),
        (replace(REFUSED_ANSWER, report={}), "expected the codes ['IMG_PORT'], saw []"),
    ],
)
def test_another_exit_code_or_reason_is_a_fault(answer: Answer, fault: str) -> None:
    assert STEP.faults(answer) == [fault]


@pytest.mark.parametrize(("exit_code", "faults"), [(10, 0), (1, 0), (0, 1), (-9, 1)])
def test_a_program_that_must_not_succeed_must_not_be_killed_either(exit_code: int, faults: int) -> None:
    step = replace(STEP, not_zero=True)
    assert len(step.faults(replace(REFUSED_ANSWER, exit_code=exit_code))) == faults


def test_a_proof_adds_its_fault() -> None:
    step = replace(STEP, proofs=(lambda _: None, lambda answer: f"saw {answer.seconds}"))
    assert step.faults(REFUSED_ANSWER) == ["saw 0.1"]


def test_codes_are_those_of_checks_and_of_images_that_were_not_judged() -> None:
    report = {"images": [*REFUSAL["images"], {"checks": [], "error": {"code": "REG_DENIED"}}]}
    assert replace(REFUSED_ANSWER, report=report).codes == {"IMG_PORT", "REG_DENIED"}


def test_of_a_report_that_is_shown_what_was_decided_and_why() -> None:
    assert excerpt(REPORT, 9) == (
        ["REFUSED  shop/web", "  IMG_PORT  image-config", "    a denied port is exposed"],
        7,
    )


def test_of_another_output_the_first_lines_are_shown() -> None:
    assert excerpt("a\nb\nc\n", 2) == (["a", "b"], 1)


def test_a_pipe_gets_no_colour() -> None:
    written = io.StringIO()
    screen = Screen(console=Console(file=written, highlight=False, markup=False))
    screen.answer(replace(REFUSED_ANSWER, output="\x1b[1;31mREFUSED\x1b[0m  [bold]shop[/bold]\n"), lines=3)
    assert written.getvalue() == "$ gate check\n  REFUSED  [bold]shop[/bold]\n"


def test_the_picture_shortens_digests(tmp_path: Path) -> None:
    screen = Screen(console=Console(file=io.StringIO()))
    digest = "sha256:" + "0123456789abcdef" * 4
    screen.answer(replace(REFUSED_ANSWER, output=f"PASSED {digest}\n"), lines=3, picture=True)
    screen.save_picture(tmp_path / "picture.svg")
    drawn = (tmp_path / "picture.svg").read_text(encoding="utf-8")
    assert "sha256:01234567…" in drawn
    assert digest not in drawn


def test_every_image_is_in_the_story() -> None:
    passing = {"clean", "index-good", NEVER_JUDGED}
    assert set(REFUSED) | passing | LEFT_OUT == set(WRONG)
    assert not set(REFUSED) & passing


def test_every_refused_image_is_checked_and_then_not_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(host="127.0.0.1:5000", digests={name: f"sha256:{name}" for name in WRONG})
    monkeypatch.setattr("tools.demo.story.attached_count", lambda *_: 0)
    steps = [step for chapter in chapters(shop) for step in chapter.steps]
    for name, codes in REFUSED.items():
        about = [step for step in steps if shop.reference(name) in step.command]
        assert [step.codes for step in about if step.command[1] == "check"] == [codes]
        demands = [step for step in about if step.command[1] == "verify"]
        assert demands
        assert all(step.exit_code for step in demands)


def test_a_needed_command_that_fails_ends_the_demo(tmp_path: Path) -> None:
    workspace = Workspace(root=tmp_path / "demo")
    workspace.recreate()
    with pytest.raises(DemoError, match="ended with 3"):
        workspace.must("sh", "-c", "echo why; exit 3")
    assert (tmp_path / "demo/output/01.txt").read_text(encoding="utf-8") == "why\n"


def test_nothing_in_the_policy_fails_by_the_calendar() -> None:
    document = yaml.safe_load((HERE / "policy.yaml").read_text(encoding="utf-8"))
    spec = document["spec"]
    assert spec["vulnerabilities"]["endOfLife"] == "ignore"
    assert "expires" not in document["metadata"]
    assert "maxAge" not in spec["image"]
    assert "waivers" not in spec
    assert "notAfter" not in spec["signature"][0]["anyOf"][0]["key"]
