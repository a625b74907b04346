"""Push an image of a layout into a registry, as a build would: blobs, children, and last what names them.

Only for the demo's and the tests' own registries on loopback; a build uses its own pusher.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from gate.clock import Deadline
from gate.model.digest import Digest
from gate.model.reference import Repository
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions


def push_layout(
    layout: Path, repository: Repository, *, tag: str | None = None, options: RegistryOptions | None = None
) -> Digest:
    """Push the only image of a layout with everything that it names, and give its digest; raises RegistryError."""
    entry = json.loads((layout / "index.json").read_bytes())["manifests"][0]
    with RegistryClient(options or RegistryOptions(), Deadline.after(timedelta(minutes=5))) as client:
        return _push(client, layout, repository, entry, tag)


def _push(
    client: RegistryClient, layout: Path, repository: Repository, entry: dict[str, str], tag: str | None
) -> Digest:
    digest = Digest(entry["digest"])
    content = _blob(layout, digest).read_bytes()
    document = json.loads(content)
    for child in document.get("manifests", ()):
        _push(client, layout, repository, child, None)
    for part in (*([document["config"]] if "config" in document else ()), *document.get("layers", ())):
        name = Digest(part["digest"])
        client.push_blob(repository, name, _blob(layout, name))
    client.push_manifest(repository, content, entry["mediaType"], tag)
    return digest


def _blob(layout: Path, digest: Digest) -> Path:
    return layout / "blobs" / "sha256" / digest.hex
