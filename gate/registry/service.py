"""A service that is no registry, named by its URL: asked under the same rules as registries are.

So deadlines, caps, proxies, `--ca-file`, `--offline` and the checks of redirects hold for repositories of trust roots and for
the services of a Sigstore as well. Plain HTTP is spoken to literal loopback alone.

Specification: formats reference, section 9; DESIGN, section 3.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from gate.codec.strict_json import printable
from gate.errors import UsageError
from gate.registry.addresses import Origin, Target, is_loopback
from gate.registry.options import NoCredentials
from gate.registry.transport import Request, Transport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from gate.clock import Deadline
    from gate.registry.options import RegistryOptions
    from gate.registry.transport import Method

_URL: Final = re.compile(r"https?://[!-~]{1,2000}", re.ASCII)
_PORTS: Final = {"https": 443, "http": 80}


def parse_service_url(url: str) -> Target:
    """Return where a URL points, without a final slash; refuses user names, queries, fragments and what is not encrypted.

    Raises:
        UsageError: `USAGE`.
    """
    try:
        parts = urlsplit(url) if _URL.fullmatch(url) else None
        port = parts.port if parts is not None else None
    except ValueError as error:
        raise _not_a_service(url) from error
    if parts is None or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment or "\\" in url:
        raise _not_a_service(url)
    host = parts.hostname.lower()
    if parts.scheme != "https" and not is_loopback(host):
        raise _not_a_service(url)
    return Target(Origin(parts.scheme, host, port or _PORTS[parts.scheme]), parts.path.rstrip("/"))


def _not_a_service(url: str) -> UsageError:
    return UsageError("not the address of a service", expected="https://HOST[:PORT][/PATH]", seen=printable(url))


class Service:
    """One service; use it as a context, so that its connections are closed."""

    def __init__(self, url: str, options: RegistryOptions, deadline: Deadline) -> None:
        self.base = parse_service_url(url)
        # Logins of registries are for registries.
        self._transport = Transport(self.base.origin, replace(options, credentials=NoCredentials()), deadline)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    def ask(
        self,
        method: Method,
        path: str,
        *,
        doing: str,
        limit_bytes: int,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        credentials: Mapping[str, str] | None = None,
        idempotent: bool = True,
    ) -> tuple[int, bytes]:
        """Return status and body of an answer (untrusted); `path` is empty or begins with a slash, below the service's own.

        Raises:
            RegistryError: there is no answer, or one that breaks a rule.
        """
        request = Request(
            method=method,
            target=replace(self.base, path=self.base.path + path or "/"),
            doing=doing,
            headers=headers or {},
            credentials=credentials or {},
            body=body,
            idempotent=idempotent,
        )
        answer, content = self._transport.fetch(request, limit_bytes)
        return answer.status, content
