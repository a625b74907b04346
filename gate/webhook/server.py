"""Run the service: TLS, files that are read again, and a stop that ends what was begun.

Certificates and requirements are looked at every few seconds, because a cluster changes a mounted file by swapping a link.
A new file counts whole or not at all: what is refused leaves the old one in place, says so in the log, in a metric and in
`/readyz`.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from gate.errors import GateError, UsageError
from gate.settings.opening import read_requirement
from gate.webhook.answers import Answers
from gate.webhook.judge import Judge
from gate.webhook.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from gate.model.requirement import Requirement
    from gate.pipeline.verify_options import VerifyOptions

_LOG: Final = logging.getLogger("gate.webhook")
_LOOK_SECONDS: Final = 2.0
_MOST_CONNECTIONS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What a service is started with; without `certificate` it listens without TLS, on this machine only."""

    requirements: tuple[Path, ...]
    host: str
    port: int
    verify: VerifyOptions
    deadline: timedelta
    certificate: Path | None = None
    private_key: Path | None = None
    client_ca: Path | None = None


def open_service(options: ServeOptions) -> Service:
    """Read the requirements and return the application.

    Raises:
        PolicyError, KeyFileError: a requirement is refused.
    """
    judge = Judge(requirements=_read(options.requirements), options=options.verify)
    return Service(judge=judge, deadline=options.deadline)


def serve(options: ServeOptions) -> None:
    """Serve until a signal ends it; raises UsageError, PolicyError, KeyFileError before it listens."""
    service = open_service(options)
    config = uvicorn.Config(
        service,
        host=options.host,
        port=options.port,
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
        h11_max_incomplete_event_size=16 * 1024,
    )
    config.load()
    if options.certificate is not None:
        config.ssl = _tls(options)
    watcher = _Watcher(options, service, config.ssl)
    watcher.start()
    try:
        uvicorn.Server(config).run()
    finally:
        watcher.stop()
        service.judge.close()


def _read(paths: tuple[Path, ...]) -> tuple[Requirement, ...]:
    return tuple(map(read_requirement, paths))


def _tls(options: ServeOptions) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and later; raises UsageError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if options.certificate is not None:
            context.load_cert_chain(options.certificate, options.private_key)
        if options.client_ca is not None:
            context.load_verify_locations(options.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            "the service's certificate cannot be used",
            expected=f"a certificate in {options.certificate} with its key in {options.private_key}",
            seen=type(error).__name__,
        ) from error
    return context


@contextlib.contextmanager
def _snapshot(options: ServeOptions) -> Iterator[ServeOptions]:
    """Yield options that name private copies of certificate and key: what is tried is what is used, whatever is swapped."""
    with tempfile.TemporaryDirectory(prefix="gate-tls-") as folder:
        copies = {}
        for name in ("certificate", "private_key"):
            source: Path | None = getattr(options, name)
            if source is not None:
                copies[name] = Path(folder, name)
                copies[name].write_bytes(source.read_bytes())
        yield replace(options, **copies)  # type: ignore[arg-type]


class _Watcher(threading.Thread):
    """Looks at files, and puts in what changed and holds."""

    def __init__(self, options: ServeOptions, service: Service, context: ssl.SSLContext | None) -> None:
        super().__init__(name="gate-files", daemon=True)
        self._options, self._service, self._context = options, service, context
        self._ended = threading.Event()
        self._certificates = _state(self._certificate_files())

    def run(self) -> None:
        """Look until it is told to stop."""
        while not self._ended.wait(_LOOK_SECONDS):
            faults = [fault for fault in (self._look_at_documents(), self._look_at_certificates()) if fault]
            if faults and self._service.unready != "; ".join(faults):
                _LOG.error("; ".join(faults))
                self._service.counts.reload_failures += 1
            self._service.unready = "; ".join(faults)

    def stop(self) -> None:
        """Stop looking."""
        self._ended.set()

    def _look_at_documents(self) -> str:
        # Read each time: a key or a trusted root that a document points to may have changed, and the document not.
        try:
            requirements = _read(self._options.requirements)
        except GateError as error:
            return f"a requirement is not used: {error.code} {error}"
        old = self._service.judge
        if requirements != old.requirements:
            self._service.judge = replace_judge(old, requirements)
        return ""

    def _look_at_certificates(self) -> str:
        state = _state(self._certificate_files())
        if self._context is None or state == self._certificates:
            return ""
        try:
            with _snapshot(self._options) as taken:
                _tls(taken)
                if taken.certificate is not None:
                    self._context.load_cert_chain(taken.certificate, taken.private_key)
        except (UsageError, OSError, ssl.SSLError) as error:
            return f"a certificate is not used: {error}"
        self._certificates = state
        return ""

    def _certificate_files(self) -> tuple[Path, ...]:
        named = (self._options.certificate, self._options.private_key, self._options.client_ca)
        return tuple(path for path in named if path is not None)


def replace_judge(old: Judge, requirements: tuple[Requirement, ...]) -> Judge:
    """Return a judge under other requirements that keeps what the old one knows.

    Answers are kept by the digest of the document. Where a document stayed and what it points to did not, none may stay.
    """
    before = {item.digest for item in old.requirements}
    pointed = any(item.digest in before and item not in old.requirements for item in requirements)
    return Judge(
        requirements=requirements,
        options=replace(old.options),
        clock=old.clock,
        look_again=old.look_again,
        answers=Answers() if pointed else old.answers,
        lookups=old.lookups,
        shared=old.shared,
        workers=old.workers,
    )


def _state(paths: tuple[Path, ...]) -> tuple[tuple[int, int, int] | None, ...]:
    """Return what changes when a file is written or a link is swapped."""
    found: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)
