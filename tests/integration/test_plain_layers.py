"""Both scanners are given uncompressed layers: they find the same in them as in the image as it was pushed."""

from __future__ import annotations

import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from gate.clock import Deadline
from gate.codec.oci import parse_index, parse_manifest
from gate.codec.oci_config import parse_config
from gate.codec.plain_manifest import plain_manifest, plain_manifest_digest
from gate.codec.trivy import in_layer
from gate.disk.blob_files import open_below, read_chunks
from gate.images.plain_layers import PlainLayers
from gate.model.digest import Digest
from gate.model.image import INDEX_TYPES, OCI_INDEX, Descriptor
from gate.model.limits import LayerLimits
from gate.pipeline.collect.layers import collect_layers
from gate.scanners.database_store import DatabaseKind
from gate.scanners.grype import GrypeRun, scan_with_grype
from gate.scanners.scanning import ScanTarget
from gate.scanners.trivy import TrivyRun, scan_with_trivy
from tests.support.installation import Installation
from tests.support.scan_bench import Bench
from tools.images.catalog import WRONG

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

BUILDERS: Final = Path(__file__).parents[2] / "fixtures" / "builders"
LAYOUTS: Final = ("umoci", "buildah", "skopeo-zstd")


def blob(layout: Path, digest: Digest) -> bytes:
    return b"".join(read_chunks(open_below(layout, "blobs", "sha256", digest.hex)))


def first_image(layout: Path) -> Descriptor:
    """Return the first image of a layout, a child where it holds an index."""
    listed = [item for item in json.loads((layout / "index.json").read_bytes())["manifests"] if "subject" not in item]
    item = next(entry for entry in listed if not entry.get("artifactType"))
    digest = Digest(item["digest"])
    if item["mediaType"] in INDEX_TYPES:
        return parse_index(blob(layout, digest), media_type=OCI_INDEX).manifests[0]
    return Descriptor(media_type=item["mediaType"], digest=digest, size=item["size"])


def both_forms(layout: Path, folder: Path) -> tuple[ScanTarget, ScanTarget, dict[Digest, Digest]]:
    """Return the image as it is and with plain layers, and what each plain layer is called in the image."""
    image = first_image(layout)
    manifest = parse_manifest(blob(layout, image.digest), media_type=image.media_type)
    config = blob(layout, manifest.config.digest)
    parsed = parse_config(config)
    alone = folder / "alone"
    (alone / "blobs").mkdir(parents=True)
    (alone / "blobs" / "sha256").symlink_to(layout.resolve() / "blobs" / "sha256", target_is_directory=True)
    (alone / "oci-layout").write_bytes((layout / "oci-layout").read_bytes())
    entry = {"mediaType": image.media_type, "digest": str(image.digest), "size": image.size}
    (alone / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    plain = PlainLayers(folder / "plain")
    facts = collect_layers(
        lambda wanted: read_chunks(open_below(layout, "blobs", "sha256", wanted.digest.hex)),
        manifest,
        parsed,
        LayerLimits(),
        now=datetime.now(UTC),
        check_deadline=lambda: None,
        keep=plain.keep,
    )
    written = plain.write_layout(plain_manifest(manifest, facts.layers), config)
    names = {layer.diff_id: layer.digest for layer in facts.layers}

    def target(place: Path, digest: Digest) -> ScanTarget:
        return ScanTarget(
            layout=place,
            manifest=digest,
            config=manifest.config.digest,
            diff_ids=parsed.diff_ids,
            distribution=facts.distribution,
        )

    given = plain_manifest_digest(manifest, facts.layers)
    return target(alone, image.digest), target(written, given), names


def by_trivy(bench: Bench, target: ScanTarget, names: dict[Digest, Digest]) -> dict[str, object]:
    run = TrivyRun.of(bench.trivy, bench.databases, bench.settings, secrets=True)
    report, _ = scan_with_trivy(run, target, Deadline.after(timedelta(minutes=3)))
    found = sorted(repr(in_layer(item, names[item.layer]) if item.layer in names else item) for item in report.secrets)
    return {
        "packages": report.packages, "os": report.os_packages, "findings": report.findings, "secrets": found,
        "distribution": report.distribution, "suppressed": report.suppressed, "ids": report.target_diff_ids,
    }  # fmt: skip


def by_grype(bench: Bench, target: ScanTarget) -> dict[str, object]:
    run = GrypeRun(tool=bench.grype, database=bench.databases.demand(DatabaseKind.GRYPE), settings=bench.settings)
    report, _, _ = scan_with_grype(run, target, Deadline.after(timedelta(minutes=3)))
    return {
        "packages": report.packages, "os": report.os_packages, "findings": report.findings,
        "distribution": report.distribution, "suppressed": report.suppressed, "ids": report.target_diff_ids,
    }  # fmt: skip


def assert_same(bench: Bench, layout: Path, folder: Path) -> None:
    compressed, plain, names = both_forms(layout, folder)
    expected = by_trivy(bench, compressed, names)
    assert by_trivy(bench, plain, names) == expected
    assert expected["ids"] == plain.diff_ids
    assert by_grype(bench, plain) == by_grype(bench, compressed)


@pytest.mark.parametrize("name", sorted(WRONG))
def test_an_image_of_the_catalogue(name: str, bench: Bench, installed: Installation, tmp_path: Path) -> None:
    assert_same(bench, installed.layout(name), tmp_path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_image_of_a_real_builder(name: str, bench: Bench, tmp_path: Path) -> None:
    with tarfile.open(BUILDERS / f"{name}.tar.gz") as packed:
        packed.extractall(tmp_path / name, filter="data")
    assert_same(bench, tmp_path / name, tmp_path)
