"""Package keys from package URLs: the identity on which packages of two tools are joined.

Both scanners name the same package with different text (case, epoch, distribution, encoding). A key is that name after
the normalisation of the checks reference, section 5.3. It holds no distribution: one image has one, and the tools spell
it differently (`alma`, `almalinux`). Refuses text that is no purl, and never asks the network what a package is.
Specification: the purl specification (PURL-SPECIFICATION, PURL-TYPES); PEP 503 for Python names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from packageurl import PackageURL

from gate.errors import ScannerError
from gate.model.finding import PackageKey

# Longest in a report of either scanner was under 400 characters; a Go module path alone may have 255 and more.
MAX_PURL_CHARACTERS: Final = 4096

DISTRIBUTION_TYPES: Final = frozenset({"deb", "rpm", "apk", "alpm"})
# Types whose versions can be compared (`gate.findings.versions`; a test holds the two against each other).
COMPARED_TYPES: Final = frozenset(
    {*DISTRIBUTION_TYPES, "cargo", "composer", "gem", "golang", "maven", "npm", "nuget", "pypi"}
)
# The types of the purl specification (PURL-TYPES, reviewed 2026-12-01), and those that scanners write besides.
KNOWN_TYPES: Final = COMPARED_TYPES | {
    "bazel", "bitbucket", "bitnami", "clojars", "cocoapods", "conan", "conda", "cpan", "cran", "dart", "docker", "dotnet", "elm",
    "generic", "github", "githubactions", "hackage", "hex", "huggingface", "julia", "kernel", "lua", "luarocks", "mlflow", "nix",
    "oci", "opam", "otp", "portage", "pub", "qpkg", "sid", "snap", "swid", "swift", "terraform", "vscode-extension",
    "wordpress-plugin", "yocto",
}  # fmt: skip
# Where a tool gives no purl, the name may hold its namespace: the text before the last separator.
_JOINED_NAMES: Final[Mapping[str, str]] = MappingProxyType({"golang": "/", "npm": "/", "composer": "/", "maven": ":"})

_EPOCH = re.compile(r"(\d{1,10}):(.+)", re.ASCII | re.DOTALL)
_PEP_503_RUN = re.compile(r"[-_.]+")


def package_key(purl: str, *, path: str = "") -> PackageKey:
    """Return the key of a purl as a scanner printed it (untrusted), found at `path` in the image.

    Raises:
        ScannerError: `SCAN_FAILED`, the text is not a purl.
    """
    if len(purl) > MAX_PURL_CHARACTERS:
        raise ScannerError(
            "a purl is too long", seen=f"{len(purl)} characters", expected=f"at most {MAX_PURL_CHARACTERS}"
        )
    try:
        parsed = PackageURL.from_string(purl, normalize_purl=True)
    except ValueError as error:
        raise ScannerError("a package's purl cannot be read", expected="pkg:type/namespace/name@version") from error
    qualifiers = parsed.qualifiers
    return key_of(
        parsed.type,
        parsed.namespace or "",
        parsed.name,
        _with_epoch(parsed.version or "", qualifiers.get("epoch", "")),
        qualifiers.get("arch", ""),
        path,
    )


_NO_ARCHITECTURE: Final = frozenset({"None", "(none)"})


def key_of(type_: str, namespace: str, name: str, version: str, arch: str = "", path: str = "") -> PackageKey:
    """Return the key of a package from its parts, for reports that have no purl and for the gate's own reading.

    `version` may carry an epoch (`1:2.0`). `arch` is kept for distributions only, `path` for languages only, without a
    leading slash. A name that holds its namespace (`@scope/pkg`, `group:artifact`) is taken apart.
    """
    kind = type_.lower()
    if kind in DISTRIBUTION_TYPES:
        # A signing key that rpm has imported is an entry without architecture, for which Trivy writes `None`.
        arch = "" if kind == "rpm" and arch in _NO_ARCHITECTURE else arch
        return PackageKey(kind, "", name.lower() if kind != "rpm" else name, _without_zero_epoch(version), arch=arch)
    group, artifact = _split_name(kind, namespace, name)
    spell = _NAMES.get(kind, _as_is)
    return PackageKey(kind, group.lower(), spell(artifact), _VERSIONS.get(kind, _as_is)(version), path=_relative(path))


def _split_name(kind: str, namespace: str, name: str) -> tuple[str, str]:
    separator = _JOINED_NAMES.get(kind)
    if namespace or separator is None or separator not in name:
        return namespace, name
    head, _, tail = name.rpartition(separator)
    return (head, tail) if head and tail else (namespace, name)


def _with_epoch(version: str, epoch: str) -> str:
    return version if not epoch or _EPOCH.fullmatch(version) else f"{epoch}:{version}"


def _without_zero_epoch(version: str) -> str:
    found = _EPOCH.fullmatch(version)
    if not found:
        return version
    epoch = int(found[1])
    return f"{epoch}:{found[2]}" if epoch else found[2]


def _relative(path: str) -> str:
    return path.removeprefix("./").lstrip("/")


def _as_is(text: str) -> str:
    return text


def _pep_503(name: str) -> str:
    return _PEP_503_RUN.sub("-", name).lower()


def _crate(name: str) -> str:
    return name.replace("_", "-")


def _go_version(version: str) -> str:
    # Modules are `v1.2.3`, the standard library `go1.26.8` in build information and `1.26.8` in Grype's purl.
    for prefix in ("go", "v"):
        if version.startswith(prefix) and version[len(prefix) : len(prefix) + 1].isdigit():
            return version.removeprefix(prefix)
    return version


def _without_v(version: str) -> str:
    return version[1:] if re.match(r"[vV]\d", version) else version


_NAMES: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "pypi": _pep_503,
        "npm": str.lower,
        "golang": str.lower,
        "composer": str.lower,
        "nuget": str.lower,
        "cargo": _crate,
    }
)
_VERSIONS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType({"golang": _go_version, "composer": _without_v})
