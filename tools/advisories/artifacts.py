"""The databases packed as their publishers serve them: OCI artifacts for Trivy's, an archive with a list for Grype's.

Specification: aquasecurity/trivy `pkg/oci/artifact.go` and `pkg/db/db.go` (media types); anchore/grype v0.115
`grype/db/v6/distribution` (`latest.json`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from tools.advisories import grype_db
from tools.advisories.trivy_db import rfc3339
from tools.images.archive import file, gzip, tar
from tools.images.layout import blob, manifest, write_layout

CONFIG_TYPE: Final = "application/vnd.aquasec.trivy.config.v1+json"
DATABASE_LAYER_TYPE: Final = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
JAVA_LAYER_TYPE: Final = "application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip"
GRYPE_ARCHIVE: Final = "vulnerability-db.tar.gz"


def write_trivy_artifact(folder: Path, files: tuple[Path, ...], *, layer_type: str, tag: str) -> str:
    """Write an OCI layout of the artifact with one layer of the files; give the manifest's digest."""
    # Trivy refuses a layer without a file name.
    title = ("org.opencontainers.image.title", f"{files[0].stem}.tar.gz")
    layer = replace(blob(layer_type, _archive(files)), annotations=(title,))
    root = manifest(blob(CONFIG_TYPE, b"{}"), [layer])
    write_layout(folder, root, ref_name=tag)
    return root.digest


def write_grype_archive(folder: Path, database: Path, built: datetime) -> None:
    """Write the archive and the `latest.json` that names it by digest, as a mirror serves them."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = _archive((database,))
    (folder / GRYPE_ARCHIVE).write_bytes(archive)
    latest = {
        "status": "active",
        "schemaVersion": "v" + ".".join(str(number) for number in grype_db.SCHEMA),
        "built": rfc3339(built),
        "path": GRYPE_ARCHIVE,
        "checksum": "sha256:" + hashlib.sha256(archive).hexdigest(),
    }
    (folder / "latest.json").write_text(json.dumps(latest, indent=1) + "\n", encoding="utf-8")


def _archive(files: tuple[Path, ...]) -> bytes:
    return gzip(tar(file(path.name, path.read_bytes()) for path in files))
