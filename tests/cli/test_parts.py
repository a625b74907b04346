"""The small parts of the command line: kinds of values, the environment, progress."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import click
import pytest
from rich.console import Console

from gate.cli import types
from gate.cli.environment import download_authority, password_source, proxies, registry_options
from gate.cli.lazy import loading
from gate.cli.progress import shown_progress
from gate.cli.progress_bars import TerminalProgress
from gate.cli.signers import loading_beside
from gate.errors import GateError, KeyFileError
from gate.model.digest import Digest
from gate.model.image import Platform
from gate.model.progress import NoProgress
from gate.model.severity import Severity
from gate.report.formats import Format

ZEROS = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (types.DURATION, "15m", timedelta(minutes=15)),
        (types.DURATION, "7d", timedelta(days=7)),
        (types.PLACE, "a b", Path("a b")),
        (types.OUTPUT, "report", types.Output(Path("report"))),
        (types.OUTPUT, "json=a=b", types.Output(Path("a=b"), Format.JSON)),
        (types.OUTPUT, "./json=x", types.Output(Path("json=x"))),
        (types.SEVERITIES, "HIGH, critical", frozenset({Severity.HIGH, Severity.CRITICAL})),
        (types.PLATFORM, "linux/arm/v7", Platform("linux", "arm", "v7")),
        (types.SIZE, "20G", 20 * 1024**3),
        (types.SIZE, "0", 0),
        (types.EXIT_CODE, "125", 125),
        (types.DOCUMENT_OR_DIGEST, ZEROS, Digest(ZEROS)),
        (types.DOCUMENT_OR_DIGEST, "policy.yaml", Path("policy.yaml")),
        (types.RECORD, "postgresql://db/gate", "postgresql://db/gate"),
    ],
)
def test_a_text_becomes_its_value(kind: types.OptionType, text: str, value: object) -> None:
    assert kind.convert(text, None, None) == value
    assert kind.convert(value, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (types.DURATION, "0m"),
        (types.DURATION, "15"),
        (types.DURATION, "1h30m"),
        (types.DURATION, "\u0661\u0665m"),
        (types.PLACE, ""),
        (types.OUTPUT, "xml=a"),
        (types.OUTPUT, "json=-"),
        (types.SEVERITIES, "high,"),
        (types.PLATFORM, "linux"),
        (types.PLATFORM, "Linux/amd64"),
        (types.SIZE, "1.5G"),
        (types.EXIT_CODE, "3"),
        (types.DOCUMENT_OR_DIGEST, "sha256:abc"),
        (types.DIGEST, "abc"),
        (types.REPOSITORY, "registry.example/shop/web:tag"),
    ],
)
def test_a_wrong_text_is_refused_with_what_was_expected(kind: types.OptionType, text: str) -> None:
    with pytest.raises((click.BadParameter, GateError)) as refusal:
        kind.convert(text, None, None)
    assert "expected" in str(refusal.value)


def test_the_environment_names_proxies_and_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1, .internal,")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/authority.pem")
    assert (proxies().https, proxies().http, proxies().bypass) == (
        "http://proxy.example:3128",
        "",
        ("127.0.0.1", ".internal"),
    )
    asked = registry_options(authfile=None, plain_http=False, ca_file=None, offline=True)
    assert (asked.ca_file, asked.offline) == (None, True), (
        "OpenSSL reads the variable; only the option means TLS on loopback"
    )
    named = registry_options(authfile=None, plain_http=True, ca_file=Path("own.pem"), offline=False)
    assert (named.ca_file, named.plain_http) == (Path("own.pem"), True)
    assert download_authority(None) == Path("/etc/authority.pem")
    assert download_authority(Path("own.pem")) == Path("own.pem")


def test_no_other_variable_names_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "all_proxy", "FTP_PROXY"):
        monkeypatch.setenv(name, "http://evil.example")
    assert (proxies().https, proxies().http) == ("", "")


def test_an_empty_password_is_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_KEY_PASSWORD", "")
    monkeypatch.setenv("COSIGN_PASSWORD", "other")
    assert password_source(None)() == b""


@pytest.mark.parametrize(
    ("content", "password"), [(b"a b\n", b"a b"), (b"a\r\n", b"a"), (b"", b""), (b"a\n\n", b"a\n")]
)
def test_a_password_file_loses_one_newline(tmp_path: Path, content: bytes, password: bytes) -> None:
    (tmp_path / "password").write_bytes(content)
    assert password_source(tmp_path / "password")() == password


def test_a_password_file_that_is_missing_or_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 5000)
    for name in ("missing", "large"):
        with pytest.raises(KeyFileError) as refusal:
            password_source(tmp_path / name)()
        assert refusal.value.code == "KEY_PASSWORD"


@pytest.mark.parametrize("wanted", [True, False])
def test_progress_is_silent_in_a_pipe(*, wanted: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress(wanted=wanted) as progress:
        assert isinstance(progress, NoProgress)
        progress.start("pull", 10)
        progress.advance("pull", 10)
        progress.finish("pull")
    assert capsys.readouterr() == ("", "")


def test_progress_shows_steps_on_a_terminal_and_leaves_nothing() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, legacy_windows=False)
    with TerminalProgress(console) as progress:
        progress.start("pull\x1b]0;title\x07", 2048)
        progress.advance("pull\x1b]0;title\x07", 1024)
        progress.start("pull\x1b]0;title\x07", 2048)
        progress.advance("never begun", 5)
        progress.finish("never begun")
        progress.start("trivy")
    shown = screen.getvalue()
    assert "trivy" in shown
    assert "\x1b]0;" not in shown
    assert r"pull\x1b]0;title\x07" in shown


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module that nobody has loaded."""
    (tmp_path / "loaded_beside.py").write_text("VALUE = 1\n", encoding="ascii")
    monkeypatch.syspath_prepend(tmp_path)
    yield "loaded_beside"
    sys.modules.pop("loaded_beside", None)


def test_a_module_is_loaded_while_keys_in_files_are_opened(tmp_path: Path, module: str) -> None:
    key = tmp_path / "gate.key"
    key.touch()
    with loading_beside(module, (str(key),), None):
        pass
    assert module in sys.modules


@pytest.mark.parametrize(
    ("keys", "timestamp"), [((), None), (("{key}", "awskms:///alias/gate"), None), (("{key}",), "public")]
)
def test_nothing_is_loaded_while_a_client_may_be(
    tmp_path: Path, module: str, keys: tuple[str, ...], timestamp: str | None
) -> None:
    key = tmp_path / "gate.key"
    key.touch()
    with loading_beside(module, tuple(uri.format(key=key) for uri in keys), timestamp):
        pass
    assert module not in sys.modules


def test_what_cannot_be_loaded_is_heard_where_it_is_used_and_hides_no_error_of_the_key() -> None:
    with loading("gate.no_such_module"):
        opened = True
    assert opened
    with pytest.raises(KeyFileError), loading("gate.no_such_module"):
        raise KeyFileError("the key cannot be read")
    with pytest.raises(ModuleNotFoundError):
        import_module("gate.no_such_module")
