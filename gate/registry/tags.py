"""Tags of a repository, and the tag of its own that each attachment gets where a registry has no referrers API.

The shared list under the fallback tag is read, appended to and written, and two writers can lose an entry of it whatever they
do. A tag of one's own cannot be lost: its name holds the subject and the digest of the manifest, so that nothing depends on
what it names now, and listing tags finds it.

Specification: distribution-spec 1.1, "Listing Tags" (a tag is at most 128 characters of `[a-zA-Z0-9._-]`).
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from gate.codec.strict_json import Fault, parse_object
from gate.errors import RegistryError, UsageError
from gate.model.digest import Digest
from gate.model.image import OCI_MANIFEST, Descriptor
from gate.model.reference import Repository
from gate.registry.addresses import Target
from gate.registry.api import Call, RegistryApi
from gate.registry.faults import status_fault
from gate.registry.referrers import fallback_tag, next_page

# 1,000 tags a page; a repository with more than a million is not one that a deploy stage can wait for.
_PAGE: Final = 1000
_MAX_PAGES: Final = 1000
_MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
_MARK: Final = ".g"
# What registries answer that do not list tags, or not to this user.
_NO_LIST: Final = frozenset({400, 401, 403, 404, 405, 501})
_FAULT: Final = Fault(RegistryError, "REG_MALFORMED", "the list of tags")


def single_tag(subject: Digest, manifest: Digest) -> str:
    """Return the tag of its own for an attachment: the subject, and the manifest's digest in base 32."""
    name = base64.b32encode(bytes.fromhex(manifest.hex)).decode("ascii").rstrip("=").lower()
    return f"{fallback_tag(subject)}{_MARK}{name}"


def parse_single_tag(tag: str, subject: Digest) -> Descriptor | None:
    """Return what a tag names as an attachment of `subject`, by its name alone; None for every other tag."""
    prefix = f"{fallback_tag(subject)}{_MARK}"
    if not tag.startswith(prefix):
        return None
    name = tag[len(prefix) :].upper()
    try:
        decoded = base64.b32decode(name + "=" * (-len(name) % 8))
        digest = Digest(f"sha256:{decoded.hex()}")
    except (binascii.Error, ValueError, UsageError):
        return None
    return Descriptor(media_type=OCI_MANIFEST, digest=digest, size=0)


def list_tags(api: RegistryApi, repository: Repository) -> tuple[str, ...] | None:
    """Return all tags of a repository, or None where the registry does not list them (or not to this user).

    Raises:
        RegistryError: `LIMIT_PAGES`, `REG_MALFORMED` and others.
    """
    found: list[str] = []
    target: Target | None = None
    seen: set[str] = set()
    for _ in range(_MAX_PAGES):
        call = Call(
            method="GET", repository=repository, path=f"tags/list?n={_PAGE}", doing=f"listing tags in {repository}",
            target=target,
        )  # fmt: skip
        answer, body = api.read(call, _MAX_PAGE_BYTES)
        if target is None and answer.status in _NO_LIST:
            return None
        if answer.status != 200:
            raise status_fault(answer.status, body, answer.request.target.origin, call.doing)
        found += parse_object(body, _FAULT, limit_bytes=_MAX_PAGE_BYTES).optional_texts("tags")
        target = next_page(api, repository, answer)
        if target is None:
            return tuple(found)
        if target.path in seen:
            break
        seen.add(target.path)
    raise RegistryError(f"the tags in {repository} do not end", code="LIMIT_PAGES", expected=f"{_MAX_PAGES} pages")


def list_single(api: RegistryApi, repository: Repository, subject: Digest) -> tuple[Descriptor, ...] | None:
    """Return the attachments of a subject that stand under tags of their own; None where tags are not listed."""
    tags = list_tags(api, repository)
    if tags is None:
        return None
    parsed = (parse_single_tag(tag, subject) for tag in tags)
    return tuple(dict.fromkeys(item for item in parsed if item is not None))
