"""Files that somebody wrote to be misread: each is one error with its code, and what stands beside it is still found."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gate.disk import tree
from gate.pipeline.refs import FoundReferences, find_references

POD = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: nginx:1}]}\n"


def find(path: Path) -> FoundReferences:
    return find_references([path], check_deadline=lambda: None)


def codes(result: FoundReferences) -> list[str]:
    return [fault.code for fault in result.faults]


def write(name: str, content: bytes | str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return run


MALFORMED = {
    "binary": write("Dockerfile", b"FROM a\0b\n"),
    "not UTF-8": write("Dockerfile", b"FROM a\nLABEL x=\xff\n"),
    "UTF-16": write("a.yaml", POD.encode("utf-16") + b"image"),
    "a heredoc that does not end": write("Dockerfile", "FROM a\nRUN <<EOF\nx\n"),
    "not YAML": write("a.yaml", "image: [a\n"),
    "not YAML with a mark in a comment": write("a.yaml", "# {{ x }}\nimage: [a\n"),
    "not YAML in a workflow with an expression": write("action.yml", "runs: {image: [${{ x }}\n"),
    "a tab as indent": write("a.yaml", "a:\n\timage: b\n"),
    "nested 10^5 deep": write("a.yaml", "image: " + "[" * 100_000),
    "sequences 10^5 deep": write("a.yaml", "# image\n" + "- " * 100_000),
    "a key twice": write("a.yaml", POD + "spec: {containers: []}\n"),
    "a key twice in a container": write("a.yaml", POD.replace("nginx:1", "nginx:1, image: b")),
    "malformed JSON": write("a.json", '{"apiVersion": "v1", "kind": '),
    "deep JSON": write("a.json", '{"apiVersion": "v1", "kind": "Pod", "x": ' + "[" * 100_000),
    "an alias of nothing": write("a.yaml", "image: *a\n"),
    "the second document is malformed": write("a.yaml", "a: b\n---\nimage: [\n"),
}


@pytest.mark.parametrize("make", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_is_one_error_and_its_neighbour_is_found(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "z.yaml").write_text(POD, encoding="utf-8")
    result = find(tmp_path)
    assert codes(result) == ["REF_FILE_MALFORMED"]
    assert [found.value for found in result.references if found.path.endswith("z.yaml")] == ["nginx:1"]
    assert len(str(result.faults[0])) < 400
    assert result.exit_codes[:2] == [3, 1]


def test_a_bomb_of_aliases_costs_nothing(tmp_path: Path) -> None:
    lines = ["a0: &a0 {image: x}"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: X\n" + "\n".join(lines), encoding="utf-8")
    began = time.process_time()
    result = find(tmp_path)
    assert time.process_time() - began < 2
    assert [found.value for found in result.references] == ["x"]


def test_a_bomb_of_merge_keys_costs_nothing(tmp_path: Path) -> None:
    lines = ["a0: &a0 {image: x}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 40)]
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: X\n" + "\n".join(lines), encoding="utf-8")
    began = time.process_time()
    result = find(tmp_path)
    assert time.process_time() - began < 2
    assert [found.value for found in result.references] == ["x"]


@pytest.mark.parametrize(
    "text", ["a: &a [*a, {image: x}]\n", "a: &a {b: *a, image: x}\n", "a: &a {<<: *a, image: x}\n"]
)
def test_an_alias_that_loops_ends(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"apiVersion: v1\nkind: X\n{text}", encoding="utf-8")
    assert [found.value for found in find(tmp_path).references] == ["x"]


def test_an_argument_that_doubles_itself_is_unresolved(tmp_path: Path) -> None:
    lines = ["ARG A0=xxxxxxxxxx", *(f"ARG A{n}=$A{n - 1}$A{n - 1}" for n in range(1, 60)), "FROM $A59"]
    (tmp_path / "Dockerfile").write_text("\n".join(lines), encoding="utf-8")
    assert [found.code for found in find(tmp_path).references] == ["REF_UNRESOLVED"]


def test_a_pattern_of_many_stars_is_refused(tmp_path: Path) -> None:
    text = f"ARG A={'a' * 4000}\nFROM ${{A##{'*a' * 30}b}}\n"
    (tmp_path / "Dockerfile").write_text(text, encoding="utf-8")
    began = time.process_time()
    assert [found.code for found in find(tmp_path).references] == ["REF_INVALID"]
    assert time.process_time() - began < 1


def test_a_link_out_of_the_folder_is_not_followed_and_one_inside_is(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("FROM outside:1\n", encoding="utf-8")
    inside = tmp_path / "repository"
    inside.mkdir()
    (inside / "base.txt").write_text("FROM inside:1\n", encoding="utf-8")
    (inside / "Dockerfile").symlink_to("base.txt")
    (inside / "Dockerfile.again").symlink_to("Dockerfile")
    (inside / "Dockerfile.out").symlink_to("../secret")
    (inside / "Dockerfile.loop").symlink_to("Dockerfile.loop")
    (inside / "folder").symlink_to("..")
    result = find(inside)
    assert [found.value for found in result.references] == ["inside:1"]
    assert codes(result) == ["REF_FILE_UNREADABLE"] * 2


def test_a_pipe_and_a_folder_named_as_a_dockerfile_hold_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "Dockerfile")
    (tmp_path / "Dockerfile.d").mkdir()
    assert codes(find(tmp_path)) == ["REF_FILE_UNREADABLE"]


def test_a_large_file_is_an_error_where_it_may_hold_a_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MAX_FILE_BYTES", 2 << 20)
    (tmp_path / "data.yaml").write_bytes(b"a: b\n" * 1_000_000)
    (tmp_path / "pods.yaml").write_bytes(b"a: b\n" * 1_000_000 + POD.encode())
    (tmp_path / "Dockerfile").write_bytes(b"#" * (3 << 20))
    assert codes(find(tmp_path)) == ["LIMIT_FILE"] * 2


def test_a_word_across_two_reads_is_seen(tmp_path: Path) -> None:
    for shift in range(8):
        content = b"#" * ((1 << 20) - shift - 30) + b"\n" + POD.encode()
        (tmp_path / "a.yaml").write_bytes(content)
        assert [found.value for found in find(tmp_path).references] == ["nginx:1"]


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("FROM a\n", encoding="utf-8")
    real = os.read

    def read(descriptor: int, count: int) -> bytes:
        content = real(descriptor, count)
        if content == b"FROM a\n":
            path.write_text("FROM longer\n", encoding="utf-8")
        return content

    monkeypatch.setattr(os, "read", read)
    assert codes(find(tmp_path)) == ["REF_FILE_UNREADABLE"]


def test_escapes_hide_no_key(tmp_path: Path) -> None:
    text = '{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"\\u0069mage": "n:1"}]}}'
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "b.json").write_text(text, encoding="utf-8")
    assert [found.value for found in find(tmp_path).references] == ["n:1", "n:1"]


def test_files_of_other_names_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2000):
        (tmp_path / f"{number}.go").touch()
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "Dockerfile").write_text("FROM not:this\n", encoding="utf-8")
    monkeypatch.setattr(os, "open", None)
    assert find(tmp_path).files == 0


@pytest.mark.parametrize(
    ("text", "column"),
    [("COPY --from=m /a /b", 13), ('COPY --from="from" a b', 14), ("RUN --mount=target=/from=x,from=m true", 33)],
)
def test_a_name_that_is_part_of_its_flag_has_its_own_place(text: str, column: int, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM a:1\n{text}\n", encoding="utf-8")
    found = find(tmp_path).references[1]
    assert (found.span.line, found.span.column, found.text) == (2, column, found.value)


def test_an_anchor_that_two_platforms_use_names_none(tmp_path: Path) -> None:
    services = "a: {image: &x n:1, platform: linux/arm64}, b: {image: *x, platform: linux/amd64}"
    (tmp_path / "compose.yaml").write_text(f"services: {{{services}}}\n", encoding="utf-8")
    assert [(found.value, found.platform) for found in find(tmp_path).references] == [("n:1", "")]


TERRAFORM = (
    'a = "x', "a = [1, 2", "a {", "a = <<X\nb\n", "a = " + "[" * 100_000, "}" * 10, "a = {" + "b = {" * 5000,
    'a = "${' + "{" * 2000, "a = " + "f(" * 5000, 'a = "' + '${"' * 5000,
)  # fmt: skip


@pytest.mark.parametrize("text", TERRAFORM)
def test_malformed_terraform_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(text, encoding="utf-8")
    assert codes(find(tmp_path)) == ["REF_FILE_MALFORMED"]


def test_several_values_of_json_are_read_as_kubectl_reads_them(tmp_path: Path) -> None:
    pod = '{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": "n:%d"}]}}'
    (tmp_path / "a.json").write_text(f"{pod % 1}\n{pod % 2}\n", encoding="utf-8")
    assert [found.value for found in find(tmp_path).references] == ["n:1", "n:2"]


def test_long_files_take_time_by_their_length(tmp_path: Path) -> None:
    lines = 100_000
    (tmp_path / "Dockerfile").write_text("FROM a:1\nRUN x \\\n" + "  y \\\n" * lines + "  z\n", encoding="utf-8")
    (tmp_path / "main.tf").write_text("a = " + "x + " * lines + "y\n", encoding="utf-8")
    pods = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n" + "  - {image: n:1, name: é}\n" * 15_000
    (tmp_path / "pods.yaml").write_text(pods, encoding="utf-8")
    began = time.process_time()
    result = find(tmp_path)
    assert time.process_time() - began < 20
    assert (result.faults, len(result.references)) == ([], 15_001)
    last = result.references[-1].span
    assert pods.encode()[last.start : last.end] == b"n:1"


def test_a_line_that_buildkit_refuses_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM a:1\nRUN {'x' * 70_000}\n", encoding="utf-8")
    assert codes(find(tmp_path)) == ["REF_FILE_MALFORMED"]


def test_the_end_of_a_heredoc_may_hold_blanks(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a:1\nRUN cat <<'E F'\nFROM b:1\nE F\nFROM c:1\n", encoding="utf-8")
    assert [found.value for found in find(tmp_path).references] == ["a:1", "c:1"]


def test_a_folder_that_cannot_be_listed_is_an_error_beside_what_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM a:1\n", encoding="utf-8")
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    result = find(tmp_path)
    assert codes(result) == ["REF_FILE_UNREADABLE"]
    assert [found.value for found in result.references] == ["a:1"]
