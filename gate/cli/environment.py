"""The environment, read here and nowhere else: exactly the variables that are documented, handed on as values.

Options bring their own `GATE_<OPTION>`. Beside those: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`, the login
files of Docker and Podman, passwords of keys, `SIGSTORE_ID_TOKEN`, and `GITHUB_TOKEN` or `GH_TOKEN`. Programs that the gate
starts get none of these.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gate.cli.session import Session
from gate.disk.named import read_named
from gate.errors import KeyFileError
from gate.registry.credentials import default_credential_files
from gate.registry.options import HostSettings, ProxySettings, RegistryOptions
from gate.registry.proxies import proxies_of

if TYPE_CHECKING:
    from gate.signers.signer import PasswordSource

# GATE_KEY_PASSWORD first; COSIGN_PASSWORD, so that a pipeline that signs with Cosign needs no second secret.
PASSWORD_VARIABLES: Final = ("GATE_KEY_PASSWORD", "COSIGN_PASSWORD")
MAX_PASSWORD_BYTES: Final = 4096


def registry_options(
    *, authfile: Path | None, plain_http: bool, ca_file: Path | None, offline: bool
) -> RegistryOptions:
    """Return how registries are talked to.

    `SSL_CERT_FILE` is read by OpenSSL itself and stays out of this: only `--ca-file` says that loopback speaks TLS.
    """
    return RegistryOptions(
        plain_http=plain_http,
        ca_file=ca_file,
        proxies=proxies(),
        credentials=default_credential_files(os.environ, authfile),
        offline=offline,
        hosts=_registries(),
    )


def _registries() -> Mapping[str, HostSettings]:
    """Return what a configuration file that was named says of registries."""
    context = click.get_current_context(silent=True)
    session = context.find_root().obj if context is not None else None
    return session.registries if isinstance(session, Session) else {}


def download_authority(ca_file: Path | None) -> Path | None:
    """Return the file of authorities for plain downloads: `--ca-file`, else `SSL_CERT_FILE`, else None."""
    named = os.environ.get("SSL_CERT_FILE")
    return ca_file or (Path(named) if named else None)


def proxies() -> ProxySettings:
    """Return the proxies that the environment names."""
    return proxies_of(os.environ)


def password_source(file: Path | None, *, confirm: bool = False) -> PasswordSource:
    """Return where a key's password comes from, asked for when it is needed: file, environment, prompt.

    `confirm` asks twice, for a password that is new. Without a terminal nobody is asked: `KEY_PASSWORD`.
    """

    def ask() -> bytes:
        if file is not None:
            return _from_file(file)
        for variable in PASSWORD_VARIABLES:
            if variable in os.environ:
                return os.fsencode(os.environ[variable])
        if not (sys.stdin is not None and sys.stdin.isatty()):
            raise KeyFileError(
                "the key's password is not there",
                code="KEY_PASSWORD",
                expected="GATE_KEY_PASSWORD, --key-password-file or a terminal",
            )
        answer: str = click.prompt(
            "Password of the key", hide_input=True, confirmation_prompt=confirm, default="", err=True
        )
        return answer.encode()

    return ask


def identity_token() -> str:
    """Return the identity token that the environment holds, or nothing; the variable is that of every Sigstore client."""
    return os.environ.get("SIGSTORE_ID_TOKEN", "")


def github_token() -> str:
    """Return the token for GitHub's API that the environment holds, or nothing; the variables are those of its own tools."""
    return os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN") or ""


def _from_file(path: Path) -> bytes:
    """Return the password in a file, without the newline that editors add."""
    content = read_named(
        path, f"the password file {path}", limit_bytes=MAX_PASSWORD_BYTES, fault=KeyFileError, code="KEY_PASSWORD"
    )
    return content.removesuffix(b"\n").removesuffix(b"\r")
