"""Where users keep registry logins: the files of Docker and Podman, and Docker's credential helpers.

Only files that the caller names are read; `.netrc` never is. A helper is a program from the user's own `PATH`, its name
is checked, it gets the server's name on standard input and has ten seconds. No secret is shown or kept on disk.

Specification: `containers-auth.json(5)`, docker-credential-helpers; formats reference, section 3.3.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gate.codec.encodings import decode_base64
from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.disk.named import read_named, waiting_seconds
from gate.errors import RegistryError
from gate.model.reference import DOCKER_HUB, Repository
from gate.registry.options import Credential

MAX_FILE_BYTES: Final = 1024 * 1024
HELPER_SECONDS: Final = 10.0
_HELPER_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_HUB_SERVER: Final = "https://index.docker.io/v1/"
_HUB_NAMES: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_ABSENT: Final = b"credentials not found in native keychain"
_IDENTITY_USER: Final = "<token>"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFiles:
    """Files in the order in which they are asked; the first that knows the repository wins.

    `demanded` files must exist. `legacy` files (`.dockercfg`) have no `auths` around their entries. `environment` is
    what a helper runs in.
    """

    files: tuple[Path, ...]
    environment: Mapping[str, str]
    demanded: bool = False
    legacy: frozenset[Path] = frozenset()

    def find(self, repository: Repository) -> Credential | None:
        """Return the credential of the first file that has one.

        Raises:
            RegistryError: `REG_AUTH` for a file or helper that cannot be read: asking without it could hide an image.
        """
        for file in self.files:
            found = self._find_in(file, repository)
            if found is not None:
                return found
        return None

    def _find_in(self, file: Path, repository: Repository) -> Credential | None:
        fault = Fault(RegistryError, "REG_AUTH", f"the login file {file}")
        if not self.demanded and not os.path.lexists(file):
            return None
        data = read_named(
            file, f"the login file {file}", limit_bytes=MAX_FILE_BYTES, fault=RegistryError, code="REG_AUTH"
        )
        view = parse_object(data, fault, limit_bytes=MAX_FILE_BYTES)
        if file in self.legacy:
            return _from_entries(view, repository)
        return self._from_helper(view, repository) or _from_entries(view.optional_object("auths"), repository)

    def _from_helper(self, view: ObjectView, repository: Repository) -> Credential | None:
        helpers = view.optional_text_map("credHelpers")
        for name in _names(repository):
            if name in helpers:
                return ask_helper(helpers[name], name, self.environment)
        store = view.optional_text("credsStore")
        return ask_helper(store, _server(repository), self.environment) if store else None


def default_credential_files(environment: Mapping[str, str], authfile: Path | None = None) -> CredentialFiles:
    """Return the files that Docker's and Podman's users expect, from the variables that the gate documents.

    `authfile`, or `REGISTRY_AUTH_FILE`, stands alone where it is given, and must exist.
    """
    named = authfile or (Path(environment["REGISTRY_AUTH_FILE"]) if environment.get("REGISTRY_AUTH_FILE") else None)
    if named is not None:
        return CredentialFiles(files=(named,), environment=environment, demanded=True)
    home = Path(environment.get("HOME") or "/nonexistent")
    legacy = home / ".dockercfg"
    docker = Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    run = environment.get("XDG_RUNTIME_DIR")
    podman = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "containers" / "auth.json"
    running = (Path(run) / "containers" / "auth.json",) if run else ()
    return CredentialFiles(
        files=(docker, *running, podman, legacy), environment=environment, legacy=frozenset({legacy})
    )


def ask_helper(name: str, server: str, environment: Mapping[str, str]) -> Credential | None:
    """Ask a Docker credential helper; None where it has nothing for this server.

    Raises:
        RegistryError: `REG_AUTH` for a helper that is missing, fails, takes too long or answers nonsense.
    """
    # Imported where there is a helper: most logins stand in a file.
    import subprocess  # noqa: PLC0415 - a credential helper is a program (Docker's own interface)

    fault = Fault(RegistryError, "REG_AUTH", f"the credential helper for {server}")
    seconds = min(HELPER_SECONDS, waiting_seconds())
    if not _HELPER_NAME.fullmatch(name):
        raise fault.refuse("has no acceptable name", expected="letters, digits, dot, dash", seen=name)
    try:
        done = subprocess.run(  # noqa: S603 - the name is checked, the program is the user's own choice
            [f"docker-credential-{name}", "get"],
            input=server.encode(),
            capture_output=True,
            timeout=seconds,
            env=dict(environment),
            check=False,
        )
    except FileNotFoundError as error:
        raise fault.refuse("is not installed", expected=f"docker-credential-{name} on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise fault.refuse("did not answer", expected=f"an answer in {seconds:.0f} seconds") from error
    except OSError as error:
        raise fault.refuse("cannot be started", seen=str(error.strerror)) from error
    if done.returncode != 0:
        if _ABSENT in done.stdout:
            return None
        raise fault.refuse("failed", seen=f"exit code {done.returncode}")
    return _from_answer(parse_object(done.stdout, fault, limit_bytes=MAX_FILE_BYTES))


def _from_answer(view: ObjectView) -> Credential:
    user, secret = view.text("Username"), view.text("Secret")
    if user == _IDENTITY_USER:
        return Credential(identity_token=secret)
    return Credential(username=user, password=secret)


def _names(repository: Repository) -> tuple[str, ...]:
    """Return the keys that may stand for a repository: namespaces from the longest, then the host's spellings."""
    parts = repository.path.split("/")
    spaces = tuple(f"{repository.host}/{'/'.join(parts[:end])}" for end in range(len(parts), 0, -1))
    hosts = (_HUB_SERVER, *sorted(_HUB_NAMES)) if repository.host == DOCKER_HUB else (repository.host,)
    return (*spaces, *hosts)


def _server(repository: Repository) -> str:
    return _HUB_SERVER if repository.host == DOCKER_HUB else repository.host


def _from_entries(entries: ObjectView | None, repository: Repository) -> Credential | None:
    if entries is None:
        return None
    by_name = {_bare(key): key for key in entries.fields}
    for name in _names(repository):
        key = by_name.get(_bare(name))
        found = _credential(entries.object(key)) if key is not None else None
        if found is not None:
            return found
    return None


def _bare(key: str) -> str:
    """Cut the scheme, and the path of an API (`/v1/`, `/v2/`), which old versions of Docker wrote."""
    bare = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    return bare.removesuffix("/v1").removesuffix("/v2").lower()


def _credential(entry: ObjectView) -> Credential | None:
    """Return what an entry holds; an empty one says that the login is in a store."""
    if token := entry.optional_text("registrytoken"):
        return Credential(registry_token=token)
    if token := entry.optional_text("identitytoken"):
        return Credential(identity_token=token)
    username, password = entry.optional_text("username"), entry.optional_text("password")
    if encoded := entry.optional_text("auth"):
        username, password = _pair(entry, encoded)
    return Credential(username=username, password=password) if username or password else None


def _pair(entry: ObjectView, encoded: str) -> tuple[str, str]:
    try:
        text = decode_base64(encoded, entry.fault, "auth").decode("utf-8")
    except UnicodeDecodeError as error:
        raise entry.refuse("auth", "has a login that is not UTF-8") from error
    username, colon, password = text.partition(":")
    if not colon:
        raise entry.refuse("auth", "has a login without a password", expected="user:password in base64")
    return username, password.rstrip("\0")
