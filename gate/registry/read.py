"""Manifests and blobs from a registry: every byte is hashed on the way and nothing but the digest is believed.

A registry that serves other bytes is an error of evidence (`REG_DIGEST_MISMATCH`), never a judgement on the image; only
a descriptor that lies about the size of bytes whose digest is right is the image's fault (attacks D03, D11).

Specification: distribution-spec 1.1, "Pulling"; formats reference, sections 3.1 and 3.5.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gate.codec.oci import MAX_MANIFEST_BYTES
from gate.codec.strict_json import printable
from gate.errors import ImageError, RegistryError, UsageError
from gate.model.digest import Digest
from gate.model.image import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Descriptor
from gate.model.reference import Repository
from gate.registry.api import HTML, Call, RegistryApi
from gate.registry.faults import TransientError, status_fault
from gate.registry.options import MAX_ERROR_BYTES
from gate.registry.transport import Answer

ACCEPT: Final = f"{OCI_INDEX}, {OCI_MANIFEST}, {DOCKER_INDEX}, {DOCKER_MANIFEST}"
# A blob that goes on after its announced size is still hashed so far, to tell who lied about the size.
_OVERRUN_BYTES: Final = 64 * 1024 * 1024
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/(?:[0-9]{1,18}|\*)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedManifest:
    """A manifest or index as it was served: `digest` is computed from `content`; `media_type` is the server's word."""

    media_type: str
    digest: Digest
    content: bytes = field(repr=False)

    @property
    def descriptor(self) -> Descriptor:
        """Describe these bytes."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=len(self.content))


def fetch_manifest(api: RegistryApi, repository: Repository, reference: Digest | str) -> FetchedManifest:
    """Fetch by digest, or by tag where the answer is only a hint.

    Raises:
        RegistryError: `REG_NOT_FOUND`, `REG_DIGEST_MISMATCH`, `REG_MALFORMED`, `LIMIT_RESPONSE` and others.
    """
    call = Call(
        method="GET", repository=repository, path=f"manifests/{reference}", doing=f"reading a manifest of {repository}",
        headers={"Accept": ACCEPT}, by_digest=isinstance(reference, Digest),
    )  # fmt: skip
    answer, content = api.demand(call, MAX_MANIFEST_BYTES, 200)
    if not content or not answer.media_type:
        missing = "a body" if not content else "a content type"
        raise RegistryError(f"{repository} answers without {missing}", code="REG_MALFORMED", expected="a manifest")
    digest = Digest.of(content)
    if isinstance(reference, Digest) and digest != reference:
        raise _mismatch(repository, reference, digest)
    return FetchedManifest(media_type=answer.media_type, digest=digest, content=content)


def resolve_tag(api: RegistryApi, repository: Repository, tag: str) -> Digest:
    """Return the digest that a tag names now: a hint that nobody signed.

    HEAD is asked first, for Docker Hub does not count it; where its answer names no digest, the manifest is hashed.
    """
    call = Call(
        method="HEAD", repository=repository, path=f"manifests/{tag}", doing=f"resolving a tag of {repository}",
        headers={"Accept": ACCEPT},
    )  # fmt: skip
    answer, _ = api.read(call, MAX_MANIFEST_BYTES)
    if answer.status in {401, 403, 404}:
        raise status_fault(answer.status, b"", answer.request.target.origin, call.doing)
    try:
        return Digest(answer.header("Docker-Content-Digest"))
    except UsageError:
        return fetch_manifest(api, repository, tag).digest


def stream_blob(api: RegistryApi, repository: Repository, descriptor: Descriptor) -> Iterator[bytes]:
    """Return a blob's bytes as they come, at most `descriptor.size`; the end is reached only if digest and size are right.

    A transfer that breaks off goes on where it stopped.

    Raises:
        ImageError: `IMG_SIZE`, where the digest is right and the size is not.
        RegistryError: `REG_DIGEST_MISMATCH` and others.
    """
    digest, seen, breaks = hashlib.sha256(), 0, 0
    transport = api.transport(repository)
    while True:
        try:
            for chunk in _chunks_from(_open_blob(api, repository, descriptor, seen), seen, descriptor.size):
                digest.update(chunk)
                wanted = chunk[: max(0, descriptor.size - seen)]
                seen += len(chunk)
                if wanted:
                    yield wanted
            break
        except TransientError as error:
            breaks += 1
            if breaks >= api.options.tries or not transport.pause(breaks - 1, error.retry_after):
                raise error.fault from error
    _judge(repository, descriptor, Digest.from_hex(digest.hexdigest()), seen)


def read_blob(api: RegistryApi, repository: Repository, descriptor: Descriptor, cap_bytes: int) -> bytes:
    """Return a whole blob of at most `cap_bytes`, checked before the first byte is asked for.

    Raises:
        ImageError: `LIMIT_BLOB`; else as `stream_blob`.
    """
    if descriptor.size > cap_bytes:
        raise ImageError(
            "a blob is too large",
            code="LIMIT_BLOB",
            expected=f"at most {cap_bytes} bytes",
            seen=f"{descriptor.size} bytes",
        )
    return b"".join(stream_blob(api, repository, descriptor))


def _open_blob(api: RegistryApi, repository: Repository, descriptor: Descriptor, start: int) -> Answer:
    call = Call(
        method="GET", repository=repository, path=f"blobs/{descriptor.digest}", doing=f"reading a blob of {repository}",
        headers={"Range": f"bytes={start}-"} if start else {}, by_digest=True,
    )  # fmt: skip
    answer = api.open(call)
    if answer.status not in ({200, 206} if start else {200}):
        body = answer.read(MAX_ERROR_BYTES)
        raise status_fault(answer.status, body, answer.request.target.origin, call.doing)
    if answer.media_type.lower() == HTML:
        answer.close()
        raise RegistryError(f"a web page came back while {call.doing}", code="REG_MALFORMED", seen=HTML)
    return answer


def _chunks_from(answer: Answer, start: int, size: int) -> Iterator[bytes]:
    """Return the bytes from `start` on, whether the server kept to the asked range or began anew."""
    skip = start
    if answer.status == 206:
        served = _CONTENT_RANGE.fullmatch(answer.header("Content-Range"))
        if not served or int(served.group(1)) != start:
            answer.close()
            raise RegistryError("another part of the blob came back than was asked for", code="REG_MALFORMED")
        skip = 0
    for chunk in answer.chunks(max(size, start) + _OVERRUN_BYTES):
        part = chunk[skip:]
        skip -= len(chunk) - len(part)
        if part:
            yield part


def _judge(repository: Repository, descriptor: Descriptor, digest: Digest, size: int) -> None:
    if digest != descriptor.digest:
        if size == 0:
            raise RegistryError(f"{repository} answers without a body", code="REG_MALFORMED", expected="a blob")
        raise _mismatch(repository, descriptor.digest, digest)
    if size != descriptor.size:
        raise ImageError(
            "a descriptor's size is not the blob's",
            code="IMG_SIZE",
            expected=f"{descriptor.size} bytes",
            seen=f"{size}",
        )


def _mismatch(repository: Repository, expected: Digest, seen: Digest) -> RegistryError:
    return RegistryError(
        f"{printable(str(repository))} served other bytes",
        code="REG_DIGEST_MISMATCH",
        expected=str(expected),
        seen=str(seen),
    )
