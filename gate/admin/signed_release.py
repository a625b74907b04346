"""Trust a release archive because its publisher signed its checksum: the way in for a user who has no Go.

The checksum file is verified as a signed artifact, on the gate's one path of verification, by the identity and issuer that
the shipped lock names and under the user's public trusted root; only then is it read, and only for the archive's name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gate.admin.downloads import DownloadOptions, download
from gate.codec.bundle import parse_bundle
from gate.codec.release_signature import (
    MAX_CHECKSUMS_BYTES,
    MAX_SIGNATURE_BYTES,
    parse_checksums,
    parse_detached_signature,
    parse_entries_found,
    render_entry_lookup,
)
from gate.codec.sigstore_api import MAX_ANSWER_BYTES
from gate.codec.strict_json import printable
from gate.codec.trusted_root import parse_trusted_root
from gate.errors import EvidenceError, GateError, RefusedError, RegistryError, ScannerError
from gate.model.digest import Digest
from gate.model.policy_signers import KeylessSigner
from gate.model.trust import PUBLIC, Trust
from gate.registry.options import RegistryOptions
from gate.registry.service import Service
from gate.scanners.tool_pins import ReleaseArchive, ReleaseSigner, SignatureForm, ToolPin
from gate.verification.signature import verify_artifact

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gate.clock import Deadline
    from gate.model.bundle import Bundle, LogEntry

_RETRIEVE: Final = "/api/v1/log/entries/retrieve"


class Publisher:
    """What a publisher signed of one program: asked for file by file, under `base`, into `scratch`."""

    def __init__(
        self,
        pin: ToolPin,
        signer: ReleaseSigner,
        base: str,
        scratch: Path,
        options: DownloadOptions,
        root: Callable[[], bytes],
        deadline: Deadline,
    ) -> None:
        self._pin, self._signer, self._base, self._scratch = pin, signer, base.rstrip("/"), scratch
        self._options, self._root, self._deadline = options, root, deadline

    def require_signed(self, release: ReleaseArchive, digest: Digest) -> None:
        """Return if the publisher signed that the release has this digest.

        Raises:
            ScannerError: `TOOL_SOURCE`, a file or the log cannot be had; `TOOL_SIGNATURE`, `TOOL_PUBLISHER`, the signature;
                `TOOL_CHECKSUM`, it is about another file.
            EvidenceError, UsageError: the trusted root cannot be used.
        """
        checksums = self._fetched(self._signer.checksums, MAX_CHECKSUMS_BYTES)
        self._expect_by_publisher(checksums)
        name = release.url.rpartition("/")[2]
        signed = parse_checksums(checksums).get(name)
        if signed != digest:
            raise ScannerError(
                f"{name} is not the file that its publisher signed",
                code="TOOL_CHECKSUM",
                expected=str(signed) if signed is not None else f"{name} in {self._signer.checksums}",
                seen=str(digest),
            )

    def _expect_by_publisher(self, checksums: bytes) -> None:
        root = parse_trusted_root(self._root())
        signer = KeylessSigner(identity=self._signer.identity, trust=Trust(name=PUBLIC, root=root))
        try:
            bundle = self._bundle(checksums)
            verify_artifact(bundle, signer=signer, artifact=checksums, now=self._deadline.clock.now())
        except RefusedError as error:
            is_other = error.code.startswith("ID_")
            raise ScannerError(
                f"{self._signer.checksums} is not signed by the publisher of {self._pin.name}",
                code="TOOL_PUBLISHER" if is_other else "TOOL_SIGNATURE",
                expected=str(self._signer.identity),
                seen=printable(f"{error.code}: {error.message} {error.seen}".strip(), 300),
            ) from error

    def _bundle(self, checksums: bytes) -> Bundle:
        name = self._signer.checksums
        if self._signer.form is SignatureForm.BUNDLE:
            return parse_bundle(self._fetched(f"{name}.sigstore.json", MAX_SIGNATURE_BYTES))
        certificate = self._fetched(f"{name}.pem", MAX_SIGNATURE_BYTES)
        signature = self._fetched(f"{name}.sig", MAX_SIGNATURE_BYTES)
        bundle = parse_detached_signature(certificate, signature)
        return replace(bundle, entries=self._entries(render_entry_lookup(Digest.of(checksums), bundle)))

    def _entries(self, question: bytes) -> tuple[LogEntry, ...]:
        settings = RegistryOptions(
            ca_file=self._options.ca_file, proxies=self._options.proxies, offline=self._options.offline
        )
        try:
            with Service(self._signer.log, settings, self._deadline) as service:
                status, answer = service.ask(
                    "POST",
                    _RETRIEVE,
                    doing=f"asking the log for the signature of {self._signer.checksums}",
                    limit_bytes=MAX_ANSWER_BYTES,
                    body=question,
                    headers={"Content-Type": "application/json", "Accept": "application/json"},
                )
        except RegistryError as error:
            raise self._unlogged(str(error)) from error
        if status != 200:
            raise self._unlogged(f"status {status}")
        try:
            return parse_entries_found(answer)
        except EvidenceError as error:
            raise self._unlogged(str(error)) from error

    def _unlogged(self, seen: str) -> ScannerError:
        return ScannerError(
            f"the log entry of {self._signer.checksums} cannot be had",
            code="TOOL_SOURCE",
            expected=f"an answer of {self._signer.log}",
            seen=printable(seen, 200),
        )

    def _fetched(self, name: str, limit_bytes: int) -> bytes:
        target = self._scratch / f"signed-{name}"
        missing = "TOOL_SIGNATURE" if name != self._signer.checksums else self._options.code
        options = replace(self._options, limit_bytes=limit_bytes)
        try:
            download(f"{self._base}/{name}", target, options, self._deadline)
        except GateError as error:
            if "status 404" in error.seen:
                raise ScannerError(
                    f"the release of {self._pin.name} {self._pin.version} has no {name}",
                    code=missing,
                    expected=f"{name} beside the release",
                    seen=error.seen,
                ) from error
            raise
        return target.read_bytes()
