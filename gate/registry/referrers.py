"""What a registry says hangs on a digest: its referrers API and the fallback tag, both only hints.

Nothing is filtered by the listing's types or annotations: both are wrong in the wild. Both places are asked, because a
registry may have gained the API after signatures were pushed, and copying tools move only tags (attack R08).

Specification: distribution-spec 1.1, "Listing Referrers" and "Referrers Tag Schema"; formats reference, section 3.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gate.codec.oci import MAX_MANIFEST_BYTES, parse_listing
from gate.errors import RegistryError, SignatureError
from gate.model.digest import Digest
from gate.model.image import OCI_INDEX, Descriptor
from gate.model.reference import Repository
from gate.registry.addresses import Target, parse_derived
from gate.registry.api import HTML, Call, RegistryApi
from gate.registry.faults import status_fault
from gate.registry.options import MAX_ATTACHMENTS, MAX_PAGES
from gate.registry.read import fetch_manifest
from gate.registry.transport import Answer

_NO_API: Final = frozenset({400, 404, 405, 406})
_NEXT: Final = re.compile(r'<([^<>]*)>\s*(?:;[^,<>]*)?;\s*rel="?next"?', re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferrerListing:
    """What was listed; `api` is None where the registry has no such API. One digest may stand in both."""

    api: tuple[Descriptor, ...] | None
    fallback: tuple[Descriptor, ...] = ()

    @property
    def union(self) -> tuple[Descriptor, ...]:
        """Give each listed manifest once, those of the API first."""
        return tuple({item.digest: item for item in (*self.fallback, *(self.api or ()))}.values())


def fallback_tag(digest: Digest) -> str:
    """Give the tag under which registries without the API keep a digest's referrers."""
    return f"sha256-{digest.hex}"


def list_referrers(api: RegistryApi, repository: Repository, digest: Digest) -> ReferrerListing:
    """List what hangs on a digest; an empty list is an answer.

    Raises:
        SignatureError: `LIMIT_SIGNATURES` for more than 500.
        RegistryError: `LIMIT_PAGES`, `REG_MALFORMED` and others.
    """
    listing = ReferrerListing(
        api=_from_api(api, repository, digest), fallback=tuple(_from_tag(api, repository, digest))
    )
    check_count(len(listing.union), str(repository))
    return listing


def check_count(count: int, where: str) -> None:
    """Refuse more attachments of one digest than are looked at (attack S23)."""
    if count > MAX_ATTACHMENTS:
        raise SignatureError(
            f"too many attachments hang on this digest in {where}",
            code="LIMIT_SIGNATURES",
            expected=f"at most {MAX_ATTACHMENTS}",
            seen=str(count),
        )


def _from_api(api: RegistryApi, repository: Repository, digest: Digest) -> tuple[Descriptor, ...] | None:
    found: list[Descriptor] = []
    for page in _pages(api, repository, digest):
        if page is None:
            return None
        found += parse_listing(page).manifests
        check_count(len(found), str(repository))
    return tuple(found)


def _pages(api: RegistryApi, repository: Repository, digest: Digest) -> Iterator[bytes | None]:
    """Give each page of the API's answer; None if there is no API."""
    target: Target | None = None
    asked: set[str] = set()
    for _ in range(MAX_PAGES):
        call = Call(
            method="GET", repository=repository, path=f"referrers/{digest}", doing=f"listing referrers in {repository}",
            headers={"Accept": OCI_INDEX}, target=target,
        )  # fmt: skip
        answer, body = api.read(call, MAX_MANIFEST_BYTES)
        if target is None and (answer.status in _NO_API or answer.media_type.lower() == HTML):
            yield None
            return
        if answer.status != 200:
            raise status_fault(answer.status, body, answer.request.target.origin, call.doing)
        yield body
        target = _next_page(api, repository, answer)
        if target is None:
            return
        if target.path in asked:
            break
        asked.add(target.path)
    raise RegistryError(f"the referrers in {repository} do not end", code="LIMIT_PAGES", expected=f"{MAX_PAGES} pages")


def _next_page(api: RegistryApi, repository: Repository, answer: Answer) -> Target | None:
    match = _NEXT.search(answer.header("Link"))
    if match is None:
        return None
    named = api.transport(repository).named
    target = parse_derived(match.group(1), answer.request.target, named, api.options)
    if target.origin != named:
        raise RegistryError(
            "a listing goes on at another host", code="LIMIT_PAGES", expected=str(named), seen=str(target.origin)
        )
    return target


def _from_tag(api: RegistryApi, repository: Repository, digest: Digest) -> tuple[Descriptor, ...]:
    """Give the entries of the fallback index; something else under its tag lists nothing."""
    try:
        fetched = fetch_manifest(api, repository, fallback_tag(digest))
    except RegistryError as error:
        if error.code == "REG_NOT_FOUND":
            return ()
        raise
    return parse_listing(fetched.content).manifests if fetched.media_type == OCI_INDEX else ()
