"""The configuration of an image, as its manifest names it: what a runtime obeys, and what its builder says of itself.

Values only; `gate.codec.oci_config` makes them from untrusted bytes. What the image's author wrote is true of the image and
says nothing about the author.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gate.model.digest import Digest
from gate.model.image import Platform
from gate.model.string_map import StringMap


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """What the builder says it did; written by the image's author and never trusted to find the base."""

    created_by: str = ""
    comment: str = ""
    author: str = ""
    empty_layer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """The configuration that a runtime obeys. Lists keep their order; absent lists are empty."""

    platform: Platform
    diff_ids: tuple[Digest, ...]
    created: datetime | None = None
    author: str = ""
    user: str = ""
    exposed_ports: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    working_dir: str = ""
    labels: StringMap = StringMap()
    stop_signal: str = ""
    healthcheck: tuple[str, ...] = ()
    on_build: tuple[str, ...] = ()
    shell: tuple[str, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
