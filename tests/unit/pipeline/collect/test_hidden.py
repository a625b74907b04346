"""Which files a later layer hides: those that are deleted, overwritten or in a directory that is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gate.errors import ImageError
from gate.model.digest import Digest
from gate.model.image import OCI_CONFIG, OCI_MANIFEST, Descriptor, ImageManifest, Platform
from gate.model.image_config import ImageConfig
from gate.model.limits import LayerLimits
from gate.pipeline.collect.hidden import find_hidden
from tests.support.layers import PLAIN, descriptor
from tools.images.archive import Entry, directory, file, opaque, symlink, tar, whiteout


def hidden(
    *layers: list[Entry], places: list[tuple[str, int]], limits: LayerLimits | None = None
) -> list[tuple[str, int]]:
    """Return those of the places (path, number of the layer) that are hidden, in their order."""
    tars = [tar(entries) for entries in layers]
    manifest = ImageManifest(
        media_type=OCI_MANIFEST,
        config=descriptor(b"{}", OCI_CONFIG),
        layers=tuple(descriptor(content, PLAIN) for content in tars),
    )
    config = ImageConfig(platform=Platform("linux", "amd64"), diff_ids=tuple(map(Digest.of, tars)))
    served = {Digest.of(content): content for content in tars}

    def open_blob(wanted: Descriptor) -> Iterator[bytes]:
        yield served[wanted.digest]

    asked = [(path, Digest.of(tars[number])) for path, number in places]
    found = find_hidden(open_blob, manifest, config, limits or LayerLimits(), asked, check_deadline=lambda: None)
    return [place for place, wanted in zip(places, asked, strict=True) if wanted in found]


ENV = file("srv/app/.env", "TOKEN=1")


@pytest.mark.parametrize(
    "later",
    [
        [whiteout("srv/app/.env")],
        [whiteout("srv/app")],
        [whiteout("srv")],
        [opaque("srv/app")],
        [file("srv/app/.env", "TOKEN=2")],
        [symlink("srv/app", "elsewhere")],
        [directory("srv/app/.env")],
    ],
)
def test_a_file_that_a_later_layer_takes_away(later: list[Entry]) -> None:
    assert hidden([ENV], later, places=[("srv/app/.env", 0)]) == [("srv/app/.env", 0)]


@pytest.mark.parametrize(
    "later", [[], [file("srv/app/other", "x")], [whiteout("srv/app/other")], [directory("srv/app", mode=0o700)]]
)
def test_a_file_that_stays(later: list[Entry]) -> None:
    assert hidden([ENV], later, places=[("srv/app/.env", 0), ("/srv/app/.env", 0)]) == []


def test_the_file_of_each_layer_is_told_apart() -> None:
    places = [("srv/app/.env", 0), ("srv/app/.env", 1)]
    assert hidden([ENV], [file("srv/app/.env", "TOKEN=2")], places=places) == [("srv/app/.env", 0)]
    # Deleted and written again: the first is hidden, the last is live.
    places = [("srv/app/.env", 0), ("srv/app/.env", 2)]
    again = [file("srv/app/.env", "TOKEN=3")]
    assert hidden([ENV], [whiteout("srv/app/.env")], again, places=places) == [("srv/app/.env", 0)]


def test_a_path_that_is_nowhere_is_hidden() -> None:
    assert hidden([ENV], places=[("srv/app/absent", 0)]) == [("srv/app/absent", 0)]


def test_the_limits_hold_at_the_second_look_too() -> None:
    with pytest.raises(ImageError) as refused:
        hidden([file("big", "x" * 100_000)], places=[("big", 0)], limits=LayerLimits(uncompressed_bytes=10_000))
    assert refused.value.code == "LIMIT_LAYER"
