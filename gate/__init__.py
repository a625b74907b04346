"""`gate`: decide whether a container image may move on, and prove it.

The Python API is what the commands call. Names are loaded at their first use, so that `import gate.model` loads nothing else::

    import gate

    run = gate.check("registry.example/shop/web@sha256:...", gate.CheckOptions(...))
    run.verdict.decision

`docs/python.md` has a whole example, which a test runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from gate.model.version import VERSION

if TYPE_CHECKING:
    from gate.errors import GateError
    from gate.model.digest import Digest
    from gate.model.reference import Repository, parse_repository
    from gate.model.requirement import Requirement
    from gate.model.signer import PublicKey
    from gate.pipeline.check import check
    from gate.pipeline.options import AdHoc, CheckOptions, CheckRun
    from gate.pipeline.verify import verify
    from gate.pipeline.verify_options import VerifyOptions, VerifyRun
    from gate.settings.locations import Places, default_places
    from gate.settings.opening import open_signer, read_public_key, read_requirement
    from gate.signers.signer import Signer

__all__ = [
    "AdHoc",
    "CheckOptions",
    "CheckRun",
    "Digest",
    "GateError",
    "Places",
    "PublicKey",
    "Repository",
    "Requirement",
    "Signer",
    "VerifyOptions",
    "VerifyRun",
    "check",
    "default_places",
    "open_signer",
    "parse_repository",
    "read_public_key",
    "read_requirement",
    "verify",
]
__version__ = VERSION

_HOMES = {
    "AdHoc": "gate.pipeline.options",
    "CheckOptions": "gate.pipeline.options",
    "CheckRun": "gate.pipeline.options",
    "Digest": "gate.model.digest",
    "GateError": "gate.errors",
    "Places": "gate.settings.locations",
    "PublicKey": "gate.model.signer",
    "Repository": "gate.model.reference",
    "Requirement": "gate.model.requirement",
    "Signer": "gate.signers.signer",
    "VerifyOptions": "gate.pipeline.verify_options",
    "VerifyRun": "gate.pipeline.verify_options",
    "check": "gate.pipeline.check",
    "default_places": "gate.settings.locations",
    "open_signer": "gate.settings.opening",
    "parse_repository": "gate.model.reference",
    "read_public_key": "gate.settings.opening",
    "read_requirement": "gate.settings.opening",
    "verify": "gate.pipeline.verify",
}


def __getattr__(name: str) -> object:
    """Load a public name at its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gate' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
