"""The real Cosign, a real registry and a Sigstore on loopback: what keyless tests work with."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from gate.clock import Deadline
from gate.codec.strict_json import JsonValue, canonical_json
from gate.codec.trusted_root import parse_trusted_root
from gate.images.attachments import collect_attachments
from gate.images.open_source import open_source
from gate.model.attachment import Attachments
from gate.model.digest import Digest
from gate.model.evidence_demand import EvidenceDemand
from gate.model.glob import Glob
from gate.model.identity import Claim, Identity, Matcher
from gate.model.image import OCI_CONFIG, OCI_MANIFEST, Descriptor
from gate.model.policy_signers import KeylessSigner, SignatureRule
from gate.model.reference import Repository, parse_reference
from gate.model.trust import Trust
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from tests.support.sigstore_server import SigstoreServer
from tests.support.virtual_sigstore import ISSUER, SUBJECT

ACCEPTED: Final = (
    f"--certificate-identity={SUBJECT}",
    f"--certificate-oidc-issuer={ISSUER}",
    "--trusted-root=root.json",
)
# How signatures are made: a bundle with an entry of either log, or Cosign's old tags.
FORMS: Final = ("log1", "log2", "legacy")


@dataclass(frozen=True, kw_only=True)
class KeylessBench:
    """Everything in one place: `folder` is Cosign's home, with `root.json` and a signing configuration for each log."""

    program: Path
    folder: Path
    server: SigstoreServer
    registry: str

    def prepare(self) -> None:
        """Write what Cosign is configured with."""
        (self.folder / "root.json").write_bytes(self.server.trusted_root())
        for log in (1, 2):
            (self.folder / f"log{log}.json").write_bytes(self.server.signing_config(log=log))

    def client(self) -> RegistryClient:
        return RegistryClient(RegistryOptions(), Deadline.after(timedelta(minutes=2)))

    def repository(self, path: str = "shop/web") -> Repository:
        return Repository(self.registry, path)

    def push(self, name: str = "image", path: str = "shop/web", *, user: str = "10001") -> Descriptor:
        """Push a small image that no other has the digest of."""
        config = canonical_json(
            {
                "architecture": "amd64",
                "author": name,
                "config": {"User": user},
                "os": "linux",
                "rootfs": {"diff_ids": [], "type": "layers"},
            }
        )
        described: dict[str, JsonValue] = {
            "digest": str(Digest.of(config)),
            "mediaType": OCI_CONFIG,
            "size": len(config),
        }
        manifest = canonical_json({"config": described, "layers": [], "mediaType": OCI_MANIFEST, "schemaVersion": 2})
        with self.client() as client:
            client.push_blob(self.repository(path), Digest.of(config), config)
            digest = client.push_manifest(self.repository(path), manifest, OCI_MANIFEST)
        return Descriptor(media_type=OCI_MANIFEST, digest=digest, size=len(manifest))

    def reference(self, image: Descriptor, path: str = "shop/web") -> str:
        return f"{self.repository(path)}@{image.digest}"

    def cosign(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Cosign; it finds nothing of this machine's."""
        return subprocess.run(
            [str(self.program), *arguments],
            cwd=self.folder,
            env={"HOME": str(self.folder), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def cosign_signs(self, reference: str, form: str, *options: str, command: str = "sign") -> None:
        """Have Cosign sign as the identity of the test's workflow."""
        (self.folder / "token").write_text(self.server.oidc.token(), encoding="ascii")
        done = self.cosign(
            command,
            "--yes",
            "--identity-token=token",
            "--trusted-root=root.json",
            *self._services(form),
            *options,
            reference,
        )
        assert done.returncode == 0, done.stderr

    def _services(self, form: str) -> tuple[str, ...]:
        if form != "legacy":
            return (f"--signing-config={form}.json",)
        urls = self.server.urls
        return (
            "--new-bundle-format=false",
            "--use-signing-config=false",
            f"--fulcio-url={urls['fulcio']}",
            f"--rekor-url={urls['rekor1']}",
        )

    def cosign_verifies(self, reference: str, *options: str, command: str = "verify", form: str = "log1") -> bool:
        """Say whether Cosign is content with the identity of the test's workflow."""
        old = ("--new-bundle-format=false",) if form == "legacy" else ()
        return self.cosign(command, *old, *ACCEPTED, *options, reference).returncode == 0

    def attachments(self, reference: str) -> Attachments:
        """Collect as every run of the gate does."""
        parsed = parse_reference(reference)
        with self.client() as client:
            source = open_source(parsed, client)
            return collect_attachments(source, source.root().digest)

    def signer(
        self,
        *,
        subject: str = SUBJECT,
        issuer: str = ISSUER,
        claims: tuple[tuple[Claim, Matcher], ...] = (),
        root: bytes | None = None,
        demand: EvidenceDemand | None = None,
    ) -> KeylessSigner:
        """Return the signer that a policy would name, with what a test changes of it."""
        parsed = parse_trusted_root(self.server.trusted_root() if root is None else root)
        identity = Identity(subject=Matcher(text=subject), issuer=Matcher(text=issuer), claims=claims)
        return KeylessSigner(
            identity=identity, trust=Trust(name="test", root=parsed, demand=demand or EvidenceDemand(logs=1))
        )


def rule_of(signer: KeylessSigner) -> SignatureRule:
    """Return a rule that demands this signer of every image."""
    return SignatureRule(images=Glob("**"), any_of=(signer,))
