"""Put the package's data files into the wheel under `gate/data/`.

The files live where people look for them in the checkout (`policies/`, `schemas/`, `tools.lock.yaml`, `tools/*/go.mod`), so the
wheel gets copies. An editable install gets none: there `gate.disk.package_data` reads the checkout itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Patterns under the checkout's root; each must match, for a wheel without a policy judges nothing.
DATA_PATTERNS = ("policies/**/*", "schemas/*.json", "tools.lock.yaml", "tools/*/go.mod", "tools/*/go.sum")
DATA_DIRECTORY = "gate/data"


def data_files(root: Path) -> dict[str, str]:
    """Return each data file's path in the checkout → its path in the wheel."""
    included: dict[str, str] = {}
    for pattern in DATA_PATTERNS:
        matches = sorted(path for path in root.glob(pattern) if path.is_file())
        if not matches:
            raise FileNotFoundError(f"package data: expected files that match {pattern} in {root}, found none")
        included |= {str(path): f"{DATA_DIRECTORY}/{path.relative_to(root).as_posix()}" for path in matches}
    return included


class PackageDataHook(BuildHookInterface):  # type: ignore[type-arg]  # generic only for hatchling's own plugins
    """Add the data files to a wheel, and to a wheel only."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Extend `build_data`; `version` is `standard` for a wheel and `editable` for a checkout."""
        if version == "standard":
            build_data["force_include"] |= data_files(Path(self.root))
