"""Every option that takes a file, given every wrong kind of file: none hangs, none shows the content, none ends in a traceback.

The options are found from the commands themselves, so that a new one is tried as soon as it is there.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

import click
import pytest

from gate.cli.main import COMMANDS
from gate.cli.types import DocumentOrDigestType, PlaceType
from tests.cli.conftest import Run

PASSWORD: Final = "hunter2-Tr0ub4dor&3"
# RFC 8410, section 10.3: the example of a private key.
KEY_BODY: Final = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
KEY: Final = f"-----BEGIN PRIVATE KEY-----\n{KEY_BODY}\n-----END PRIVATE KEY-----\n"
DIGEST: Final = "sha256:" + "a" * 64
IMAGE: Final = f"127.0.0.1:1/shop/web@{DIGEST}"
SECONDS: Final = 1
# What else a command demands, so that it gets as far as the file.
ARGUMENTS: Final = {
    "check": [IMAGE, "--offline"],
    "verify": [IMAGE, "--offline"],
    "resolve": ["127.0.0.1:1/shop/web:1", "--offline"],
    "sign": [IMAGE, "--offline"],
    "doctor": ["--offline"],
    "secrets scan": ["."],
    "attest show": [IMAGE, "--offline"],
    "attest prune": [IMAGE, "--offline"],
}
# Where things are written or kept: tested by test_bad_places.py.
WRITTEN: Final = {
    "--attestation", "--dsse", "--unsigned-verdict", "--output", "--cache-dir", "--db-dir", "--tools-dir", "--output-dir",
    "--out", "--target",
}  # fmt: skip


def options() -> Iterator[tuple[str, str]]:
    """Yield command and option, or argument, of everything that takes a path to read."""
    for name, (place, _) in COMMANDS.items():
        module, _, attribute = place.partition(":")
        yield from _options(name, getattr(import_module(module), attribute))


def _options(name: str, command: click.Command) -> Iterator[tuple[str, str]]:
    if isinstance(command, click.Group):
        for part in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), part)
            assert found is not None
            yield from _options(f"{name} {part}", found)
        return
    for parameter in command.params:
        if isinstance(parameter.type, (PlaceType, DocumentOrDigestType)) or parameter.name in {"key", "fail_key"}:
            shown = parameter.opts[0] if isinstance(parameter, click.Option) else ""
            if shown == "--config" and name != "check":
                # One option for all commands, read before any of their own.
                continue
            if not WRITTEN & set(parameter.opts) or (name == "verify" and "--attestation" in parameter.opts):
                yield name, shown


def wrong_files(folder: Path) -> dict[str, str]:
    """Return what is wrong → the path of such a file."""
    (folder / "password").write_text(PASSWORD + "\n")
    (folder / "key").write_text(KEY)
    (folder / "binary").write_bytes(bytes(range(256)) * 10)
    (folder / "empty").write_bytes(b"")
    os.mkfifo(folder / "fifo")
    (folder / "directory").mkdir()
    channel = socket.socket(socket.AF_UNIX)
    channel.bind(str(folder / "socket"))
    channel.close()
    names = ("password", "key", "binary", "empty", "fifo", "directory", "socket", "missing")
    return {name: str(folder / name) for name in names} | {"device": "/dev/zero"}


CASES: Final = sorted(set(options()))


@pytest.mark.parametrize(("command", "option"), CASES, ids=[f"{name} {option}".strip() for name, option in CASES])
def test_no_file_is_shown_hangs_or_ends_in_a_traceback(command: str, option: str, run: Run, tmp_path: Path) -> None:
    for wrong, path in wrong_files(tmp_path).items():
        named = [option, path] if option else [path]
        # First: options that are read while the line is parsed are bound by it too.
        bound = ["--timeout", f"{SECONDS}s"]
        started = time.monotonic()
        done = run(*command.split(), *bound, *ARGUMENTS.get(command, []), *named, env={"HOME": str(tmp_path)})
        about = f"{command} {option} ({wrong}): {done.exit_code} {done.output}"
        assert time.monotonic() - started < SECONDS + 2, about
        assert done.exit_code in {0, 1, 2, 3}, about
        for secret in (PASSWORD, PASSWORD[:8], KEY_BODY, KEY_BODY[:20]):
            assert secret not in done.output, about
