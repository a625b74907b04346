"""Addresses of source repositories, brought into one form: `git+https://host/path`, with the ref apart.

Builders write the same repository in many ways (`https://github.com/o/r`, `git+https://github.com/o/r.git@refs/heads/main`,
`https://github.com/o/r.git#refs/heads/main:dir`, `git@github.com:o/r.git`). Refuses a password or user name, `%`, `..`
and empty parts, because two readers would see two repositories (attack A19). Nothing is ever fetched from them.

Specification: SPDX download locations (`git+...@ref`); BuildKit's git context (`#ref:subdir`); formats reference, section 13.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gate.model.provenance import Source

if TYPE_CHECKING:
    from gate.codec.strict_json import ObjectView

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?|ssh|git)://(?:git@)?(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?)"
    r"(?P<path>(?:/[A-Za-z0-9._~+-]+)+)",
    re.ASCII,
)
_SCP: Final = re.compile(
    r"git@(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?):(?P<path>[A-Za-z0-9._~+/-]+)", re.ASCII
)
_DIGESTS: Final = ("gitCommit", "sha1")


def read_source(view: ObjectView, key: str, *, ref: str = "", commit: str = "") -> Source:
    """Read the address in a field, and the commit from the `digest` beside it where none is given.

    Raises:
        AttestationError: `ATT_MALFORMED`, an address that two readers could read in two ways, or a digest that is no commit.
    """
    text = view.text(key)
    address, written = split_ref(text)
    normal = normal_source(address)
    if not normal:
        raise view.refuse(key, "is no address of a repository", expected="as git+https://host/path@ref", seen=text)
    given = commit or _commit(view)
    if given and not _COMMIT.fullmatch(given):
        raise view.refuse("digest", "is no commit", expected="40 or 64 lower-case hex digits", seen=given)
    # A ref that is a commit says which commit, and no branch.
    named = ref or written
    is_commit = _COMMIT.fullmatch(named) is not None
    return Source(uri=normal, ref="" if is_commit else named, commit=given or (named if is_commit else ""))


def _commit(view: ObjectView) -> str:
    digests = view.optional_text_map("digest")
    return next((digests[name] for name in _DIGESTS if name in digests), "")


def split_ref(text: str) -> tuple[str, str]:
    """Return the address and the ref that is written behind it: `@ref` (SPDX) or `#ref:subdir` (BuildKit)."""
    address, hash_sign, fragment = text.partition("#")
    if hash_sign:
        return address, fragment.partition(":")[0]
    # An `@` before the path is a user name; that of a ref stands in or after the path.
    scheme, separator, rest = text.partition("://")
    host, slash, path = rest.partition("/") if separator else ("", "", "")
    if not slash:
        return text, ""
    path, _, ref = path.partition("@")
    return f"{scheme}{separator}{host}{slash}{path}", ref


def normal_source(address: str) -> str:
    """Return the address without ref in normal form, or "" where it is none: scheme https for http, host in lower case."""
    bare = address.removeprefix("git+").removesuffix("/")
    match = _ADDRESS.fullmatch(bare) or _SCP.fullmatch(bare)
    if match is None:
        return ""
    scheme = match.groupdict().get("scheme") or "ssh"
    path = match["path"].strip("/").removesuffix(".git")
    if any(part in {"", ".", ".."} for part in path.split("/")):
        return ""
    return f"git+{'https' if scheme == 'http' else scheme}://{match['host'].lower()}/{path}"
