"""What a registry says hangs on a digest: its referrers API and the fallback tag, both only hints.

Both places are asked, because a registry may have gained the API after signatures were pushed, and copying tools move only
tags (attack R08). Types in a listing are wrong in the wild: they only say what is no signature of any kind. Entries that
mean nothing are counted and stop nothing (DESIGN rule 14); a registry that says that it left something out is an error.

Specification: distribution-spec 1.1, "Listing Referrers" and "Referrers Tag Schema"; formats reference, section 3.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gate.codec.link_header import next_target
from gate.codec.oci import MAX_MANIFEST_BYTES
from gate.codec.referrer_list import (
    LIST_FAULT,
    ReferrerList,
    could_be_attached,
    filtered,
    parse_referrers,
    says_index,
)
from gate.codec.strict_json import Fault
from gate.errors import RegistryError, SignatureError
from gate.model.digest import Digest
from gate.model.image import OCI_INDEX, Descriptor
from gate.model.reference import Repository
from gate.registry.addresses import Target, parse_derived
from gate.registry.api import HTML, Call, RegistryApi
from gate.registry.faults import status_fault
from gate.registry.options import MAX_ENTRIES, MAX_LISTED, MAX_PAGES
from gate.registry.read import FetchedManifest, fetch_manifest
from gate.registry.transport import Answer

_NO_API: Final = frozenset({400, 404, 405, 406})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferrerListing:
    """What was listed; `api` is None where the registry has no such API. One digest may stand in both.

    `unread` counts entries that could not be read.
    """

    api: tuple[Descriptor, ...] | None
    fallback: tuple[Descriptor, ...] = ()
    unread: int = 0

    @property
    def union(self) -> tuple[Descriptor, ...]:
        """Return each listed manifest once, those of the API first."""
        return tuple({item.digest: item for item in (*self.fallback, *(self.api or ()))}.values())


def fallback_tag(digest: Digest) -> str:
    """Return the tag under which registries without the API keep a digest's referrers."""
    return f"sha256-{digest.hex}"


def list_referrers(api: RegistryApi, repository: Repository, digest: Digest, most: int = MAX_LISTED) -> ReferrerListing:
    """List what is attached to a digest, up to `most` that could be signatures; an empty list is an answer.

    Raises:
        SignatureError: `LIMIT_SIGNATURES` for more than are fetched.
        RegistryError: `LIMIT_PAGES`, `REG_MALFORMED` and others.
    """
    by_api, by_tag = _from_api(api, repository, digest, most), _from_tag(api, repository, digest)
    listing = ReferrerListing(
        api=by_api.entries if by_api is not None else None,
        fallback=by_tag.entries,
        unread=by_tag.unread + (by_api.unread if by_api is not None else 0),
    )
    require_listed(listing.union, str(repository), most)
    return listing


def require_listed(entries: tuple[Descriptor, ...], where: str, most: int = MAX_LISTED) -> None:
    """Refuse more entries than are fetched; those of a type that can be no signature are not counted (attack S23)."""
    require_count(sum(could_be_attached(entry.artifact_type) for entry in entries), where, most=most)


def require_count(count: int, where: str, *, most: int = MAX_LISTED) -> None:
    """Refuse more attachments of one digest than are looked at (attack S23)."""
    if count > most:
        raise SignatureError(
            f"too many attachments are attached to this digest in {where}",
            code="LIMIT_SIGNATURES",
            expected=f"at most {most}",
            seen=str(count),
        )


def _from_api(api: RegistryApi, repository: Repository, digest: Digest, most: int) -> ReferrerList | None:
    found: list[Descriptor] = []
    unread = 0
    for page in _pages(api, repository, digest):
        if page is None:
            return None
        listed = parse_referrers(page)
        found += listed.entries
        unread += listed.unread
        require_listed(tuple(found), str(repository), most)
        require_count(len(found) + unread, str(repository), most=MAX_ENTRIES)
    return ReferrerList(entries=tuple(found), unread=unread)


def _pages(api: RegistryApi, repository: Repository, digest: Digest) -> Iterator[bytes | None]:
    """Return each page of the API's answer; None if there is no API."""
    target: Target | None = None
    asked: set[str] = set()
    for _ in range(MAX_PAGES):
        call = Call(
            method="GET", repository=repository, path=f"referrers/{digest}", doing=f"listing referrers in {repository}",
            headers={"Accept": OCI_INDEX}, target=target,
        )  # fmt: skip
        answer, body = api.read(call, MAX_MANIFEST_BYTES)
        if target is None and answer.status in _NO_API:
            yield None
            return
        if answer.status != 200:
            raise status_fault(answer.status, body, answer.request.target.origin, call.doing)
        if answer.media_type.lower() == HTML:
            # A login page or a captive portal is no "no": what hangs on the digest was not said.
            raise RegistryError(f"a web page came back while {call.doing}", code="REG_MALFORMED", seen=HTML)
        if answer.header("OCI-Filters-Applied"):
            raise filtered(LIST_FAULT, answer.header("OCI-Filters-Applied"))
        yield body
        target = next_page(api, repository, answer)
        if target is None:
            return
        if target.path in asked:
            break
        asked.add(target.path)
    raise RegistryError(f"the referrers in {repository} do not end", code="LIMIT_PAGES", expected=f"{MAX_PAGES} pages")


def next_page(api: RegistryApi, repository: Repository, answer: Answer) -> Target | None:
    """Return where a listing goes on, or None at its end; raises RegistryError `LIMIT_PAGES` for another host."""
    following = next_target(answer.header("Link"))
    if following is None:
        return None
    named = api.transport(repository).named
    target = parse_derived(following, answer.request.target, named)
    if target.origin != named:
        raise RegistryError(
            "a listing goes on at another host", code="LIMIT_PAGES", expected=str(named), seen=str(target.origin)
        )
    return target


def _from_tag(api: RegistryApi, repository: Repository, digest: Digest) -> ReferrerList:
    """Return the entries of the fallback index; something else under its tag lists nothing."""
    try:
        fetched = fetch_manifest(api, repository, fallback_tag(digest))
    except RegistryError as error:
        if error.code == "REG_NOT_FOUND":
            return ReferrerList()
        raise
    return read_fallback(fetched)


def read_fallback(fetched: FetchedManifest, *, fault: Fault = LIST_FAULT) -> ReferrerList:
    """Return the entries of what stands under the fallback tag: an index by the server's word or by its own."""
    own = says_index(fetched.content)
    return parse_referrers(fetched.content, fault=fault) if own or fetched.media_type == OCI_INDEX else ReferrerList()
