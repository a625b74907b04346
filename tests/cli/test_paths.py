"""A path at which nothing is, or something else, is an invalid request for every option and argument; what was read is said."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_named_files import ARGUMENTS, CASES
from tools.images.archive import file
from tools.images.layout import ImageConfig, image, layer, write_blob, write_layout

# What is made where nothing is, and `doctor`, which says of each thing that is wrong.
WRITTEN = {
    ("attest show", "--save"),
    ("audit export", ""), ("audit export", "--tiles"), ("db export", ""),
    ("policy init", ""), ("requirement init", ""), ("keys generate", ""),
    ("doctor", "--key"),
}  # fmt: skip
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("command", "option"), CASES, ids=[f"{name} {option}".strip() for name, option in CASES])
def test_a_path_at_which_nothing_is_is_an_invalid_request(command: str, option: str, run: Run, tmp_path: Path) -> None:
    named = [option, "missing"] if option else ["missing"]
    if (command, option) in WRITTEN:
        return
    done = run(*command.split(), *ARGUMENTS.get(command, []), *named, env={"HOME": str(tmp_path)})
    assert done.exit_code == 2, done.output
    assert "next: " in done.stderr


@pytest.mark.parametrize("reference", ["oci:missing", "oci:missing:v1", "oci:folder", "archive:missing"])
def test_a_reference_to_a_path_of_nothing_is_an_invalid_request(reference: str, run: Run) -> None:
    Path("folder").mkdir()
    done = run("check", reference)
    assert (done.exit_code, "REF_PATH" in done.stderr) == (2, True)


def _two_images(folder: Path) -> None:
    roots = []
    for name in ("v1", "v2"):
        root = image([layer([file("etc/os-release", f"ID={name}\n")], mtime=0)], ImageConfig(created=MOMENT))
        write_layout(folder / name, root, ref_name=name)
        roots.append(root)
    shared = write_layout(folder / "both", roots[0], ref_name="v1")
    index = json.loads((shared / "index.json").read_text())
    write_blob(shared, roots[1])
    for item in roots[1].refers:
        write_blob(shared, item)
    index["manifests"] += json.loads((folder / "v2" / "index.json").read_text())["manifests"]
    (shared / "index.json").write_text(json.dumps(index))


def test_a_layout_of_several_images_is_asked_by_tag(run: Run) -> None:
    _two_images(Path())
    both = run("check", "oci:both", "--offline")
    assert (both.exit_code, "v1, v2" in both.stderr) == (2, True)
    missing = run("check", "oci:both:v3", "--offline")
    assert (missing.exit_code, "REF_TAG" in missing.stderr, "v1, v2" in missing.stderr) == (2, True, True)
    for tag in ("v1", "v2"):
        alone, tagged = run("check", f"oci:{tag}", "-f", "json"), run("check", f"oci:both:{tag}", "-f", "json")
        digests = {
            line for shown in (alone, tagged) for line in shown.stdout.splitlines() if '"digest": "sha256' in line
        }
        assert alone.exit_code == tagged.exit_code
        assert '"reference": "oci:both:' + tag in tagged.stdout
        assert digests


def test_a_search_says_what_it_read(run: Run) -> None:
    Path("src").mkdir()
    Path("src/a").write_text("abc")
    Path("src/b").write_text("defg")
    done = run("secrets", "scan", "src")
    assert (done.exit_code, "2 files of 7 bytes searched" in done.output) == (0, True)
    _two_images(Path())
    searched = run("secrets", "scan", "oci:v1")
    assert (searched.exit_code, "1 file of 6 bytes searched" in searched.output) == (0, True)


def test_what_a_search_did_not_read_is_said_and_is_no_clean_answer(run: Run) -> None:
    Path("src").mkdir()
    Path("src/a").write_text("abc")
    Path("link").symlink_to("src")
    os.mkfifo("pipe")
    for name, word in (("link", "symbolic link"), ("pipe", "no plain file")):
        done = run("secrets", "scan", name)
        assert (done.exit_code, word in done.output) == (3, True), done.output


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_listed_is_said(run: Run) -> None:
    Path("src/closed").mkdir(parents=True, mode=0o700)
    Path("src/closed").chmod(0)
    done = run("secrets", "scan", "src")
    assert (done.exit_code, "closed" in done.output) == (3, True)


def test_a_folder_that_the_system_does_not_list_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("src/closed").mkdir(parents=True)
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    done = run("secrets", "scan", "src")
    assert (done.exit_code, "closed" in done.output, "Permission denied" in done.output) == (3, True, True)
