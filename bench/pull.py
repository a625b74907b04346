"""The plainest pull: fetch an image's blobs over loopback one after another, hash them, write an OCI layout.

`python -m bench.pull HOST REPOSITORY DIGEST DIR`. It is what a pull costs at least, and the first step of the shell script
that the gate is compared with.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import sys
from pathlib import Path
from typing import Any, Final

_CHUNK_BYTES: Final = 1 << 20


def pull(host: str, repository: str, digest: str, folder: Path) -> None:
    """Write the layout of one image; raises ValueError where a blob's digest is not what was asked for."""
    (folder / "blobs" / "sha256").mkdir(parents=True)
    with contextlib.closing(http.client.HTTPConnection(host, timeout=60)) as connection:
        manifest_path = _fetch(connection, f"/v2/{repository}/manifests/{digest}", digest, folder)
        manifest: dict[str, Any] = json.loads(manifest_path.read_bytes())
        for part in (manifest["config"], *manifest["layers"]):
            _fetch(connection, f"/v2/{repository}/blobs/{part['digest']}", part["digest"], folder)
    entry = {"mediaType": manifest["mediaType"], "digest": digest, "size": manifest_path.stat().st_size}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}), encoding="utf-8")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', encoding="utf-8")


def _fetch(connection: http.client.HTTPConnection, path: str, digest: str, folder: Path) -> Path:
    connection.request("GET", path, headers={"Accept": "application/vnd.oci.image.manifest.v1+json"})
    answer = connection.getresponse()
    target = folder / "blobs" / digest.replace(":", "/")
    summed = hashlib.sha256()
    with target.open("wb") as file:
        while chunk := answer.read(_CHUNK_BYTES):
            summed.update(chunk)
            file.write(chunk)
    if answer.status != 200 or f"sha256:{summed.hexdigest()}" != digest:
        raise ValueError(f"{path} answered {answer.status} with other bytes than {digest}")
    return target


if __name__ == "__main__":
    pull(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
