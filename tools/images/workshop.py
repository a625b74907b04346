"""What the recipes of images share: layers of installed parts, the good base, the configuration with nothing wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from tools.images.archive import Entry, file
from tools.images.bases import USER, debian_12
from tools.images.install import wheel_entries, with_parents
from tools.images.layout import AMD64, ImageConfig, Layer, Platform, layer
from tools.images.parts import ITSDANGEROUS, SIX, Part, read_part

SOURCE: Final = "https://git.shop.example/shop/web"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What a recipe needs: the time that everything carries, and where fetched parts are kept."""

    created: datetime
    parts: Path

    def layer(self, entries: Iterable[Entry], created_by: str) -> Layer:
        """Return a layer of the entries and the directories above them."""
        mtime = int(self.created.timestamp())
        return layer(with_parents(entries), mtime=mtime, created_by=f"{created_by} # buildkit")

    def wheels(self, *wheels: Part) -> Layer:
        """Return a layer with the wheels installed."""
        entries = [entry for part in wheels for entry in wheel_entries(read_part(part, self.parts))]
        names = " ".join(f"{part.name}=={part.version}" for part in wheels)
        return self.layer(entries, f"RUN /bin/sh -c pip install {names}")

    def clean(self, platform: Platform = AMD64) -> tuple[Layer, ...]:
        """Return the layers of an image with nothing wrong: what all the others are built on."""
        base = self.layer(debian_12(platform), "ADD debian-12.tar /")
        return base, self.wheels(SIX, ITSDANGEROUS), self.application()

    def application(self) -> Layer:
        """Return the layer of the shop's own program."""
        return self.layer([file("srv/app/main.py", 'print("shop")\n')], "COPY main.py /srv/app/")

    def config(self, name: str, platform: Platform = AMD64) -> ImageConfig:
        """Return the configuration of an image with nothing wrong."""
        return ImageConfig(
            created=self.created,
            platform=platform,
            user=f"{USER}:{USER}",
            working_dir="/srv/app",
            entrypoint=("/usr/bin/clear",),
            exposed_ports=("8080/tcp",),
            labels=labels(name),
            extra_history=(f"USER {USER}:{USER}", 'ENTRYPOINT ["/usr/bin/clear"]'),
        )


def labels(name: str) -> tuple[tuple[str, str], ...]:
    """Return the labels of an image; the revision is made up, the same for the same name."""
    revision = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    return (
        ("org.opencontainers.image.revision", revision),
        ("org.opencontainers.image.source", SOURCE),
        ("org.opencontainers.image.title", name),
        ("org.opencontainers.image.version", "1.0.0"),
    )
