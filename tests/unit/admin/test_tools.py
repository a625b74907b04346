"""The pinned programs: found, fetched, built, pinned; and refused when they are not what was pinned (attack V14)."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gate.admin.tools import InstallOptions, install_tool, list_tools, verify_tools
from gate.clock import Deadline
from gate.disk.content import DigestMemo
from gate.errors import GateError, InternalError, ScannerError, UsageError
from gate.model.digest import Digest
from gate.scanners.tool_pins import ToolPlaces, locate_tool, read_tool_lock, read_user_lock, this_platform
from tests.support.file_server import Served, serve_files
from tests.support.programs import absent

PROGRAM = b"#!/bin/sh\necho a scanner\n"
DIGEST = Digest.of(PROGRAM)


def deadline() -> Deadline:
    return Deadline.after(timedelta(minutes=5))


def archive(member: str = "scanner", content: bytes = PROGRAM, kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as opened:
        entry = tarfile.TarInfo(member)
        entry.size, entry.type, entry.linkname = len(content), kind, "/bin/sh"
        opened.addfile(entry, io.BytesIO(content) if kind == tarfile.REGTYPE else None)
    return buffer.getvalue()


def write_lock(directory: Path, *, binary: str | None = None, release: dict[str, object] | None = None) -> Path:
    """Write a lock of one program, `scanner` 1.2.3; JSON is YAML too."""
    machine = this_platform()
    program = {
        "version": "1.2.3",
        "use": "scanner",
        "build": {
            "module_dir": "module",
            "package": "example.org/scanner",
            "ldflags": "-s -w",
            "environment": {"GO111MODULE": "on"},
        },
        "archives": {machine: release} if release else {},
        "binaries": {machine: binary} if binary else {},
    }
    common = {
        "flags": ["-trimpath", "-buildvcs=false"],
        "environment": {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"},
    }
    path = directory / "tools.lock.yaml"
    path.write_text(json.dumps({"schema": 1, "go": common, "programs": {"scanner": program}}))
    return path


def release(content: bytes, form: str = "tar.gz", **changes: object) -> dict[str, object]:
    known = {"url": "https://example.invalid/v1/scanner.tgz", "form": form, "member": "scanner"}
    return {**known, "sha256": Digest.of(content).hex, **changes}


@pytest.fixture
def places(tmp_path: Path) -> ToolPlaces:
    return ToolPlaces(
        tools_dir=tmp_path / "tools", user_lock=tmp_path / "config/tools.lock.json", lock=write_lock(tmp_path)
    )


def put(directory: Path, content: bytes = PROGRAM) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "scanner"
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(GateError) as raised:
        action()
    return raised.value.code


def test_the_shipped_lock_pins_both_scanners() -> None:
    lock = read_tool_lock()
    assert {name for name, pin in lock.items() if pin.use == "scanner"} == {"trivy", "grype"}
    assert dict(lock["trivy"].recipe.environment)["GOEXPERIMENT"] == "jsonv2"
    assert dict(lock["grype"].recipe.environment)["CGO_ENABLED"] == "0"
    for pin in lock.values():
        assert (pin.recipe.module_dir / "go.sum").is_file()
        assert pin.recipe.arguments[:2] == ("-trimpath", "-buildvcs=false")


def test_a_lock_that_is_not_whole_is_a_defect(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    for text in ("{schema: 2, go: {}, programs: {}}", "{schema: 1, go: {}, programs: {x: {}}}", "[]", "null"):
        path.write_text(text)
        with pytest.raises(InternalError):
            read_tool_lock(path)


def test_a_program_whose_digest_ships_is_found_on_the_path(tmp_path: Path, places: ToolPlaces) -> None:
    path = put(tmp_path / "bin")
    found = replace(places, lock=write_lock(tmp_path, binary=DIGEST.hex), search_path=(tmp_path / "bin",))
    assert locate_tool("scanner", found, DigestMemo()).path == path


@pytest.mark.parametrize("content", [PROGRAM + b"#", b""])
def test_V14_a_program_with_another_digest_is_not_found(  # noqa: N802
    tmp_path: Path, places: ToolPlaces, content: bytes
) -> None:
    put(places.tools_dir, content)
    pinned = replace(places, lock=write_lock(tmp_path, binary=DIGEST.hex))
    assert refusal(lambda: locate_tool("scanner", pinned, DigestMemo())) == "SCAN_BINARY"
    assert refusal(lambda: verify_tools((), pinned)) == "SCAN_BINARY"


def test_V14_a_wrong_program_does_not_hide_a_right_one_behind_it(tmp_path: Path, places: ToolPlaces) -> None:  # noqa: N802
    put(places.tools_dir, b"wrong")
    path = put(tmp_path / "bin")
    found = replace(places, lock=write_lock(tmp_path, binary=DIGEST.hex), search_path=(tmp_path / "bin",))
    assert verify_tools(("scanner",), found)[0].path == path


def test_without_any_pin_nothing_is_started(places: ToolPlaces) -> None:
    put(places.tools_dir)
    assert refusal(lambda: locate_tool("scanner", places, DigestMemo())) == "SCAN_BINARY"


def write_user_lock(places: ToolPlaces, **changes: object) -> None:
    entry = {
        "name": "scanner",
        "version": "1.2.3",
        "platform": this_platform(),
        "digest": DIGEST.text,
        "origin": "built",
        **changes,
    }
    places.user_lock.parent.mkdir(exist_ok=True)
    places.user_lock.write_text(json.dumps({"version": 1, "tools": [entry]}))
    places.user_lock.chmod(0o600)


def test_the_users_own_lock_pins_too(places: ToolPlaces) -> None:
    put(places.tools_dir)
    write_user_lock(places)
    assert locate_tool("scanner", places, DigestMemo()).identity.digest == DIGEST


@pytest.mark.parametrize("change", [{"version": "1.2.2"}, {"platform": "plan9/mips"}, {"name": "other"}])
def test_a_pin_for_another_version_or_platform_does_not_count(places: ToolPlaces, change: dict[str, object]) -> None:
    put(places.tools_dir)
    write_user_lock(places, **change)
    assert refusal(lambda: locate_tool("scanner", places, DigestMemo())) == "SCAN_BINARY"


@pytest.mark.parametrize("content", ["", "[]", '{"version": 2, "tools": []}', '{"version": 1, "tools": [{}]}'])
def test_a_damaged_users_lock_is_an_error_and_is_not_written_over(places: ToolPlaces, content: str) -> None:
    write_user_lock(places)
    places.user_lock.write_text(content)
    assert refusal(lambda: list_tools(places)) == "SCAN_BINARY"
    assert refusal(lambda: install_tool("scanner", places, InstallOptions(), deadline())) == "SCAN_BINARY"
    assert places.user_lock.read_text() == content


def test_a_users_lock_that_others_can_write_does_not_count(places: ToolPlaces) -> None:
    put(places.tools_dir)
    write_user_lock(places)
    places.user_lock.chmod(0o666)
    assert refusal(lambda: locate_tool("scanner", places, DigestMemo())) == "SCAN_BINARY"


@pytest.mark.parametrize("form", ["tar.gz", "binary"])
def test_a_release_is_fetched_from_a_mirror_checked_placed_and_pinned(
    tmp_path: Path, places: ToolPlaces, form: str
) -> None:
    content = archive() if form == "tar.gz" else PROGRAM
    fetched = replace(places, lock=write_lock(tmp_path, release=release(content, form)))
    with serve_files({"/mirror/scanner.tgz": Served(content)}) as base:
        made = install_tool("scanner", fetched, InstallOptions(mirror=f"{base}/mirror/"), deadline())
    assert made.path.read_bytes() == PROGRAM
    assert made.path.stat().st_mode & 0o777 == 0o555
    (pin,) = read_user_lock(places.user_lock)
    assert (pin.digest, pin.origin) == (DIGEST, "archive")
    assert verify_tools((), fetched) == (made,)
    assert sorted(path.name for path in places.tools_dir.iterdir()) == ["scanner"]
    # Again: it is here, and nothing is fetched.
    assert install_tool("scanner", fetched, InstallOptions(mirror="http://127.0.0.1:9"), deadline()) == made
    (status,) = list_tools(fetched)
    assert (status.found, status.problem, status.ways) == (made, "", ("archive", "build"))
    assert status.origin.startswith("archive: https://example.invalid/")


@pytest.mark.parametrize(
    "answer",
    [
        Served(archive(content=b"evil")),
        Served(archive()[:-20]),
        Served(b""),
        Served(archive(), status=404),
        Served(status=302, headers={"Location": "http://example.invalid/x"}),
        Served(status=302, headers={"Location": "/scanner.tgz"}),
        Served(status=302, headers={"Location": "file:///bin/sh"}),
    ],
    ids=["other", "cut", "empty", "missing", "plain http", "loop", "file"],
)
def test_a_release_that_is_not_the_pinned_one_is_refused(tmp_path: Path, places: ToolPlaces, answer: Served) -> None:
    fetched = replace(places, lock=write_lock(tmp_path, release=release(archive())))
    with serve_files({"/scanner.tgz": answer}) as base:
        code = refusal(lambda: install_tool("scanner", fetched, InstallOptions(mirror=base), deadline()))
    assert code == "TOOL_SOURCE"
    assert list(places.tools_dir.iterdir()) == []
    assert not places.user_lock.exists()


@pytest.mark.parametrize(
    "content", [archive("other"), archive(kind=tarfile.SYMTYPE), archive("../scanner"), b"no archive"]
)
def test_a_pinned_release_without_the_program_is_refused(tmp_path: Path, places: ToolPlaces, content: bytes) -> None:
    fetched = replace(places, lock=write_lock(tmp_path, release=release(content)))
    with serve_files({"/scanner.tgz": Served(content)}) as base:
        code = refusal(lambda: install_tool("scanner", fetched, InstallOptions(mirror=base), deadline()))
    assert code == "TOOL_SOURCE"


def test_more_bytes_than_allowed_are_refused(tmp_path: Path, places: ToolPlaces) -> None:
    fetched = replace(places, lock=write_lock(tmp_path, release=release(archive())))
    options = InstallOptions()
    small = replace(options, download=replace(options.download, limit_bytes=10))
    with serve_files({"/scanner.tgz": Served(archive())}) as base:
        code = refusal(lambda: install_tool("scanner", fetched, replace(small, mirror=base), deadline()))
    assert code == "TOOL_SOURCE"


def test_offline_fetches_nothing(tmp_path: Path, places: ToolPlaces) -> None:
    fetched = replace(places, lock=write_lock(tmp_path, release=release(archive())))
    options = InstallOptions()
    offline = replace(options, download=replace(options.download, offline=True))
    with serve_files({"/scanner.tgz": Served(archive())}) as base:
        code = refusal(lambda: install_tool("scanner", fetched, replace(offline, mirror=base), deadline()))
    assert code == "TOOL_SOURCE"


def test_a_release_without_a_recorded_digest_is_not_fetched(tmp_path: Path, places: ToolPlaces) -> None:
    fetched = replace(places, lock=write_lock(tmp_path, release=release(archive(), sha256=None)))
    # What is left is a build, and there is no Go on this PATH.
    options = InstallOptions(environment={"PATH": "/nowhere"})
    with serve_files({"/scanner.tgz": Served(archive())}) as base, pytest.raises(ScannerError) as raised:
        install_tool("scanner", fetched, replace(options, mirror=base), deadline())
    assert raised.value.code == "TOOL_SOURCE"
    assert "Go" in raised.value.message


def test_an_unknown_name_is_a_usage_error(places: ToolPlaces) -> None:
    for action in (
        lambda: install_tool("nmap", places, InstallOptions(), deadline()),
        lambda: verify_tools(("nmap",), places),
    ):
        with pytest.raises(UsageError):
            action()


def write_module(directory: Path, source: str) -> None:
    directory.mkdir()
    (directory / "go.mod").write_text("module example.org/scanner\n\ngo 1.21\n")
    (directory / "go.sum").write_text("")
    (directory / "main.go").write_text(source)


@pytest.mark.slow
@pytest.mark.real_tools
def test_a_program_is_built_from_its_module_and_pinned(tmp_path: Path, places: ToolPlaces) -> None:
    if shutil.which("go") is None:
        absent("go", "install Go 1.26 or later")
    write_module(tmp_path / "module", 'package main\n\nfunc main() { println("built") }\n')
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
    made = install_tool("scanner", places, InstallOptions(environment=environment), deadline())
    run = subprocess.run([made.path], capture_output=True, check=True)
    assert run.stderr == b"built\n"
    (pin,) = read_user_lock(places.user_lock)
    assert (pin.origin, pin.digest) == ("built", made.identity.digest)
    assert pin.detail == f"example.org/scanner go.sum {Digest.of(b'')}"
    # What was pinned is what was built: a change afterwards is refused.
    made.path.chmod(0o755)
    made.path.write_bytes(made.path.read_bytes() + b"x")
    assert refusal(lambda: verify_tools((), places)) == "SCAN_BINARY"


@pytest.mark.slow
@pytest.mark.real_tools
def test_a_build_that_fails_says_why_and_leaves_nothing(tmp_path: Path, places: ToolPlaces) -> None:
    if shutil.which("go") is None:
        absent("go", "install Go 1.26 or later")
    write_module(tmp_path / "module", "package main\n\nfunc main() { undefined() }\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GOPROXY": "off"}
    with pytest.raises(ScannerError) as raised:
        install_tool("scanner", places, InstallOptions(environment=environment), deadline())
    assert raised.value.code == "TOOL_SOURCE"
    assert "undefined" in raised.value.seen
    assert list(places.tools_dir.iterdir()) == []
