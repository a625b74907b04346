"""From a key URI on the command line to its signer, with everything that kinds of keys need from this process."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gate.cli.environment import identity_token
from gate.cli.lazy import loading
from gate.signers.signer import is_identity
from gate.signers.uri import signer_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gate.cli.common import Common
    from gate.registry.options import RegistryOptions
    from gate.signers.instance import SigstoreAccess
    from gate.signers.signer import PasswordSource, Signer


timestamp_option = click.option(
    "--timestamp",
    envvar="GATE_TIMESTAMP",
    metavar="NAME",
    help="Have signatures by key stamped by the timestamp authorities of this trusted root's instance.",
)


def open_signer(
    uri: str, password: PasswordSource, common: Common, registry: RegistryOptions, timestamp: str | None = None
) -> Signer:
    """Return the signer that a key URI names; raises as `gate.signers.uri.signer_for`.

    `registry` says how this process speaks HTTP: services of a Sigstore are asked in the same way. `timestamp` names the
    instance that stamps signatures by key; identities are stamped as their own instance says.
    """
    signer = signer_for(uri, password, lambda: _sigstore(common, registry), offline=registry.offline)
    if timestamp is None or is_identity(signer):
        return signer
    # Loaded by who wants timestamps alone.
    from gate.signers.stamped import StampedSigner  # noqa: PLC0415

    access = _sigstore(common, registry)
    return StampedSigner(signer, access.find(timestamp), access)


def loading_beside(module: str, uris: Sequence[str], timestamp: str | None) -> AbstractContextManager[None]:
    """Load a module while keys in files are opened: their passwords are stretched for a fifth of a second each, in C.

    Other keys load clients of their own when they are opened, and two threads that load packages may see half of one.
    """
    only_files = bool(uris) and timestamp is None and all(Path(uri).is_file() for uri in uris)
    return loading(module) if only_files else nullcontext()


def _sigstore(common: Common, registry: RegistryOptions) -> SigstoreAccess:
    # Loaded by who signs by identity alone.
    from gate.clock import Clock  # noqa: PLC0415
    from gate.signers.instance import SigstoreAccess, SigstoreFiles  # noqa: PLC0415
    from gate.trust.store import TrustStore  # noqa: PLC0415

    store = TrustStore(common.places().state / "trust")

    def find(name: str) -> SigstoreFiles:
        found = store.load(name)
        return SigstoreFiles(root=found.root, signing=found.signing)

    return SigstoreAccess(find=find, options=registry, clock=Clock(), token=identity_token())
