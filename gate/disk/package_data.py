"""Find the files that ship with the package: policies, schemas, the lock of the tools and their module files.

In a wheel they stand under `gate/data/`, in a checkout where people look for them (`policies/`, `tools.lock.yaml`,
`tools/trivy/go.mod`); the names are the same in both. Refuses names that lead out of that tree.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path, PurePosixPath

from gate.errors import InternalError

_WHEEL_DIRECTORY = "data"
# What tells a checkout from a folder that merely holds the package.
_CHECKOUT_MARK = "tools.lock.yaml"


def data_path(name: str) -> Path:
    """Return the path of a shipped file or folder.

    `name` is relative, with forward slashes: `policies/baseline.yaml`. It is written by the gate's own code, never
    taken from input.

    Raises:
        InternalError: the installation is not whole, or the name is not one of a shipped file.
    """
    relative = PurePosixPath(name)
    path = _root().joinpath(*relative.parts)
    if relative.is_absolute() or ".." in relative.parts or not path.exists():
        raise InternalError(
            "a file that ships with the gate is not there",
            expected=name,
            seen=f"no such file under {_root()}",
            next_step="Install the package again.",
        )
    return path


@cache
def _root() -> Path:
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent
    return checkout if (checkout / _CHECKOUT_MARK).is_file() else package / _WHEEL_DIRECTORY
