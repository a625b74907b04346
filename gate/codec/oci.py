"""Manifests, indexes and listings: bytes whose digest was checked, into values that two readers see alike.

Refuses what a second reader could read as another image: a media type other than the one it was served under, arrays of
another kind of object, a key that equals a known one only when case is ignored (Go's reader ignores case), inline data that
is not the blob, two children for one platform (attacks D05, D06, D09, D11).

Specification: OCI image-spec 1.1 and Docker schema 2; formats reference, sections 2.1 to 2.3.
"""

from __future__ import annotations

from typing import Final

from gate.codec.encodings import decode_base64
from gate.codec.platforms import normal_platform
from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.errors import ImageError, RegistryError
from gate.model.digest import Digest
from gate.model.image import (
    CONFIG_TYPES,
    INDEX_TYPES,
    MANIFEST_TYPES,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    ImageIndex,
    ImageManifest,
    Platform,
)

MAX_MANIFEST_BYTES: Final = 4 * 1024 * 1024  # distribution-spec: registries must take, clients need not read, more
# Every child is judged, so that this bounds the work of one request (attack D07); images for every platform of Docker's library,
# each with its attestation, have some thirty.
MAX_CHILDREN: Final = 128
MAX_LAYERS: Final = 127  # what the overlay file system of common kernels mounts

MANIFEST_FAULT: Final = Fault(ImageError, "IMG_MALFORMED", "the manifest", ambiguous_code="IMG_AMBIGUOUS")
INDEX_FAULT: Final = Fault(ImageError, "IMG_MALFORMED", "the index", ambiguous_code="IMG_AMBIGUOUS")
LISTING_FAULT: Final = Fault(RegistryError, "REG_MALFORMED", "the list of referrers", single=True)

IN_TOTO: Final = "application/vnd.in-toto+json"
LAYER_TYPES: Final = frozenset(
    {f"application/vnd.oci.image.layer.v1.{form}" for form in ("tar", "tar+gzip", "tar+zstd")}
    | {f"application/vnd.docker.image.rootfs.diff.{form}" for form in ("tar", "tar.gzip", "tar.zstd")}
)
_REFERENCE_TYPE: Final = "vnd.docker.reference.type"
_REFERENCE_DIGEST: Final = "vnd.docker.reference.digest"
_DESCRIPTOR: Final = frozenset(
    {"mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform"}
)
_PLATFORM: Final = frozenset({"os", "architecture", "variant", "os.version", "os.features"})
_TOP: Final = frozenset(
    {
        "schemaVersion",
        "mediaType",
        "config",
        "layers",
        "manifests",
        "fsLayers",
        "subject",
        "annotations",
        "artifactType",
    }
)


def parse_manifest(data: bytes, *, media_type: str, fault: Fault = MANIFEST_FAULT) -> ImageManifest:
    """Parse a manifest that was served, or is described by its parent, as `media_type`.

    Raises:
        ImageError: `IMG_MEDIA_TYPE`, `IMG_AMBIGUOUS`, `IMG_SIZE`, `IMG_MALFORMED`; `LIMIT_BLOB` over 4 MiB.
    """
    view = _document(data, media_type, MANIFEST_TYPES, fault, foreign=("manifests", "fsLayers"))
    config = _descriptor(view.object("config"))
    artifact_type = view.optional_text("artifactType")
    if config.media_type == OCI_EMPTY and not artifact_type:
        # A MUST of the specification: without it registries and clients disagree about what kind of artifact it is.
        raise view.refuse("artifactType", "has no type for an empty configuration", expected="artifactType")
    return ImageManifest(
        media_type=media_type,
        config=config,
        layers=tuple(_descriptor(layer) for layer in _layers(view)),
        subject=_subject(view),
        artifact_type=artifact_type,
        annotations=view.optional_text_map("annotations"),
    )


def parse_index(data: bytes, *, media_type: str) -> ImageIndex:
    """Parse an index of images; its children are manifests, at most `MAX_CHILDREN`.

    Raises:
        ImageError: as `parse_manifest`; `LIMIT_INDEX` for more children or a nested index.
    """
    view = _document(data, media_type, INDEX_TYPES, INDEX_FAULT, foreign=("layers", "config", "fsLayers"))
    children = view.objects("manifests")
    if len(children) > MAX_CHILDREN:
        raise view.refuse("manifests", "has too many children", code="LIMIT_INDEX", expected=f"at most {MAX_CHILDREN}")
    return ImageIndex(
        media_type=media_type,
        manifests=tuple(_child(child) for child in children),
        subject=_subject(view),
        artifact_type=view.optional_text("artifactType"),
        annotations=view.optional_text_map("annotations"),
    )


def parse_listing(data: bytes, *, fault: Fault = LISTING_FAULT) -> ImageIndex:
    """Parse a list of descriptors of any type: a registry's referrers, a fallback tag, a layout's `index.json`.

    All of it is unsigned hints. The caller bounds the number of entries.

    Raises:
        GateError: of `fault`; for a registry's list `REG_MALFORMED`.
    """
    view = parse_object(data, fault, limit_bytes=MAX_MANIFEST_BYTES, limit_code="LIMIT_INDEX")
    refuse_folded(view, _TOP)
    if view.optional_text("mediaType") not in {"", OCI_INDEX} or view.integer("schemaVersion") != 2:
        raise view.refuse("mediaType", "is not an OCI index", expected=OCI_INDEX, seen=view.optional_text("mediaType"))
    return ImageIndex(
        media_type=OCI_INDEX,
        manifests=tuple(_descriptor(child) for child in view.optional_objects("manifests")),
        subject=_subject(view),
        artifact_type=view.optional_text("artifactType"),
        annotations=view.optional_text_map("annotations"),
    )


def require_runnable(manifest: ImageManifest) -> None:
    """Refuse a manifest that is no image which every reader can read: other types of configuration or layer.

    Raises:
        ImageError: `IMG_MEDIA_TYPE`, `IMG_LAYER_UNSCANNABLE` (attack D10), `LIMIT_LAYER` for more than 127 layers.
    """
    if manifest.config.media_type not in CONFIG_TYPES:
        # Docker runs an image only of its own types, containerd reads a configuration of any (attack D06).
        raise MANIFEST_FAULT.refuse(
            "is not an image's",
            code="IMG_MEDIA_TYPE",
            expected="an image configuration",
            seen=manifest.config.media_type,
        )
    if len(manifest.layers) > MAX_LAYERS:
        # No kernel mounts it; a scanner would read it all the same.
        raise MANIFEST_FAULT.refuse("has too many layers", code="LIMIT_LAYER", expected=f"at most {MAX_LAYERS}")
    for layer in manifest.layers:
        if layer.media_type not in LAYER_TYPES:
            # A runtime fetches foreign layers and decrypts others by plug-ins; scanners pass over both (attack D10).
            raise MANIFEST_FAULT.refuse(
                "has a layer that cannot be read",
                code="IMG_LAYER_UNSCANNABLE",
                expected="a tar layer: plain, gzip or zstd",
                seen=layer.media_type,
            )


def is_build_attestation(child: Descriptor, manifest: ImageManifest, index: ImageIndex) -> bool:
    """Say whether a child is BuildKit's attestation of another child and nothing that could run.

    All four signs are demanded; anything less is judged as an image (formats reference, section 2.3; attack D09).
    """
    return (
        names_build_attestation(child, index)
        and bool(manifest.layers)
        and all(layer.media_type == IN_TOTO for layer in manifest.layers)
    )


def names_build_attestation(child: Descriptor, index: ImageIndex) -> bool:
    """Say whether a child's descriptor claims to be an attestation: only then is its manifest worth a look."""
    named = child.annotations.get(_REFERENCE_DIGEST)
    others = {other.digest.text for other in index.manifests if other.digest != child.digest}
    return (
        child.platform == Platform("unknown", "unknown")
        and child.annotations.get(_REFERENCE_TYPE) == "attestation-manifest"
        and named in others
    )


def attested_image(child: Descriptor) -> str:
    """Return the digest, as text, of the image that a build attestation says it is about; "" where it names none."""
    return child.annotations.get(_REFERENCE_DIGEST) or ""


def require_children(children: tuple[Descriptor, ...]) -> None:
    """Refuse runnable children of one index of which a runtime could pick either, and an index without any.

    Raises:
        ImageError: `IMG_AMBIGUOUS` for two of one platform; `IMG_MALFORMED` for none.
    """
    if not children:
        raise INDEX_FAULT.refuse("holds no image that could run")
    seen: set[Platform | None] = set()
    for child in children:
        platform = normal_platform(child.platform) if child.platform else None
        if platform in seen:
            # containerd takes the first, Podman the best by its own order; Docker 20 another one (attack D09).
            raise INDEX_FAULT.refuse("has two images for one platform", code="IMG_AMBIGUOUS", seen=str(platform))
        seen.add(platform)


def own_media_type(view: ObjectView) -> str:
    """Return the type that a manifest or index has by its own bytes; empty where they name none and have no known form.

    OCI leaves `mediaType` optional, and umoci writes none. Then the fields decide, as they do for every reader; a document
    with the fields of both kinds is refused where it is parsed (CVE-2021-41190). Docker's documents always name their type.
    """
    if "mediaType" in view:
        return view.optional_text("mediaType")
    if "manifests" in view:
        return OCI_INDEX
    return OCI_MANIFEST if "layers" in view or "config" in view else ""


def refuse_folded(view: ObjectView, known: frozenset[str]) -> None:
    """Refuse a key that equals a known one only when case is ignored, as Go's reader does: `IMG_AMBIGUOUS`."""
    folded = {key.casefold() for key in known}
    for key in sorted(view.fields.keys() - known):
        if key.casefold() in folded:
            raise view.refuse("", "has a key in another case than specified", code="IMG_AMBIGUOUS", seen=key)


def _document(
    data: bytes, media_type: str, allowed: frozenset[str], fault: Fault, *, foreign: tuple[str, ...]
) -> ObjectView:
    if media_type not in allowed:
        raise fault.refuse("is of no accepted type", code="IMG_MEDIA_TYPE", expected=min(allowed), seen=media_type)
    view = parse_object(data, fault, limit_bytes=MAX_MANIFEST_BYTES, limit_code="LIMIT_BLOB")
    refuse_folded(view, _TOP)
    for key in foreign:
        if key in view:
            # CVE-2021-41190: one document, an image for one client and an index for another.
            raise view.refuse(key, "has a field of another kind of object", code="IMG_AMBIGUOUS")
    if view.integer("schemaVersion") != 2:
        raise view.refuse("schemaVersion", "is of another schema", code="IMG_MEDIA_TYPE", expected="2")
    if own_media_type(view) != media_type:
        raise view.refuse(
            "mediaType",
            "does not say what it was served as",
            code="IMG_AMBIGUOUS",
            expected=media_type,
            seen=view.optional_text("mediaType") or "nothing",
        )
    return view


def _layers(view: ObjectView) -> tuple[ObjectView, ...]:
    # Go writes a list without members as null, and reads it so.
    return () if "layers" in view and not view.has("layers") else view.objects("layers")


def _child(view: ObjectView) -> Descriptor:
    child = _descriptor(view)
    if child.media_type in INDEX_TYPES:
        # containerd descends, Docker 20 and both scanners do not (attack D07).
        raise view.refuse("mediaType", "nests an index", code="LIMIT_INDEX", expected="manifests as children")
    if child.media_type not in MANIFEST_TYPES:
        # containerd passes over it, Podman chooses by platform whatever the type.
        raise view.refuse("mediaType", "has a child of no accepted type", code="IMG_MEDIA_TYPE", seen=child.media_type)
    return child


def _subject(view: ObjectView) -> Descriptor | None:
    subject = view.optional_object("subject")
    return _descriptor(subject) if subject else None


def _descriptor(view: ObjectView) -> Descriptor:
    refuse_folded(view, _DESCRIPTOR)
    descriptor = Descriptor(
        media_type=view.text("mediaType"),
        digest=view.digest("digest"),
        size=view.integer("size"),
        platform=_platform(view.optional_object("platform")),
        artifact_type=view.optional_text("artifactType"),
        annotations=view.optional_text_map("annotations"),
        urls=view.optional_texts("urls"),
    )
    if view.has("data"):
        _check_inline(view, descriptor)
    return descriptor


def _check_inline(view: ObjectView, descriptor: Descriptor) -> None:
    """Inline data is never used; it is compared, because another reader may use it."""
    data = decode_base64(view.text("data"), view.fault, "inline data")
    if len(data) != descriptor.size:
        raise view.refuse("data", "has inline data of another size", code="IMG_SIZE", expected=str(descriptor.size))
    if Digest.of(data) != descriptor.digest:
        raise view.refuse("data", "has inline data that is not the blob", code="IMG_AMBIGUOUS")


def _platform(view: ObjectView | None) -> Platform | None:
    if view is None:
        return None
    refuse_folded(view, _PLATFORM)
    return Platform(
        os=view.text("os"),
        architecture=view.text("architecture"),
        variant=view.optional_text("variant"),
        os_version=view.optional_text("os.version"),
        os_features=view.optional_texts("os.features"),
    )
