"""Fetch one file over HTTP for the operator: a release archive, a database. Everything fetched is checked by digest.

Plain HTTP is for literal loopback only, redirects stay on HTTPS, nothing is read from the environment, and a server that
drips or floods is ended by the deadline and the byte limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests

from gate.clock import Deadline
from gate.codec.strict_json import printable
from gate.errors import EvidenceError
from gate.model.digest import Digest
from gate.registry.options import ProxySettings
from gate.registry.proxies import proxy_for

_CHUNK_BYTES: Final = 1 << 20
_MAX_REDIRECTS: Final = 5
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadOptions:
    """How files are fetched: `error` and `code` are what a failure becomes; sizes in bytes."""

    error: type[EvidenceError]
    code: str
    limit_bytes: int
    proxies: ProxySettings = field(default_factory=ProxySettings)
    ca_file: Path | None = None
    offline: bool = False

    def fault(self, url: str, seen: str) -> EvidenceError:
        """Make (not raise) the error; a URL's query is never shown."""
        parts = urlsplit(url)
        return self.error(
            f"{parts.scheme}://{parts.hostname or ''}{parts.path} cannot be fetched",
            code=self.code,
            seen=printable(seen, 200),
            next_step="Try again, or name a mirror: see the command's `--help`.",
        )


def download(url: str, target: Path, options: DownloadOptions, deadline: Deadline) -> Digest:
    """Write what `url` serves to `target` and give its digest, which the caller compares.

    Raises:
        EvidenceError: of the class and code in `options`.
    """
    if options.offline:
        raise options.fault(url, "--offline opens no connection")
    hashed = hashlib.sha256()
    try:
        with target.open("xb") as file:
            for block in _blocks(url, options, deadline):
                hashed.update(block)
                file.write(block)
    except (requests.RequestException, OSError) as error:
        raise options.fault(url, type(error).__name__) from error
    return Digest.from_hex(hashed.hexdigest())


def _blocks(url: str, options: DownloadOptions, deadline: Deadline) -> Iterator[bytes]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(options.ca_file) if options.ca_file else True
        answer = _followed(session, url, options, deadline)
        with answer:
            total = 0
            for block in answer.iter_content(_CHUNK_BYTES):
                total += len(block)
                if total > options.limit_bytes:
                    raise options.fault(url, f"more than {options.limit_bytes} bytes")
                if deadline.expired:
                    raise options.fault(url, "no time was left")
                yield block


def _proxies(url: str, proxies: ProxySettings) -> dict[str, str]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    proxy = proxy_for(proxies, parts.scheme, parts.hostname or "", port)
    return {parts.scheme: proxy} if proxy else {}


def _followed(session: requests.Session, url: str, options: DownloadOptions, deadline: Deadline) -> requests.Response:
    place = url
    for _ in range(_MAX_REDIRECTS + 1):
        _demand_safe(place, options)
        session.proxies = _proxies(place, options.proxies)
        wait = max(0.1, min(30.0, deadline.remaining()))
        answer = session.get(place, stream=True, timeout=wait, allow_redirects=False, headers={"Accept-Encoding": ""})
        if not answer.is_redirect:
            if answer.status_code != 200:
                answer.close()
                raise options.fault(url, f"status {answer.status_code}")
            return answer
        answer.close()
        place = urljoin(place, answer.headers["location"])
    raise options.fault(url, "too many redirects")


def _demand_safe(url: str, options: DownloadOptions) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise options.fault(url, "not https")
    if parts.username or parts.password:
        raise options.fault(f"{parts.scheme}://{parts.hostname}{parts.path}", "a password in the URL")
