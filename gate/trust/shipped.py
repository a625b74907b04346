"""The trusted roots that the `sigstore` package carries: its data is read, and none of its code is run."""

from __future__ import annotations

from importlib import resources
from typing import Final
from urllib.parse import quote

PUBLIC_TUF: Final = "https://tuf-repo-cdn.sigstore.dev"
TRUSTED_ROOT: Final = "trusted_root.json"
SIGNING_CONFIG: Final = "signing_config.v0.2.json"


def shipped(name: str, url: str = PUBLIC_TUF) -> bytes | None:
    """Return a file that the `sigstore` package carries for this repository; None where it carries none.

    `name` is `root.json`, `trusted_root.json` or the signing configuration.
    """
    place = resources.files("sigstore").joinpath("_store", quote(url.rstrip("/"), safe=""), name)
    return place.read_bytes() if place.is_file() else None
