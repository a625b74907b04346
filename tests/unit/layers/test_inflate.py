"""Blobs: codings, broken streams, lies of descriptors (attacks D10, D11, L14)."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
import zstandard

from gate.errors import ImageError, RegistryError
from gate.layers.inflate import LAYER_TYPES
from gate.model.digest import Digest
from gate.model.limits import MIB, LayerLimits
from tests.support.layers import GZIP, PLAIN, ZSTD, compressed, descriptor, facts_of, read_blob, read_blobs
from tools.images.archive import file, gzip, tar

TAR = tar([file("etc/motd", b"hello" * 5000), file("opt/tool", bytes(range(256)) * 400)])
DIFF_ID = Digest.of(TAR)
CODINGS = [PLAIN, GZIP, ZSTD]


def refused(code: str, blob: bytes, media_type: str, diff_id: Digest = DIFF_ID) -> ImageError:
    with pytest.raises(ImageError) as caught:
        read_blob(blob, media_type, diff_id)
    assert caught.value.code == code, caught.value
    return caught.value


@pytest.mark.parametrize("media_type", sorted(LAYER_TYPES))
def test_every_layer_type_is_read(media_type: str) -> None:
    coding = {"tar": PLAIN, "gzip": GZIP, "zstd": ZSTD}[LAYER_TYPES[media_type].value]
    blob = compressed(TAR, coding)
    (layer,) = read_blob(blob, media_type, DIFF_ID).layers
    assert (layer.diff_id, layer.size, layer.uncompressed_bytes, layer.entries) == (DIFF_ID, len(blob), len(TAR), 2)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
        "application/vnd.oci.image.layer.v1.tar+br",
        "application/vnd.oci.image.layer.v1.tar+zstd:chunked",
        "application/octet-stream",
        "",
    ],
)
def test_d10_a_layer_that_a_scanner_may_skip_is_refused(media_type: str) -> None:
    refused("IMG_LAYER_UNSCANNABLE", gzip(TAR), media_type)


def test_d10_a_foreign_layer_is_refused_before_anything_is_fetched() -> None:
    foreign = dataclasses.replace(descriptor(b"never served", PLAIN), media_type="application/octet-stream")
    good = descriptor(TAR, PLAIN)
    with pytest.raises(ImageError) as caught:
        read_blobs([(good, b"would be wrong bytes"), (foreign, b"")], [DIFF_ID, DIFF_ID])
    assert caught.value.code == "IMG_LAYER_UNSCANNABLE"


def test_d11_a_wrong_diff_id_is_refused() -> None:
    refused("IMG_DIFFID", gzip(TAR), GZIP, Digest.of(b"other"))


def test_d11_another_number_of_diff_ids_is_refused() -> None:
    layer = (descriptor(TAR, PLAIN), TAR)
    with pytest.raises(ImageError) as caught:
        read_blobs([layer], [DIFF_ID, DIFF_ID])
    assert caught.value.code == "IMG_DIFFID"


@pytest.mark.parametrize("difference", [-1, 1])
def test_d11_a_descriptor_that_lies_about_size_is_refused(difference: int) -> None:
    blob = gzip(TAR)
    lie = dataclasses.replace(descriptor(blob, GZIP), size=len(blob) + difference)
    with pytest.raises(ImageError) as caught:
        read_blobs([(lie, blob)], [DIFF_ID])
    assert caught.value.code == "IMG_SIZE"


@pytest.mark.parametrize("served", [gzip(TAR)[:-20], b"<html>not found</html>", b"", gzip(TAR[:512])])
def test_d03_other_bytes_are_the_registrys_fault_even_where_they_do_not_parse(served: bytes) -> None:
    with pytest.raises(RegistryError) as caught:
        read_blobs([(descriptor(gzip(TAR), GZIP), served)], [DIFF_ID])
    assert caught.value.code == "REG_DIGEST_MISMATCH"


@pytest.mark.parametrize("said", CODINGS)
@pytest.mark.parametrize("real", CODINGS)
def test_bytes_of_another_kind_than_the_type_says(said: str, real: str) -> None:
    blob = compressed(TAR, real)
    if said == real:
        assert read_blob(blob, said, DIFF_ID).files == 2
    else:
        refused("IMG_LAYER_MALFORMED", blob, said)


def test_gzip_members_concatenate() -> None:
    blob = b"".join(gzip(TAR[start : start + 7000]) for start in range(0, len(TAR), 7000))
    assert read_blob(blob, GZIP, DIFF_ID).files == 2


def test_zstd_frames_and_skippable_frames_concatenate() -> None:
    compressor = zstandard.ZstdCompressor()
    frames = [compressor.compress(TAR[start : start + 50_000]) for start in range(0, len(TAR), 50_000)]
    skippable = b"\x50\x2a\x4d\x18" + (200_000).to_bytes(4, "little") + bytes(200_000)
    assert read_blob(skippable.join(frames) + skippable, ZSTD, DIFF_ID).files == 2


@pytest.mark.parametrize("media_type", CODINGS)
@pytest.mark.parametrize("nibble", range(16))
def test_d10_a_skippable_frame_first_hides_the_layer_from_the_scanners(media_type: str, nibble: int) -> None:
    skippable = bytes([0x50 | nibble]) + b"\x2a\x4d\x18" + (4).to_bytes(4, "little") + bytes(4)
    error = refused("IMG_LAYER_UNSCANNABLE", skippable + compressed(TAR, ZSTD), media_type)
    assert "skippable" in error.message
    assert "pzstd" in error.next_step


def test_zstd_streams_without_sizes_are_read() -> None:
    stream = zstandard.ZstdCompressor(level=1).compressobj()
    assert read_blob(stream.compress(TAR) + stream.flush(), ZSTD, DIFF_ID).files == 2


def test_d11_a_second_gzip_member_that_holds_another_tar_is_refused() -> None:
    refused("IMG_LAYER_MALFORMED", gzip(TAR) + gzip(TAR), GZIP, Digest.of(TAR + TAR))


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 50])
@pytest.mark.parametrize("media_type", [GZIP, ZSTD])
def test_d11_a_stream_that_ends_early_is_refused(media_type: str, cut: int) -> None:
    refused("IMG_LAYER_MALFORMED", compressed(TAR, media_type)[:-cut], media_type)


@pytest.mark.parametrize(
    "trailing", [b"\0", b"x", b"\x1f\x8b", b"\x1f\x8b\x08\0\0\0", b"\0" * 600, b"\x28\xb5\x2f\xfd"]
)
@pytest.mark.parametrize("media_type", [GZIP, ZSTD])
def test_d11_bytes_after_the_stream_are_refused(media_type: str, trailing: bytes) -> None:
    refused("IMG_LAYER_MALFORMED", compressed(TAR, media_type) + trailing, media_type)


@pytest.mark.parametrize("position", [-1, -5])
def test_d11_a_wrong_checksum_is_refused(position: int) -> None:
    blob = bytearray(gzip(TAR))
    blob[position] ^= 1
    refused("IMG_LAYER_MALFORMED", bytes(blob), GZIP)


def test_d11_a_wrong_zstd_checksum_is_refused() -> None:
    blob = bytearray(compressed(TAR, ZSTD))
    blob[-1] ^= 1
    refused("IMG_LAYER_MALFORMED", bytes(blob), ZSTD)


def test_a_zstd_window_over_128_mib_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=False)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    blob = bytearray(stream.compress(TAR) + stream.flush())
    assert read_blob(bytes(blob), ZSTD, DIFF_ID).files == 2
    blob[5] = (28 - 10) << 3
    refused("IMG_LAYER_MALFORMED", bytes(blob), ZSTD)


def test_a_zstd_frame_with_a_dictionary_is_refused() -> None:
    dictionary = zstandard.ZstdCompressionDict(b"hello" * 100, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    blob = bytearray(zstandard.ZstdCompressor(dict_data=dictionary).compress(TAR))
    blob[4] |= 1
    refused("IMG_LAYER_MALFORMED", bytes(blob), ZSTD)


@pytest.mark.parametrize("media_type", CODINGS)
def test_a_layer_of_no_bytes_is_an_empty_one(media_type: str) -> None:
    assert read_blob(b"", media_type, Digest.of(b"")).files == 0
    assert read_blob(compressed(b"", media_type), media_type, Digest.of(b"")).files == 0
    refused("IMG_DIFFID", b"", media_type)


def bomb(size_mib: int) -> tuple[bytes, Digest]:
    body = tar([file("bomb", bytes(size_mib * MIB))])
    return body, Digest.of(body)


@pytest.mark.parametrize("media_type", [GZIP, ZSTD])
def test_l14_a_bomb_is_refused_while_it_unfolds(media_type: str) -> None:
    body, diff_id = bomb(66)
    with pytest.raises(ImageError) as caught:
        read_blob(compressed(body, media_type), media_type, diff_id)
    assert caught.value.code == "LIMIT_LAYER"
    assert "compresses too much" in caught.value.message


@pytest.mark.parametrize("media_type", [GZIP, ZSTD])
def test_l14_a_layer_under_the_window_may_compress_well(media_type: str) -> None:
    body, diff_id = bomb(8)
    assert read_blob(compressed(body, media_type), media_type, diff_id).files == 1


@pytest.mark.parametrize("ratio", [-1, 0])
def test_l14_the_ratio_is_counted_to_the_byte(ratio: int) -> None:
    body, diff_id = bomb(2)
    blob = compressed(body, GZIP)
    real = -(-len(body) // len(blob))
    limits = LayerLimits(ratio=real + ratio, ratio_window_bytes=MIB)
    if ratio == 0:
        assert read_blob(blob, GZIP, diff_id, limits=limits).files == 1
    else:
        with pytest.raises(ImageError) as caught:
            read_blob(blob, GZIP, diff_id, limits=limits)
        assert caught.value.code == "LIMIT_LAYER"


def test_l14_what_compresses_little_does_not_excuse_what_follows() -> None:
    random = hashlib.shake_256(b"seed").digest(3 * MIB)
    body = tar([file("a", random), file("b", bytes(8 * MIB))])
    assert (
        read_blob(gzip(body), GZIP, Digest.of(body), limits=LayerLimits(ratio=100, ratio_window_bytes=16 * MIB)).files
        == 2
    )
    with pytest.raises(ImageError) as caught:
        read_blob(gzip(body), GZIP, Digest.of(body), limits=LayerLimits(ratio=10, ratio_window_bytes=MIB))
    assert caught.value.code == "LIMIT_LAYER"


def test_l14_too_many_uncompressed_bytes_over_all_layers() -> None:
    first, second = tar([file("a", bytes(4096))]), tar([file("b", bytes(4096))])
    whole = len(first) + len(second)
    assert facts_of(first, second, limits=LayerLimits(uncompressed_bytes=whole)).files == 2
    with pytest.raises(ImageError) as caught:
        facts_of(first, second, limits=LayerLimits(uncompressed_bytes=whole - 1))
    assert caught.value.code == "LIMIT_LAYER"


def test_l14_too_many_entries_over_all_layers() -> None:
    layers = [tar([file(f"{layer}-{number}", b"") for number in range(10)]) for layer in range(2)]
    assert facts_of(*layers, limits=LayerLimits(entries=20)).files == 20
    with pytest.raises(ImageError) as caught:
        facts_of(*layers, limits=LayerLimits(entries=19))
    assert caught.value.code == "LIMIT_LAYER"


def test_l14_too_many_layers() -> None:
    layers = [tar([file(str(number), b"")]) for number in range(4)]
    assert facts_of(*layers, limits=LayerLimits(layers=4)).files == 4
    with pytest.raises(ImageError) as caught:
        facts_of(*layers, limits=LayerLimits(layers=3))
    assert caught.value.code == "LIMIT_LAYER"


def test_the_size_of_pieces_from_the_network_changes_nothing() -> None:
    layer = (descriptor(gzip(TAR), GZIP), gzip(TAR))
    assert read_blobs([layer], [DIFF_ID], chunk_bytes=1) == read_blobs([layer], [DIFF_ID], chunk_bytes=1 << 20)
