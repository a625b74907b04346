"""One hostile program: what it gets, what it may use, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gate.errors import ScannerError
from gate.model.evidence import Isolation
from gate.sandbox import isolation
from gate.sandbox.process import (
    ChildLimits,
    ChildResult,
    PrivateDirectories,
    Stopped,
    private_directories,
    run_child,
)

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["namespaces", "no namespaces"])
def _launcher(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run each test twice: as the system allows, and as on a system that allows no namespaces."""
    if request.param == "namespaces":
        yield
        return
    launcher = Path(isolation.__file__)
    refused = "return any(libc.unshare(flags) == 0 for flags in _NAMESPACES)"
    text = launcher.read_text(encoding="utf-8")
    assert refused in text
    copy = tmp_path_factory.mktemp("launcher") / "isolation.py"
    copy.write_text(text.replace(refused, "return libc is None"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolation, "__file__", str(copy))
        yield


@pytest.fixture
def directories(tmp_path: Path, _launcher: None) -> Iterator[PrivateDirectories]:
    with private_directories(tmp_path) as made:
        yield made


def run_python(directories: PrivateDirectories, program: str, **limits: object) -> ChildResult:
    """Run a Python program as a hostile child."""
    asked = ChildLimits(**{"wall_time": timedelta(seconds=30), **limits})  # type: ignore[arg-type]
    with Path(sys.executable).resolve().open("rb") as interpreter:
        arguments = ["python", "-I", "-S", "-c", textwrap.dedent(program)]
        return run_child(interpreter.fileno(), arguments, directories=directories, limits=asked)


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_bytes().rsplit(b")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state not in {b"Z", b"X"}


def test_both_pipes_are_drained_at_once(directories: PrivateDirectories) -> None:
    result = run_python(
        directories,
        """
        import os
        for _ in range(50):
            os.write(2, b"e" * 4096)
        os.write(1, b"report")
        for _ in range(50):
            os.write(1, b"o" * 4096)
            os.write(2, b"e" * 4096)
        """,
    )
    assert (result.return_code, result.stopped) == (0, None)
    assert result.stdout == b"report" + b"o" * 50 * 4096
    assert result.stderr == b"e" * 65536


@pytest.mark.parametrize("code", [0, 1, 2, 77])
def test_the_exit_code_is_the_programs_own(directories: PrivateDirectories, code: int) -> None:
    assert run_python(directories, f"raise SystemExit({code})").return_code == code


def test_a_program_killed_by_a_signal_has_a_negative_code(directories: PrivateDirectories) -> None:
    result = run_python(
        directories, "import os, signal; os.kill(os.getpid(), signal.SIGKILL); import time; time.sleep(0.1)"
    )
    # In a process namespace of its own the program is number 1, which cannot kill itself.
    if result.isolation is Isolation.FLAGS:
        assert result.return_code == -signal.SIGKILL
    aborted = run_python(directories, "import ctypes, signal, os; signal.signal(6, signal.SIG_DFL); os._exit(134)")
    assert aborted.return_code == 134


def test_the_wall_time_ends_it(directories: PrivateDirectories) -> None:
    result = run_python(directories, "import time; time.sleep(60)", wall_time=timedelta(seconds=0.5))
    assert result.stopped is Stopped.WALL_TIME
    assert result.return_code == -signal.SIGKILL
    assert result.duration < timedelta(seconds=10)


def test_the_processor_time_ends_it(directories: PrivateDirectories) -> None:
    result = run_python(directories, "while True: pass", cpu_time=timedelta(seconds=1))
    assert result.return_code in {-signal.SIGXCPU, -signal.SIGKILL}
    assert result.stopped is Stopped.CPU_TIME


def test_a_memory_hog_is_ended_and_measured(directories: PrivateDirectories) -> None:
    program = """
        import time
        held = []
        for _ in range(60):
            held.append(bytearray(b"x") * (10 << 20))
            time.sleep(0.05)
        """
    result = run_python(directories, program, memory_bytes=100 << 20)
    assert result.stopped is Stopped.MEMORY
    assert result.peak_memory_bytes > 90 << 20


def test_memory_of_children_counts(directories: PrivateDirectories) -> None:
    program = """
        import os, time
        for _ in range(4):
            if os.fork() == 0:
                held = bytearray(b"x") * (40 << 20)
                time.sleep(30)
                os._exit(0)
        time.sleep(30)
        """
    assert run_python(directories, program, memory_bytes=120 << 20).stopped is Stopped.MEMORY


def test_a_flood_of_output_is_ended(directories: PrivateDirectories) -> None:
    program = "import os\nwhile True: os.write({stream}, b'x' * 65536)"
    for stream in (1, 2):
        result = run_python(directories, program.format(stream=stream), output_bytes=1 << 20)
        assert result.stopped is Stopped.OUTPUT
        assert len(result.stdout) <= 1 << 20
        assert len(result.stderr) <= 65536


def test_output_over_the_limit_of_a_short_program_is_noticed(directories: PrivateDirectories) -> None:
    result = run_python(directories, "import os; os.write(1, b'x' * 5000)", output_bytes=4096)
    assert result.stopped is Stopped.OUTPUT


def test_a_fork_bomb_is_ended_with_all_its_processes(directories: PrivateDirectories) -> None:
    mark = f"bomb-{os.getpid()}-{time.monotonic_ns()}"
    program = f"""
        import os, time
        mark = {mark!r}
        for _ in range(60):
            if os.fork() == 0:
                os.setsid()
                time.sleep(120)
        time.sleep(120)
        """
    assert run_python(directories, program, processes=20).stopped is Stopped.PROCESSES
    assert [entry for entry in command_lines() if mark in entry] == []


def command_lines() -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and is_running(int(entry.name)):
            try:
                found.append((entry / "cmdline").read_bytes().decode("utf-8", "replace"))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def test_what_it_left_behind_is_killed_after_a_good_end(directories: PrivateDirectories) -> None:
    mark = f"left-{os.getpid()}-{time.monotonic_ns()}"
    program = f"""
        import os, time
        mark = {mark!r}
        for leave_group in (True, False):
            if os.fork() == 0:
                if leave_group:
                    os.setsid()
                time.sleep(120)
        """
    started = time.monotonic()
    assert run_python(directories, program).return_code == 0
    assert time.monotonic() - started < 30
    assert [entry for entry in command_lines() if mark in entry] == []


def test_it_dies_with_the_gate(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    gate = f"""
        import sys
        from datetime import timedelta
        from pathlib import Path
        from gate.sandbox.process import ChildLimits, private_directories, run_child
        python, place = {str(Path(sys.executable).resolve())!r}, Path({str(tmp_path)!r})
        with open(python, "rb") as program, private_directories(place) as d:
            run_child(
                program.fileno(),
                ["python", "-I", "-S", "-c", "import os, time; open({str(marker)!r}, 'w').write('x'); time.sleep(120)"],
                directories=d,
                limits=ChildLimits(wall_time=timedelta(seconds=100)),
            )
        """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(gate)], cwd=REPOSITORY) as running:
        deadline = time.monotonic() + 20
        while not marker.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        children = [entry for entry in command_lines() if str(marker) in entry]
        assert children
        running.kill()
    deadline = time.monotonic() + 10
    while [entry for entry in command_lines() if str(marker) in entry] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [entry for entry in command_lines() if str(marker) in entry] == []


# What changes a scanner's findings, and what a CI job or a signer holds that hostile input must never come near.
SETTINGS = ("TRIVY_SEVERITY", "GRYPE_ONLY_FIXED", "SYFT_X", "LD_PRELOAD", "GODEBUG", "HTTPS_PROXY")
IDENTITIES = (
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_RUNTIME_TOKEN", "AWS_SECRET_ACCESS_KEY",
    "AZURE_CLIENT_SECRET", "CI_JOB_TOKEN", "COSIGN_PASSWORD", "DOCKER_CONFIG", "GATE_KEY_PASSWORD", "GITHUB_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS", "SIGSTORE_ID_TOKEN", "VAULT_TOKEN",
)  # fmt: skip


def test_v09_c03_the_environment_is_written_name_by_name(
    directories: PrivateDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*SETTINGS, *IDENTITIES):
        monkeypatch.setenv(name, "hostile")
    result = run_python(directories, "import os; print(*sorted(os.environ))")
    assert set(result.stdout.decode().split()) - {"LC_CTYPE"} == set(directories.environment())
    assert directories.environment().keys().isdisjoint({*SETTINGS, *IDENTITIES} - {"HTTPS_PROXY"})
    assert "hostile" not in directories.environment().values()


def test_V08_it_starts_in_an_empty_private_directory(  # noqa: N802
    directories: PrivateDirectories, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "trivy.yaml").write_text("severity: [LOW]")
    monkeypatch.chdir(tmp_path)
    result = run_python(
        directories, "import os; print(os.getcwd(), os.listdir('.'), oct(os.stat('.').st_mode & 0o777))"
    )
    assert result.stdout.decode().split() == [str(directories.work), "[]", "0o700"]


def test_it_gets_no_descriptor_but_its_own_program(directories: PrivateDirectories) -> None:
    with Path(__file__).open("rb") as secret:
        os.set_inheritable(secret.fileno(), True)  # noqa: FBT003
        result = run_python(
            directories,
            """
            import os
            places = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
            print(sorted(os.readlink(place) for place in places if os.path.lexists(place)))
            """,
        )
    assert str(Path(__file__)) not in result.stdout.decode()


def test_V13_there_is_no_network(directories: PrivateDirectories) -> None:  # noqa: N802
    result = run_python(
        directories,
        """
        import os, socket
        try:
            socket.create_connection(("127.0.0.1", 9), timeout=2)
        except OSError as error:
            print(error.errno)
        print(len(open("/proc/net/dev").readlines()) - 2)
        """,
    )
    if result.isolation is Isolation.NAMESPACE:
        # ENETUNREACH: not even the loopback interface is up.
        assert result.stdout.split() == [b"101", b"1"]
    else:
        assert directories.environment()["HTTPS_PROXY"] == "http://127.0.0.1:9"


def test_it_cannot_see_or_signal_the_gate(directories: PrivateDirectories) -> None:
    result = run_python(
        directories,
        f"""
        import os
        try:
            os.kill({os.getpid()}, 0)
            print("seen")
        except OSError as error:
            print("hidden")
        """,
    )
    if result.isolation is Isolation.NAMESPACE:
        assert result.stdout == b"hidden\n"


def test_files_are_bounded(directories: PrivateDirectories) -> None:
    program = "f = open('big', 'wb')\nfor _ in range(100): f.write(b'x' * 65536)"
    assert run_python(directories, program, file_bytes=1 << 20).return_code != 0
    assert (directories.work / "big").stat().st_size <= 1 << 20
    assert run_python(directories, program, file_bytes=100 << 20).return_code == 0


def test_what_is_no_program_is_an_error(directories: PrivateDirectories) -> None:
    junk = directories.root / "junk"
    junk.write_bytes(b"\x7fELFnot really")
    junk.chmod(0o700)
    with junk.open("rb") as opened, pytest.raises(ScannerError) as raised:
        run_child(
            opened.fileno(), ["junk"], directories=directories, limits=ChildLimits(wall_time=timedelta(seconds=5))
        )
    assert raised.value.code == "SCAN_FAILED"


def test_the_private_directories_are_removed_with_what_is_in_them(tmp_path: Path) -> None:
    with private_directories(tmp_path) as made:
        run_python(made, "import os; os.makedirs('a/b'); open('a/b/c', 'w').write('x'); os.chmod('a/b', 0o700)")
        assert (made.work / "a/b/c").exists()
    assert list(tmp_path.iterdir()) == []
