"""What tags name now: each asked once in a run, several at a time, through the gate's own client of registries.

A registry that names two digests for one tag within a run has not answered. Ages are those that images claim; one that claims
none, or none that can be believed, counts as too young.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

from gate.codec.oci import names_build_attestation, parse_index, parse_manifest
from gate.codec.oci_config import MAX_CONFIG_BYTES, parse_config
from gate.codec.platforms import may_serve, parse_platform, same_platform
from gate.codec.strict_json import printable
from gate.errors import GateError, ImageError, RegistryError, UsageError
from gate.model.digest import Digest
from gate.model.image import INDEX_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from gate.model.reference import RegistryReference, Repository
    from gate.registry.client import RegistryClient
    from gate.registry.read import FetchedManifest

_AT_ONCE: Final = 8
# Containers are younger; an earlier time is that of a reproducible build.
_FIRST_DAY: Final = datetime(2013, 3, 20, tzinfo=UTC)


class ImageLookups:
    """Asks registries; use it as a context, so that its threads end."""

    def __init__(self, client: RegistryClient, now: datetime) -> None:
        self._client, self._now = client, now
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lookup")
        self._asked: dict[tuple[str, str], Future[FetchedManifest]] = {}
        self._created: dict[tuple[str, str], Future[datetime | None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def prepare(self, image: RegistryReference) -> None:
        """Begin to ask for an image's tag, or for its digest where it has no tag."""
        self._manifest(image)

    def digest(self, image: RegistryReference, platform: str, min_age: timedelta | None) -> Digest | str:
        """Return the digest to pin, or why none is: the image is too young.

        Raises:
            GateError: the registry did not answer, or has no image for the platform.
        """
        manifest = self._manifest(image).result()
        digest = _for_platform(image.repository, manifest, platform)
        if min_age is None:
            return digest
        created = self._age(image.repository, digest).result()
        if created is None:
            return f"the image claims no age, and {_days(min_age)} are demanded"
        age = self._now - created
        return digest if age >= min_age else f"the image is {_days(age)} old, and {_days(min_age)} are demanded"

    def _manifest(self, image: RegistryReference) -> Future[FetchedManifest]:
        tag = image.tag or ("latest" if image.digest is None else "")
        key = str(image.repository), tag or str(image.digest)
        if key not in self._asked:
            ask = self._by_tag if tag else self._by_digest
            self._asked[key] = self._pool.submit(ask, image.repository, tag or str(image.digest))
        return self._asked[key]

    def _by_tag(self, repository: Repository, tag: str) -> FetchedManifest:
        first = self._client.resolve_tag(repository, tag)
        manifest = self._client.manifest(repository, tag)
        if manifest.digest != first:
            raise RegistryError(
                f"{repository}:{tag} names two digests within one run",
                code="REF_MOVED",
                expected=str(first),
                seen=str(manifest.digest),
            )
        return manifest

    def _by_digest(self, repository: Repository, digest: str) -> FetchedManifest:
        return self._client.manifest(repository, Digest(digest))

    def _age(self, repository: Repository, digest: Digest) -> Future[datetime | None]:
        key = str(repository), str(digest)
        if key not in self._created:
            self._created[key] = self._pool.submit(self._created_of, repository, digest)
        return self._created[key]

    def _created_of(self, repository: Repository, digest: Digest) -> datetime | None:
        """Return when an image says that it was made: of an index, its youngest image."""
        manifest = self._client.manifest(repository, digest)
        if manifest.media_type in INDEX_TYPES:
            index = parse_index(manifest.content, media_type=manifest.media_type)
            children = [child for child in index.manifests if not names_build_attestation(child, index)]
            times = [
                self._created_of(repository, child.digest) for child in children if child.media_type not in INDEX_TYPES
            ]
            known = [time for time in times if time is not None]
            return max(known) if len(known) == len(times) and known else None
        config = parse_manifest(manifest.content, media_type=manifest.media_type).config
        created = parse_config(self._client.read_blob(repository, config, MAX_CONFIG_BYTES)).created
        return created if created is not None and created >= _FIRST_DAY else None


def _for_platform(repository: Repository, manifest: FetchedManifest, platform: str) -> Digest:
    """Return the digest for a place: the index, unless the place itself names a platform."""
    if not platform or manifest.media_type not in INDEX_TYPES:
        return manifest.digest
    try:
        asked = parse_platform(platform)
    except UsageError as error:
        raise _no_image(repository, platform) from error
    index = parse_index(manifest.content, media_type=manifest.media_type)
    children = [child for child in index.manifests if child.platform is not None]
    for fits in (same_platform, may_serve):
        found = [child for child in children if child.platform is not None and fits(asked, child.platform)]
        if found:
            return found[0].digest
    raise _no_image(repository, platform)


def _no_image(repository: Repository, platform: str) -> ImageError:
    expected = printable(platform, 60)
    return ImageError(f"{repository} has no image for the platform", code="IMG_PLATFORM_UNSCANNED", expected=expected)


def _days(span: timedelta) -> str:
    return f"{span.days} days" if span.days else f"{int(span.total_seconds() // 3600)} hours"


def answered(ask: Callable[[], Digest | str], faults: dict[str, GateError]) -> Digest | str | None:
    """Return the answer, or None with the fault noted once."""
    try:
        return ask()
    except GateError as fault:
        faults.setdefault(str(fault), fault)
        return None
