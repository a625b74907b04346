"""The search for secrets beside bare decompression of the same layers on one core, and beside Trivy's search as a command.

Bare is what the plainest program does: zlib over the blobs, the bytes thrown away. The gate's pass over the same layers hashes
blob and tar, walks the tar, reads package databases and facts, and searches every file and what is inside it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.measures import Line
from bench.shop import GATE, SIZES_MB, Shop
from bench.timing import Contestant, inside, one_core, take_turns
from gate.codec.oci import parse_manifest
from gate.codec.oci_config import parse_config
from gate.images.blobs import BlobReader, FolderMembers
from gate.images.layout_source import LayoutSource
from gate.model.limits import LayerLimits
from gate.pipeline.collect.layer_secrets import LayerSecrets
from gate.pipeline.collect.layers import collect_layers
from gate.pipeline.collect.secret_rules import load_rule_set, shipped_known
from gate.secrets.findings import Fingerprints
from gate.secrets.rule_set import RuleSet

_GZIP: Final = 31
_PIECE_BYTES: Final = 1024 * 1024


def searching(shop: Shop, rounds: int) -> list[Line]:
    """Measure both sizes against bare decompression, and the small one against Trivy."""
    rules = load_rule_set((), shop.root / "automata")
    rules.scan(b"")
    return [
        *(line for size in SIZES_MB for line in _against_inflating(shop.layouts[size], size, rules, rounds)),
        *_against_trivy(shop, rounds),
    ]


def _against_inflating(layout: Path, size_mb: int, rules: RuleSet, rounds: int) -> list[Line]:
    image = _Image(layout)
    contestants: dict[str, Contestant] = {
        "bare": inside(image.inflate),
        "pass": inside(image.read),
        "search": inside(lambda: image.read(rules)),
    }
    with one_core():
        times = take_turns(contestants, rounds)
    both = take_turns(contestants, rounds)
    name = f"image of {size_mb} MB"
    return [
        Line(
            what=f"{name}: search / bare decompression, one core", seen=times["search"].ratio_to(times["bare"]), aim=1.2
        ),
        Line(what="… on all cores", seen=both["search"].ratio_to(both["bare"])),
        Line(what="… the same pass without the search, one core", seen=times["pass"].ratio_to(times["bare"])),
        Line(what="… bare decompression", seen=times["bare"].median, unit="s"),
    ]


def _against_trivy(shop: Shop, rounds: int) -> list[Line]:
    size, layout = SIZES_MB[0], str(shop.layouts[SIZES_MB[0]])
    trivy = [str(shop.programs["trivy"]), "image", "--input", layout, "--scanners", "secret", "--quiet"]
    # Else its second run reads what its first one found.
    trivy += ["--cache-backend", "memory"]
    times = take_turns(
        {
            # Either ends with 1 where something is found.
            "gate": lambda: shop.scene.timed([GATE, "secrets", "scan", f"oci:{layout}"], codes=(0, 1)),
            "trivy": lambda: shop.scene.timed([*trivy, "--output", "secrets.json"], codes=(0, 1)),
        },
        rounds,
    )
    return [
        Line(
            what=f"image of {size} MB: `gate secrets scan` / `trivy image --scanners secret`",
            seen=times["gate"].ratio_to(times["trivy"]),
            aim=0.5,
        ),
        Line(what="… `gate secrets scan`", seen=times["gate"].median, unit="s"),
        Line(what="… in processor seconds", seen=times["gate"].processor, unit="s"),
        Line(what="… `trivy image --scanners secret`", seen=times["trivy"].median, unit="s"),
        Line(what="… in processor seconds", seen=times["trivy"].processor, unit="s"),
    ]


class _Image:
    """The one image of a layout."""

    def __init__(self, layout: Path) -> None:
        self._source = LayoutSource(BlobReader(FolderMembers(layout)), None)
        root = self._source.root()
        self._manifest = parse_manifest(root.content, media_type=root.media_type)
        self._config = parse_config(b"".join(self._source.blob(self._manifest.config)))
        folder = layout / "blobs" / "sha256"
        self._blobs = [folder / layer.digest.hex for layer in self._manifest.layers]

    def inflate(self) -> None:
        """Inflate all layers, and do nothing with them."""
        for blob in self._blobs:
            inflater = zlib.decompressobj(_GZIP)
            for piece in _pieces(blob):
                inflater.decompress(piece)

    def read(self, rules: RuleSet | None = None) -> None:
        """Read all layers as a check does; search them where there are rules."""
        fingerprints = Fingerprints(bytes(32))
        layers = [layer.digest for layer in self._manifest.layers]
        search = LayerSecrets(rules, shipped_known(), fingerprints, layers, lambda: None) if rules is not None else None
        collect_layers(
            self._source.blob,
            self._manifest,
            self._config,
            LayerLimits(),
            now=datetime.now(UTC),
            check_deadline=lambda: None,
            observers=(search,) if search is not None else (),
        )


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as blob:
        while piece := blob.read(_PIECE_BYTES):
            yield piece
