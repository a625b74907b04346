"""How a signer of the tests reaches a Sigstore on loopback."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gate.clock import Clock
from gate.registry.options import RegistryOptions
from gate.signers.instance import SigstoreAccess, SigstoreFiles
from tests.support.sigstore_server import SigstoreServer


def access(server: SigstoreServer, *, log: int = 2, token: str | None = None, **changes: Any) -> SigstoreAccess:  # noqa: ANN401 - any field
    files = SigstoreFiles(root=server.trusted_root(), signing=server.signing_config(log=log))
    options = RegistryOptions(tries=1, ca_file=server.authority)
    made = SigstoreAccess(
        find=lambda _: files,
        options=options,
        clock=Clock(),
        token=server.oidc.token() if token is None else token,
    )
    return replace(made, **changes)
