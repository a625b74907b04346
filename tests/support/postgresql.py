"""A PostgreSQL server of the test's own, on a loopback port, that ends with the test."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import absent

_ADVICE = "run `apt-get install postgresql`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgresql:
    """A server that runs: its URL, and what a test may do to it."""

    url: str
    folder: Path
    options: str
    user: pwd.struct_passwd | None

    def start(self) -> None:
        log = self.folder / "log"
        self._control("start", "-l", log, "-o", self.options)

    def stop(self) -> None:
        self._control("stop", "-m", "immediate")

    def restart(self) -> None:
        """Restart it as after a crash: clients lose their connections in the middle."""
        self.stop()
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop every process of the server for a while: connections stay and nothing answers."""
        leader = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        children = subprocess.run(
            ["pgrep", "-P", str(leader)], check=True, capture_output=True, text=True
        ).stdout.split()
        processes = (leader, *map(int, children))
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def _control(self, *arguments: Path | str) -> None:
        command = [_program("pg_ctl"), arguments[0], "--wait", "-D", self.folder / "data", *arguments[1:]]
        _run(command, self.user, self.folder)


@contextlib.contextmanager
def running_postgresql() -> Iterator[Postgresql]:
    """Start a server with an empty database; skips or fails the test where there is none."""
    initdb = _program("initdb")
    # Not pytest's folder: the server runs as another user, who may not go through it, and a socket's path is short.
    with tempfile.TemporaryDirectory(prefix="gate-pg-") as name:
        folder = Path(name)
        user = _unprivileged_user()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data, port = folder / "data", _free_port()
        _run([initdb, "--pgdata", data, "--username", "gate", "--auth", "trust", "--no-sync"], user, folder)
        server = Postgresql(
            url=f"postgresql://gate@127.0.0.1:{port}/postgres",
            folder=folder,
            options=f"-h 127.0.0.1 -p {port} -k {folder} -F",
            user=user,
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def run_postgresql() -> Iterator[str]:
    """Start a server with an empty database and provide its URL."""
    with running_postgresql() as server:
        yield server.url


def _program(name: str) -> Path:
    # Debian keeps the server's programs off PATH.
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (places[-1] if places else None)
    return Path(found) if found is not None else absent("PostgreSQL", _ADVICE)


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Return the user to run as: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _run(command: Sequence[Path | str], user: pwd.struct_passwd | None, folder: Path) -> None:
    with (folder / "output").open("wb") as output:
        done = subprocess.run(
            command,
            check=False,
            cwd=folder,
            stdout=output,
            stderr=output,
            env={"PATH": os.environ["PATH"]},
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=() if user else None,
        )
    assert done.returncode == 0, (folder / "output").read_text(errors="replace")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
