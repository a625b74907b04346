"""What makes a run of a scanner count, against programs that lie: the table of exit codes and reports (V01, V02, V13, V14)."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gate.clock import Deadline
from gate.codec.trivy import parse_trivy_report
from gate.disk.content import DigestMemo, open_binary, verify_database_file
from gate.errors import DatabaseError, ScannerError
from gate.model.digest import Digest
from gate.model.evidence import DatabaseIdentity
from gate.scanners.database_store import Database, DatabaseKind
from gate.scanners.scanning import ScanSettings, ScanTarget, last_words
from gate.scanners.trivy import TrivyRun, scan_with_trivy
from tests.support.scanners import pin

RECORDED = (Path(__file__).resolve().parents[3] / "fixtures/scanners/trivy.json").read_bytes()
NOTHING = Digest.of(b"")


def database(place: Path, kind: DatabaseKind) -> Database:
    (place / kind.value / "db").mkdir(parents=True)
    (place / kind.value / "java-db").mkdir()
    identity = DatabaseIdentity(name=kind.value, digest=NOTHING, built_at=datetime(2026, 1, 1, tzinfo=UTC), schema="2")
    return Database(kind=kind, entry=NOTHING, directory=place / kind.value, identity=identity, files=())


@pytest.fixture
def target(tmp_path: Path) -> ScanTarget:
    report = parse_trivy_report(RECORDED)
    (tmp_path / "image").mkdir()
    return ScanTarget(
        layout=tmp_path / "image",
        manifest=NOTHING,
        config=report.target_config,
        diff_ids=report.target_diff_ids,
    )


def scanner(tmp_path: Path, body: str) -> TrivyRun:
    """Return a run of a program in place of Trivy: `report` is what a true one would write, `write(bytes)` writes it."""
    place = tmp_path / "program"
    place.mkdir()
    report = place / "report.json"
    report.write_bytes(RECORDED)
    script = f"""#!{Path(sys.executable).resolve()} -IS
import os, signal, sys, time
report = open({str(report)!r}, "rb").read()
path = sys.argv[sys.argv.index("--output") + 1]
def write(content):
    with open(path, "wb") as file:
        file.write(content)
{body}
"""
    program = place / "trivy"
    program.write_text(script)
    program.chmod(0o700)
    return TrivyRun(
        tool=pin(program),
        database=database(tmp_path / "databases", DatabaseKind.TRIVY),
        java_database=database(tmp_path / "databases", DatabaseKind.JAVA),
        settings=ScanSettings(scratch=tmp_path),
    )


def refusal(run: TrivyRun, target: ScanTarget, seconds: float = 60) -> ScannerError:
    with pytest.raises(ScannerError) as raised:
        scan_with_trivy(run, target, Deadline.after(timedelta(seconds=seconds)))
    return raised.value


def test_V01_a_whole_report_and_exit_code_0_count(tmp_path: Path, target: ScanTarget) -> None:  # noqa: N802
    report, _ = scan_with_trivy(scanner(tmp_path, "write(report)"), target, Deadline.after(timedelta(seconds=60)))
    assert report.findings == parse_trivy_report(RECORDED).findings


@pytest.mark.parametrize("code", [1, 2, 137])
@pytest.mark.parametrize("report", ["report", "b'{}'", "b''", "None"])
def test_V01_no_other_exit_code_counts_whatever_was_written(  # noqa: N802
    tmp_path: Path, target: ScanTarget, code: int, report: str
) -> None:
    run = scanner(tmp_path, f"content = {report}\nif content is not None: write(content)\nsys.exit({code})")
    assert refusal(run, target).code == "SCAN_FAILED"


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "write(b'')",
        "write(b'{}')",
        "write(b'[]')",
        "write(b'null')",
        "write(report[:len(report) // 2])",
        "write(report + report)",
        "write(bytes([239, 187, 191]) + report)",
        "sys.stdout.buffer.write(report)",
        "os.symlink('/etc/passwd', path)",
        "os.mkfifo(path)",
        "os.mkdir(path)",
    ],
)
def test_V02_exit_code_0_without_a_whole_report_does_not_count(  # noqa: N802
    tmp_path: Path, target: ScanTarget, body: str
) -> None:
    assert refusal(scanner(tmp_path, body), target).code == "SCAN_FAILED"


def test_V02_a_crash_is_an_error_with_its_last_words(tmp_path: Path, target: ScanTarget) -> None:  # noqa: N802
    run = scanner(tmp_path, "print('goroutine 1', file=sys.stderr)\nraise RuntimeError('panic: no bucket')")
    error = refusal(run, target)
    assert error.code == "SCAN_FAILED"
    assert "panic: no bucket" in error.seen


def test_V02_a_scanner_that_hangs_is_a_timeout(tmp_path: Path, target: ScanTarget) -> None:  # noqa: N802
    assert refusal(scanner(tmp_path, "write(report)\ntime.sleep(600)"), target, seconds=2).code == "SCAN_TIMEOUT"


def test_V04_a_report_that_was_there_before_is_not_read(tmp_path: Path, target: ScanTarget) -> None:  # noqa: N802
    run = scanner(tmp_path, "sys.exit(0 if os.path.exists(path) else 3)")
    error = refusal(run, target)
    assert (error.code, "code 3" in error.seen) == ("SCAN_FAILED", True)


def test_V04_a_report_about_another_image_is_refused(tmp_path: Path, target: ScanTarget) -> None:  # noqa: N802
    run = scanner(tmp_path, f"write(report.replace({target.config.hex.encode()!r}, b'0' * 64))")
    assert refusal(run, target).code == "SCAN_TARGET_MISMATCH"


def test_V12_the_image_is_no_option(tmp_path: Path, target: ScanTarget) -> None:  # noqa: N802
    odd = tmp_path / "--config=x @sha256:y"
    target.layout.rename(odd)
    run = scanner(tmp_path, "write(report)\nprint(sys.argv, file=sys.stderr)\nsys.exit('../layout' not in sys.argv)")
    moved = ScanTarget(layout=odd, manifest=target.manifest, config=target.config, diff_ids=target.diff_ids)
    report, _ = scan_with_trivy(run, moved, Deadline.after(timedelta(seconds=60)))
    assert report.findings


def test_V14_the_file_that_was_hashed_is_what_is_started(tmp_path: Path) -> None:  # noqa: N802
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(b"good")
    bad.write_bytes(b"bad")
    link = tmp_path / "link"
    link.symlink_to(good)
    with open_binary(link, Digest.of(b"good"), DigestMemo()) as descriptor:
        link.unlink()
        link.symlink_to(bad)
        assert os.pread(descriptor, 9, 0) == b"good"


@pytest.mark.parametrize("kind", ["other", "missing", "directory", "fifo"])
def test_V14_another_program_is_not_opened(tmp_path: Path, kind: str) -> None:  # noqa: N802
    path = tmp_path / "program"
    match kind:
        case "other":
            path.write_bytes(b"other")
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case _:
            pass
    with pytest.raises(ScannerError) as raised, open_binary(path, Digest.of(b"good"), DigestMemo()):
        pytest.fail("it was opened")
    assert raised.value.code == "SCAN_BINARY"


def test_V14_a_program_that_changes_while_it_runs_does_not_count(tmp_path: Path) -> None:  # noqa: N802
    path = tmp_path / "program"
    path.write_bytes(b"good")
    with pytest.raises(ScannerError) as raised, open_binary(path, Digest.of(b"good"), DigestMemo()):
        path.write_bytes(b"evil")
    assert raised.value.code == "SCAN_BINARY"


def test_a_program_that_is_replaced_by_an_installation_while_it_runs_still_counts(tmp_path: Path) -> None:
    path, newer = tmp_path / "program", tmp_path / "newer"
    path.write_bytes(b"good")
    newer.write_bytes(b"newer")
    with open_binary(path, Digest.of(b"good"), DigestMemo()) as descriptor:
        newer.replace(path)
        assert os.pread(descriptor, 9, 0) == b"good"


@pytest.fixture
def settled(tmp_path: Path) -> Path:
    """Return a file that did not change for so long that the memo keeps its digest (the change time cannot be set)."""
    path = tmp_path / "settled"
    path.write_bytes(b"content")
    time.sleep(2.1)
    return path


def test_the_memo_answers_for_the_very_same_file_only(settled: Path, tmp_path: Path) -> None:
    memo = DigestMemo(tmp_path / "private/memo.json")
    verify_database_file(settled, Digest.of(b"content"), memo)
    assert memo.path is not None
    entries = json.loads(memo.path.read_bytes())
    assert list(entries.values()) == [Digest.of(b"content").text]
    # The memo is what answers now: a lie in it is believed, which is why it must be private.
    memo.path.write_text(json.dumps(dict.fromkeys(entries, NOTHING.text)))
    memo.path.chmod(0o600)
    verify_database_file(settled, NOTHING, memo)
    memo.path.chmod(0o622)
    verify_database_file(settled, Digest.of(b"content"), memo)
    memo.path.chmod(0o600)
    settled.write_bytes(b"CONTENT")
    with pytest.raises(DatabaseError) as raised:
        verify_database_file(settled, Digest.of(b"content"), memo)
    assert raised.value.code == "DB_DIGEST"


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 1}', b"\xff"])
def test_a_damaged_memo_is_ignored(tmp_path: Path, content: bytes) -> None:
    memo = DigestMemo(tmp_path / "memo.json")
    (tmp_path / "memo.json").write_bytes(content)
    path = tmp_path / "file"
    path.write_bytes(b"content")
    verify_database_file(path, Digest.of(b"content"), memo)


def test_a_young_file_is_not_remembered(tmp_path: Path) -> None:
    memo = DigestMemo(tmp_path / "memo.json")
    path = tmp_path / "file"
    path.write_bytes(b"content")
    verify_database_file(path, Digest.of(b"content"), memo)
    assert not (tmp_path / "memo.json").exists()


def test_last_words_are_one_printable_line_and_prefer_the_error() -> None:
    stderr = b"INFO start\n\x1b[31mFATAL\x1b[0m no database \xff\nWARN later\n"
    assert last_words(stderr).startswith("FATAL no database")
    assert last_words(b"") == "it said nothing"
    assert len(last_words(b"error " + b"x" * 10_000)) < 400
