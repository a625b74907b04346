"""A PostgreSQL server of the test's own, on a loopback port, that ends with the test."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.programs import absent

_ADVICE = "run `apt-get install postgresql`"


@contextlib.contextmanager
def run_postgresql() -> Iterator[str]:
    """Start a server with an empty database and give its URL; skips or fails the test where there is none."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    # Not pytest's folder: the server runs as another user, who may not go through it, and a socket's path is short.
    with tempfile.TemporaryDirectory(prefix="gate-pg-") as name:
        folder = Path(name)
        user = _unprivileged_user()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data, port = folder / "data", _free_port()
        _run([initdb, "--pgdata", data, "--username", "gate", "--auth", "trust", "--no-sync"], user, folder)
        options = f"-h 127.0.0.1 -p {port} -k {folder} -F"
        _run([pg_ctl, "start", "--wait", "-D", data, "-l", folder / "log", "-o", options], user, folder)
        try:
            yield f"postgresql://gate@127.0.0.1:{port}/postgres"
        finally:
            _run([pg_ctl, "stop", "--wait", "-D", data, "-m", "immediate"], user, folder)


def _program(name: str) -> Path:
    # Debian keeps the server's programs off PATH.
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (places[-1] if places else None)
    return Path(found) if found is not None else absent("PostgreSQL", _ADVICE)


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Give the user to run as: PostgreSQL refuses to be root."""
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
