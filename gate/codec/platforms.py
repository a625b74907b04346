"""Platforms as people and runtimes name them.

A runtime picks a child of an index after folding aliases and implied variants; so two children are the same choice when
they are equal after the same folding, whatever they are written as (attack D09).

Specification: containerd `platforms/database.go` (aliases, implied variants); OCI image-spec, image index, `platform`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from gate.errors import UsageError
from gate.model.image import Platform

_ARCHITECTURES: Final = MappingProxyType(
    {
        "x86_64": ("amd64", ""), "x86-64": ("amd64", ""), "i386": ("386", ""), "i486": ("386", ""),
        "i586": ("386", ""), "i686": ("386", ""), "aarch64": ("arm64", ""), "armhf": ("arm", "v7"),
        "armel": ("arm", "v6"),
    }
)  # fmt: skip
_SYSTEMS: Final = MappingProxyType({"macos": "darwin"})
_IMPLIED: Final = frozenset({("amd64", "v1"), ("arm64", "8"), ("arm64", "v8")})
# What a request that names no variant has after folding: nothing, or what `arm` implies.
_ANY_VARIANT: Final = frozenset({"", "v7"})
_REQUEST: Final = re.compile(r"[a-z0-9]+/[a-z0-9_-]+(?:/[a-z0-9.]+)?", re.ASCII)


def parse_platform(text: str) -> Platform:
    """Parse what a user asks for, such as `linux/arm64` or `linux/arm/v7`; aliases are folded.

    Raises:
        UsageError: `USAGE`, for any other text.
    """
    if not _REQUEST.fullmatch(text):
        raise UsageError("not a platform", expected="os/architecture[/variant]", seen=ascii(text[:80]))
    system, architecture, variant = (*text.split("/"), "")[:3]
    return normal_platform(Platform(system, architecture, variant))


def normal_platform(platform: Platform) -> Platform:
    """Fold aliases and implied variants, as a runtime does before it compares."""
    system = platform.os.lower()
    architecture, implied = _ARCHITECTURES.get(platform.architecture.lower(), (platform.architecture.lower(), ""))
    variant = platform.variant.lower() or implied
    if architecture == "arm":
        variant = f"v{variant}" if variant.isdigit() else variant or "v7"
    if (architecture, variant) in _IMPLIED:
        variant = ""
    return replace(
        platform,
        os=_SYSTEMS.get(system, system),
        architecture=architecture,
        variant=variant,
        os_features=tuple(sorted(platform.os_features)),
    )


def may_serve(asked: Platform, offered: Platform) -> bool:
    """Return whether some runtime of the platform asked for could pick this child.

    Wider than `same_platform`: a request without a variant takes every variant of its architecture, because a runtime that
    detects its processor picks `amd64/v2` or `arm/v6` where it is there. What is judged too much harms nobody.
    """
    left, right = normal_platform(asked), normal_platform(offered)
    return (
        (left.os, left.architecture) == (right.os, right.architecture)
        and (asked.variant in _ANY_VARIANT or left.variant == right.variant)
        and left.os_version in {"", right.os_version}
        and set(left.os_features) <= set(right.os_features)
    )


def same_platform(asked: Platform, offered: Platform) -> bool:
    """Say whether a child serves a request: equal after folding.

    A request without a variant takes only the implied one; `os.version` and `os.features` are compared only where the
    request names them.
    """
    left, right = normal_platform(asked), normal_platform(offered)
    return (
        (left.os, left.architecture, left.variant) == (right.os, right.architecture, right.variant)
        and left.os_version in {"", right.os_version}
        and set(left.os_features) <= set(right.os_features)
    )
