"""`gate refs --fix` and its relatives against a real registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gate.cli.main import cli
from gate.model.reference import Repository
from tests.support.programs import Tools
from tests.support.registries import RunningRegistry, run_olareg
from tools.images.archive import file
from tools.images.layout import Blob, ImageConfig, Platform, image, index, layer, write_layout
from tools.images.push import push_layout

pytestmark = pytest.mark.real_tools

OLD = datetime(2024, 1, 1, tzinfo=UTC)


def built(text: str, created: datetime = OLD, *, architecture: str = "amd64") -> Blob:
    return image(
        [layer([file("etc/x", text)])], ImageConfig(created=created, platform=Platform(architecture=architecture))
    )


class Pushed:
    """A registry with images; `host` is its address."""

    def __init__(self, registry: RunningRegistry, folder: Path) -> None:
        self.host, self._folder, self._count = registry.host, folder, 0

    def push(self, name: str, tag: str, content: Blob) -> str:
        self._count += 1
        layout = write_layout(self._folder / str(self._count), content)
        return str(push_layout(layout, Repository(self.host, name), tag=tag))


@pytest.fixture(scope="module")
def registry(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushed]:
    with run_olareg(tools.olareg, tmp_path_factory.mktemp("olareg")) as running:
        yield Pushed(running, tmp_path_factory.mktemp("layouts"))


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(cli, ("refs", *arguments))
    assert "Traceback" not in result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def rows(result: Result) -> list[tuple[str, str, str | None]]:
    return [(row["state"], row["reference"], row["reason"]) for row in json.loads(result.stdout)["references"]]


def test_only_the_bytes_of_the_references_change_and_a_second_run_changes_nothing(registry: Pushed) -> None:
    digest = registry.push("app", "1", built("one"))
    host = registry.host
    template = (
        "# a comment: {host}/app:1\r\n"
        "apiVersion: v1\r\nkind: Pod\r\nspec:\r\n"
        '   initContainers:\r\n   - &c {{  name: a,   image:   "{host}/app:1{pin}"  }} # kept\r\n'
        "   containers: [ *c,\t{{image: '{host}/app:1{pin}'}}, {{image: {host}/app:1{pin}}} ]   \r\n"
        "   note: é\r\n\r\n\r\n---\r\nnothing: here"
    )  # fmt: skip
    Path("pod.yaml").write_bytes(template.format(host=host, pin="").encode())
    Path("pod.yaml").chmod(0o640)
    result = run(".", "--fix", "-f", "json")
    assert result.exit_code == 0, result.output
    pinned = f"{host}/app:1@{digest}"
    assert rows(result) == [("fixed", pinned, f"was {host}/app:1")] * 3
    expected = template.format(host=host, pin=f"@{digest}").encode()
    assert Path("pod.yaml").read_bytes() == expected
    assert Path("pod.yaml").stat().st_mode & 0o777 == 0o640
    before = Path("pod.yaml").stat()
    assert run(".", "--fix").exit_code == 0
    assert Path("pod.yaml").stat() == before
    assert list(Path().iterdir()) == [Path("pod.yaml")]


def test_a_dockerfile_with_arguments_and_platforms(registry: Pushed) -> None:
    arm = built("b", architecture="arm64")
    both = index([built("a"), arm])
    digest = registry.push("multi", "2", both)
    text = f"""ARG HOST={registry.host}
ARG BASE={registry.host}/multi:2
FROM $BASE AS one
FROM ${{HOST}}/multi:2
FROM --platform=$BUILDPLATFORM {registry.host}/multi:2
FROM --platform=linux/arm64 {registry.host}/multi:2
COPY --from={registry.host}/multi:2 /a /b
FROM one
"""
    Path("Dockerfile").write_text(text, encoding="utf-8")
    assert run(".", "--fix").exit_code == 0
    pin, child = f"multi:2@{digest}", f"multi:2@{arm.digest}"
    lines = text.replace("multi:2", pin).replace(f"arm64 {registry.host}/{pin}", f"arm64 {registry.host}/{child}")
    assert Path("Dockerfile").read_text(encoding="utf-8") == lines


def test_without_a_tag_latest_is_written_out_and_pinned(registry: Pushed) -> None:
    digest = registry.push("plain", "latest", built("p"))
    Path("Dockerfile").write_text(f"FROM {registry.host}/plain\n", encoding="utf-8")
    assert run(".", "--fix").exit_code == 0
    assert Path("Dockerfile").read_text(encoding="utf-8") == f"FROM {registry.host}/plain:latest@{digest}\n"


def test_an_update_follows_a_tag_that_moved_and_telling_changes_nothing(registry: Pushed) -> None:
    old = registry.push("moving", "3", built("old"))
    text = f"FROM {registry.host}/moving:3@{old}\n"
    Path("Dockerfile").write_text(text, encoding="utf-8")
    assert run(".", "--update").exit_code == 0
    assert Path("Dockerfile").read_text(encoding="utf-8") == text
    new = registry.push("moving", "3", built("new"))
    told = run(".", "--check-updates", "-f", "json")
    assert rows(told) == [("outdated", f"{registry.host}/moving:3@{old}", f"the tag names {new} now")]
    assert run(".", "--fix").exit_code == 0
    assert Path("Dockerfile").read_text(encoding="utf-8") == text
    assert run(".", "--update").exit_code == 0
    assert Path("Dockerfile").read_text(encoding="utf-8") == text.replace(old, new)
    assert run(".", "--unpin").exit_code == 1
    assert Path("Dockerfile").read_text(encoding="utf-8") == f"FROM {registry.host}/moving:3\n"


@pytest.mark.parametrize(
    ("created", "code"),
    [
        (datetime.now(UTC) - timedelta(days=8), 0),
        (datetime.now(UTC) - timedelta(days=6), 1),
        (datetime(1970, 1, 1, tzinfo=UTC), 1),
    ],
)
def test_only_what_is_old_enough_is_pinned(registry: Pushed, created: datetime, code: int) -> None:
    name = f"age{int(created.timestamp())}"
    registry.push(name, "1", index([built(name, created)]))
    Path("Dockerfile").write_text(f"FROM {registry.host}/{name}:1\n", encoding="utf-8")
    result = run(".", "--fix", "--min-age", "7d")
    assert result.exit_code == code
    assert ("@sha256" in Path("Dockerfile").read_text(encoding="utf-8")) == (code == 0)
    assert ("are demanded" in result.stdout) == (code == 1)


def test_a_tag_that_is_not_there_is_an_error_and_the_others_are_pinned(registry: Pushed) -> None:
    registry.push("there", "1", built("t"))
    Path("Dockerfile").write_text(f"FROM {registry.host}/there:1\nFROM {registry.host}/there:no\n", encoding="utf-8")
    result = run(".", "--fix")
    assert result.exit_code == 3
    assert "REG_NOT_FOUND" in result.stderr
    lines = Path("Dockerfile").read_text(encoding="utf-8").splitlines()
    assert ["@sha256:" in line for line in lines] == [True, False]


def test_a_digest_that_does_not_exist_is_named(registry: Pushed) -> None:
    Path("Dockerfile").write_text(f"FROM {registry.host}/there@sha256:{'ab' * 32}\n", encoding="utf-8")
    assert run(".").exit_code == 0
    result = run(".", "--check-updates")
    assert result.exit_code == 3
    assert "REG_NOT_FOUND" in result.stderr


def test_a_platform_that_the_index_lacks_is_named(registry: Pushed) -> None:
    registry.push("narrow", "1", index([built("n")]))
    Path("Dockerfile").write_text(f"FROM --platform=linux/s390x {registry.host}/narrow:1\n", encoding="utf-8")
    result = run(".", "--fix")
    assert result.exit_code == 1
    assert "IMG_PLATFORM_UNSCANNED" in result.stderr


def test_offline_nothing_is_asked(registry: Pushed) -> None:
    Path("Dockerfile").write_text(f"FROM {registry.host}/there:1\n", encoding="utf-8")
    result = run(".", "--fix", "--offline")
    assert result.exit_code == 3
    assert "REG_OFFLINE" in result.stderr
