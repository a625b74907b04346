"""Which images are asked about: on the command line, from a file, and where a repository names them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

ONE, OTHER = "registry.example/shop/one:1", "registry.example/shop/other:1"


def references(stdout: str) -> list[str]:
    return [image["reference"] for image in json.loads(stdout)["images"]]


def test_a_file_lists_images_and_each_is_judged_once(run: Run, tmp_path: Path) -> None:
    listed = tmp_path / "images.txt"
    listed.write_text(f"# what we ship\n\n{OTHER}  # the shop\n{ONE}\n")
    result = run("check", ONE, "--images", str(listed), "--offline", "-f", "json")
    assert references(result.stdout) == [ONE, OTHER]
    assert result.exit_code == 1


def test_annotations_point_at_the_line_of_the_list(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("images.txt").write_text(f"# first\n{ONE}\n")
    result = run("check", "--images", "images.txt", "--offline", "-f", "github")
    assert result.stdout.startswith("::error file=images.txt,line=2,title=gate REF_NOT_DIGEST::")


def test_a_place_that_is_named_wins(run: Run) -> None:
    result = run("check", ONE, "--named-at", "deploy/web.yaml:7", "--offline", "-f", "github")
    assert result.stdout.startswith("::error file=deploy/web.yaml,line=7,title=gate REF_NOT_DIGEST::")
    alone = run("check", ONE, "--named-at", "deploy/web.yaml", "--offline", "-f", "github")
    assert alone.stdout.startswith("::error file=deploy/web.yaml,line=1,")


@pytest.mark.parametrize("place", ["/etc/passwd:1", "a/../../b:1", "web.yaml:0", "web.yaml:x", ":3", ""])
def test_what_is_no_place_of_a_repository_is_refused(run: Run, place: str) -> None:
    result = run("check", ONE, "--named-at", place)
    assert result.exit_code == 2
    assert "a relative path" in result.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no image is asked about"),
        (b"# nothing\n", "no image is asked about"),
        (b"one two\n", "line 1 of the list of images is no reference"),
        (b"\xff\xfe", "is no text"),
        (b"r.example/a:1\nhunter2\n", "line 2 of the list of images is no reference"),
        (b"x" * (4 * 1024 * 1024 + 1), "too large"),
        (
            b"r.example/a:1\n" * 3 + b"\n".join(b"r.example/a:%d" % number for number in range(10_001)),
            "too many images",
        ),
    ],
    ids=["empty", "comments", "words", "no-text", "password", "long", "many"],
)
def test_what_is_no_list_is_one_clear_line(run: Run, tmp_path: Path, content: bytes, words: str) -> None:
    listed = tmp_path / "images.txt"
    listed.write_bytes(content)
    result = run("check", "--images", str(listed), "--offline")
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.startswith("gate: USAGE ")


def test_several_formats_are_written_in_one_run(run: Run, tmp_path: Path) -> None:
    files = {
        form: tmp_path / form for form in ("sarif", "junit", "markdown", "gitlab", "codequality", "csv", "html", "json")
    }
    outputs = [word for form, file in files.items() for word in ("-o", f"{form}={file}")]
    result = run("check", ONE, "--offline", "-f", "github", *outputs)
    assert result.exit_code == 1
    assert result.stdout.startswith("::error ")
    assert all("REF_NOT_DIGEST" in file.read_text() for file in files.values())


def test_a_format_of_images_is_refused_before_anything_is_done(run: Run, tmp_path: Path) -> None:
    result = run("keys", "generate", str(tmp_path / "new"), "-o", f"sarif={tmp_path / 'x'}")
    assert result.exit_code == 2
    assert not (tmp_path / "new.key").exists()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert run("keys", "generate", str(tmp_path / "new"), "-f", "sarif").exit_code == 2
