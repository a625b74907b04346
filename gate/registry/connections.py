"""Connections that end on time and that look at whom they reached before they say anything.

Python's time limits hold for one read, so a server that sends a byte a second never meets them; here headers and the
TLS handshake end as a whole (attack R02). A connection to an address that the registry named compares the peer's
address after connecting and before the first byte of the request (attack R04).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import certifi
import urllib3.connection
import urllib3.connectionpool
from urllib3.exceptions import LocationValueError
from urllib3.poolmanager import PoolManager, ProxyManager
from urllib3.response import HTTPResponse
from urllib3.util.url import parse_url

from gate.codec.encodings import encode_base64
from gate.disk.named import read_named
from gate.errors import UsageError
from gate.registry.addresses import require_peer
from gate.registry.watchdog import WATCHDOG

# As many as a service asks one registry at once; more are opened where they are needed and not kept.
POOL_SIZE = 32


@contextlib.contextmanager
def cut_after(seconds: float | None, cut: Callable[[], object]) -> Iterator[None]:
    """Call `cut` from another thread when the block takes longer; None waits for ever."""
    if seconds is None:
        yield
        return
    watched = WATCHDOG.watch(seconds, cut)
    try:
        yield
    finally:
        WATCHDOG.release(watched)


class _BoundedHandshake(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature of ssl
        with cut_after(self.gettimeout(), lambda: self.shutdown(socket.SHUT_RDWR)):
            super().do_handshake(block)


class _HTTP(urllib3.connection.HTTPConnection):
    public_only = False

    def connect(self) -> None:
        super().connect()
        _look_at_peer(self, public_only=self.public_only)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # urllib3's own override does the same
        with cut_after(self.timeout, lambda: _shut(self)):
            return super().getresponse()


class _HTTPS(urllib3.connection.HTTPSConnection):
    public_only = False

    def connect(self) -> None:
        super().connect()
        _look_at_peer(self, public_only=self.public_only)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # urllib3's own override does the same
        with cut_after(self.timeout, lambda: _shut(self)):
            return super().getresponse()


class _PublicHTTP(_HTTP):
    public_only = True


class _PublicHTTPS(_HTTPS):
    public_only = True


# `ConnectionCls` is the documented way to choose connections; the type that it is declared with is private.
class _HTTPPool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls: Any = _HTTP


class _HTTPSPool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls: Any = _HTTPS


class _PublicHTTPPool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls: Any = _PublicHTTP


class _PublicHTTPSPool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls: Any = _PublicHTTPS


def _look_at_peer(connection: urllib3.connection.HTTPConnection, *, public_only: bool) -> None:
    # Behind a proxy the peer is the proxy, which the user named; the proxy resolves the name.
    if public_only and connection.proxy is None:
        require_peer(connection.host, connection.sock.getpeername()[0])


def _shut(connection: urllib3.connection.HTTPConnection) -> None:
    if connection.sock is not None:
        connection.sock.shutdown(socket.SHUT_RDWR)


def trust(ca_file: Path | None, client_certificate: Path | None = None) -> ssl.SSLContext:
    """Return what certificates are checked with: the system's authorities, or certifi's where it has none, and `ca_file`.

    Raises:
        UsageError: the file is no certificate.
    """
    context = ssl.create_default_context()
    context.sslsocket_class = _BoundedHandshake
    paths = ssl.get_default_verify_paths()
    if not any(path and Path(path).exists() for path in (paths.cafile, paths.capath)):
        context.load_verify_locations(cafile=certifi.where())
    if ca_file is not None:
        content = read_named(ca_file, "the file of authorities")
        try:
            context.load_verify_locations(cadata=content.decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError) as error:
            expected = "certificates in PEM"
            raise UsageError(
                "the file of authorities holds no certificate", expected=expected, seen=str(ca_file)
            ) from error
    if client_certificate is not None:
        try:
            context.load_cert_chain(str(client_certificate), password=_no_password)
        except (OSError, ValueError) as error:
            expected = "a certificate and its private key in one PEM file, without a password"
            raise UsageError(
                "the client's certificate cannot be used", expected=expected, seen=str(client_certificate)
            ) from error
    return context


def _no_password() -> str:
    """Let OpenSSL not ask at a terminal for the password of a key that has one."""
    raise ValueError("the key has a password")


class Connections:
    """The connections of one transport, direct and through proxies; with `public_only` to public addresses alone.

    `context` is what certificates are checked with; None where only plain HTTP is spoken.
    """

    def __init__(self, *, public_only: bool, context: ssl.SSLContext | None) -> None:
        self._pools = (
            {"http": _PublicHTTPPool, "https": _PublicHTTPSPool}
            if public_only
            else {"http": _HTTPPool, "https": _HTTPSPool}
        )
        self._settings: dict[str, Any] = {"maxsize": POOL_SIZE, "ssl_context": context, "cert_reqs": "CERT_REQUIRED"}
        self._managers: dict[str, PoolManager] = {}
        self._lock = threading.Lock()

    def through(self, proxy: str) -> PoolManager:
        """Return the connections through a proxy of the user's, which the first call makes; direct ones for ""."""
        with self._lock:
            if proxy not in self._managers:
                manager = _proxy_manager(proxy, self._settings) if proxy else PoolManager(**self._settings)
                manager.pool_classes_by_scheme = self._pools
                self._managers[proxy] = manager
            return self._managers[proxy]

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for manager in self._managers.values():
                manager.clear()
            self._managers.clear()


def _proxy_manager(proxy: str, settings: Mapping[str, Any]) -> ProxyManager:
    """Return the connections through a proxy; as curl does, one without a scheme is spoken to by HTTP.

    Raises:
        UsageError: the user named what is no HTTP proxy; the address is not shown, for it may hold a password.
    """
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = parse_url(url)
        if not parts.host:
            raise LocationValueError("no host")
        # urllib3 sends no login that stands in the address.
        login = unquote(parts.auth or "")
        headers = {"Proxy-Authorization": f"Basic {encode_base64(login.encode())}"} if login else None
        return ProxyManager(url, proxy_headers=headers, **settings)
    except LocationValueError as error:
        raise UsageError("the proxy cannot be used", expected="http://HOST:PORT or https://HOST:PORT") from error
