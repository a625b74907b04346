"""References: text that names an image, parsed once into types that cannot be wrong.

Grammar: distribution/reference as restated in the formats reference, section 1, narrowed where the wider form only helps an
attacker (no zone in IPv6, no trailing dot, ASCII only). What cannot be parsed is `REF_MALFORMED`, a wrong digest is
`REF_DIGEST`; both are usage errors. A tag alone parses: whether it is acceptable is the business of the `reference` check.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from gate.errors import UsageError
from gate.model.digest import Digest

MAX_REFERENCE_BYTES = 1024
MAX_REPOSITORY_BYTES = 255
DOCKER_HUB = "docker.io"
_HUB_ALIASES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?", re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_IMAGE_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PORT_AND_PATH = re.compile(r"[0-9]{1,5}/[^/]", re.ASCII)
_REGISTRY_FORM = "registry/repository@sha256:... without a scheme"
_LAYOUT_FORM = "oci:DIR or oci:DIR:TAG, an OCI image layout in a directory"
_ARCHIVE_FORM = "archive:FILE, from `docker save` or an OCI archive"
_SAVED_FORM = "an image in a registry, or archive:FILE after `docker save` or `podman save`"
_SEARCH_FORM = "an image; `gate secrets scan PATH` searches a directory or a file"
_SBOM_FORM = "an image: a bill of materials alone proves nothing of its files"
_FOREIGN_SCHEMES = {
    "http": _REGISTRY_FORM, "https": _REGISTRY_FORM, "registry": _REGISTRY_FORM, "remote": _REGISTRY_FORM,
    "oci-dir": _LAYOUT_FORM,
    "docker-archive": _ARCHIVE_FORM, "oci-archive": _ARCHIVE_FORM, "tar": _ARCHIVE_FORM, "tarball": _ARCHIVE_FORM,
    "containerd": _SAVED_FORM, "containers-storage": _SAVED_FORM, "docker": _SAVED_FORM, "docker-daemon": _SAVED_FORM,
    "podman": _SAVED_FORM, "singularity": _SAVED_FORM,
    "dir": _SEARCH_FORM, "file": _SEARCH_FORM, "fs": _SEARCH_FORM,
    "purl": _SBOM_FORM, "pkg": _SBOM_FORM, "sbom": _SBOM_FORM,
}  # fmt: skip
# Official images of Docker Hub have these names, so that a tag may follow.
_IMAGES_TOO = frozenset({"docker", "registry"})
_FORBIDDEN = re.compile(r"[^!-~]|[%\\?#]")


def _malformed(text: str, expected: str) -> UsageError:
    return UsageError("not an image reference", code="REF_MALFORMED", expected=expected, seen=ascii(text[:120]))


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """`host/path`, normalised: host in lower case, `:443` dropped, Docker Hub as `docker.io`."""

    host: str
    path: str

    def __post_init__(self) -> None:
        """Refuse what the grammar does not allow."""
        if self.host != _normal_host(self.host) or not _PATH.fullmatch(self.path):
            raise _malformed(str(self), "a normalised host and a lower-case path")
        if len(str(self)) > MAX_REPOSITORY_BYTES or _IMAGE_ID.fullmatch(self.path):
            raise _malformed(str(self), f"host and path of at most {MAX_REPOSITORY_BYTES} bytes, not an image id")

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"

    @property
    def is_loopback(self) -> bool:
        """Say whether the host is literally this machine, so that plain HTTP is allowed."""
        name = self.host.rsplit(":", 1)[0] if not self.host.endswith("]") else self.host
        if name == "localhost":
            return True
        try:
            return ipaddress.ip_address(name.strip("[]")).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class RegistryReference:
    """An image in a registry: repository, and tag or digest or both.

    The digest decides; a tag beside it is a remark that nobody checked.
    """

    repository: Repository
    tag: str | None = None
    digest: Digest | None = None

    def __post_init__(self) -> None:
        """Refuse a tag outside the grammar."""
        if self.tag is not None and not _TAG.fullmatch(self.tag):
            raise _malformed(self.tag, "a tag of at most 128 characters [A-Za-z0-9_.-]")

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{self.repository}{tag}{digest}"


@dataclass(frozen=True, slots=True)
class LayoutReference:
    """An OCI image layout in a directory: `oci:DIR`, `oci:DIR@sha256:...`, or `oci:DIR:TAG` for the entry with this name.

    A tag is the last part after a colon, as Skopeo and umoci read it. A folder whose own name has one is named by `oci:DIR/`.
    """

    directory: str
    digest: Digest | None = None
    tag: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        return f"oci:{self.directory}{tag}" + (f"@{self.digest}" if self.digest is not None else "")


@dataclass(frozen=True, slots=True)
class ArchiveReference:
    """A docker-save or OCI archive: `archive:FILE` or `archive:FILE@sha256:...`."""

    file: str
    digest: Digest | None = None

    def __str__(self) -> str:
        return f"archive:{self.file}" + (f"@{self.digest}" if self.digest is not None else "")


Reference = RegistryReference | LayoutReference | ArchiveReference


def parse_reference(text: str) -> Reference:
    """Parse text from a command line, a policy or an admission request (untrusted).

    Raises:
        UsageError: `REF_MALFORMED`, or `REF_DIGEST` where only the digest is wrong.
    """
    if text.startswith("oci:"):
        return _layout(*_split_place(text.removeprefix("oci:")))
    if text.startswith("archive:"):
        return ArchiveReference(*_split_place(text.removeprefix("archive:")))
    _refuse_foreign_scheme(text)
    return _parse_registry(text)


def _refuse_foreign_scheme(text: str) -> None:
    """Refuse the scheme of another tool with the form that is meant; `docker:27@sha256:...` and `dir:5000/x` are images.

    Read so by Trivy, Grype, Syft, Skopeo and Podman (their manuals, 2026-06); here it would be a host or a repository.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in _FOREIGN_SCHEMES or _PORT_AND_PATH.match(rest):
        return
    tag, _, _ = rest.partition("@")
    if scheme in _IMAGES_TOO and _TAG.fullmatch(tag):
        return
    raise _malformed(text, _FOREIGN_SCHEMES[scheme])


def parse_repository(text: str) -> Repository:
    """Parse `host/path` without tag or digest; Docker Hub's short names are completed."""
    parsed = _parse_registry(text)
    if parsed.tag is not None or parsed.digest is not None:
        raise _malformed(text, "a repository without tag or digest")
    return parsed.repository


def _layout(place: str, digest: Digest | None) -> LayoutReference:
    folder, colon, tag = place.rpartition(":")
    if digest is None and colon and folder and _TAG.fullmatch(tag):
        return LayoutReference(folder, tag=tag)
    return LayoutReference(place, digest)


def _split_place(text: str) -> tuple[str, Digest | None]:
    place, separator, digest = text.rpartition("@sha256:")
    if not separator:
        place, digest = text, ""
    if not place or "\0" in place or len(place) > MAX_REFERENCE_BYTES * 4:
        raise _malformed(text, "a path after the prefix")
    return place, Digest(f"sha256:{digest}") if separator else None


def _parse_registry(text: str) -> RegistryReference:
    if not text or len(text) > MAX_REFERENCE_BYTES or text.startswith("-") or _FORBIDDEN.search(text):
        raise _malformed(text, "registry/repository@sha256:..., printable ASCII without % \\ ? #")
    name, at, digest_text = text.partition("@")
    digest = Digest(digest_text) if at else None
    head, slash, tail = name.rpartition("/")
    last, colon, tag = tail.partition(":")
    return RegistryReference(_repository(f"{head}{slash}{last}"), tag if colon else None, digest)


def _repository(name: str) -> Repository:
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    host, path = (_normal_host(first), rest) if is_host else (DOCKER_HUB, name)
    if host == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return Repository(host, path)


def _normal_host(text: str) -> str:
    name, port = _split_port(text)
    lowered = name.lower()
    if lowered in _HUB_ALIASES and port in {"", "443"}:
        return DOCKER_HUB
    if not _is_host_name(lowered):
        raise _malformed(text, "a host name, IPv4 or [IPv6] address, with an optional port")
    return f"{lowered}:{port}" if port and port != "443" else lowered


def _split_port(text: str) -> tuple[str, str]:
    name, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text, ""
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise _malformed(text, "a port from 1 to 65535")
    return name, port


def _is_host_name(name: str) -> bool:
    if name.startswith("[") and name.endswith("]"):
        try:
            return ipaddress.ip_address(name[1:-1]).version == 6 and "%" not in name
        except ValueError:
            return False
    return all(_LABEL.fullmatch(label) for label in name.split("."))
