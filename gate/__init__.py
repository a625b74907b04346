"""`gate`: decide whether a container image may move on, and prove it.

The Python API is what the commands call. Names are loaded at their first use, so that `import gate.model` loads nothing else::

    import gate

    run = gate.check("registry.example/shop/web@sha256:...", gate.CheckOptions(...))
    run.verdict.decision
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from gate.model.version import VERSION

if TYPE_CHECKING:
    from gate.errors import GateError
    from gate.pipeline.check import check
    from gate.pipeline.options import AdHoc, CheckOptions, CheckRun
    from gate.pipeline.places import Places, default_places
    from gate.pipeline.verify import verify
    from gate.pipeline.verify_options import VerifyOptions, VerifyRun

__all__ = [
    "AdHoc",
    "CheckOptions",
    "CheckRun",
    "GateError",
    "Places",
    "VerifyOptions",
    "VerifyRun",
    "check",
    "default_places",
    "verify",
]
__version__ = VERSION

_HOMES = {
    "AdHoc": "gate.pipeline.options",
    "CheckOptions": "gate.pipeline.options",
    "CheckRun": "gate.pipeline.options",
    "GateError": "gate.errors",
    "Places": "gate.pipeline.places",
    "VerifyOptions": "gate.pipeline.verify_options",
    "VerifyRun": "gate.pipeline.verify_options",
    "check": "gate.pipeline.check",
    "default_places": "gate.pipeline.places",
    "verify": "gate.pipeline.verify",
}


def __getattr__(name: str) -> object:
    """Load a public name at its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gate' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
