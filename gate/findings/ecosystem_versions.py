"""Whether a text is a version in its ecosystem, so that the scanners compare it and do not silently find nothing.

Trivy takes a version that it cannot parse for not vulnerable, and Grype one whose comparison fails; both do so without a word
in their reports. Sources: PEP 440 (appendix B); SemVer 2.0.0 as node-semver reads it; RubyGems `Gem::Version`; Go modules.
For Maven, Cargo, Composer and NuGet any text is compared, and only `unknown` is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_PEP_440: Final = re.compile(
    r"v?(?:\d+!)?\d+(?:\.\d+)*(?:[-_.]?(?:a|b|c|rc|alpha|beta|pre|preview)[-_.]?\d*)?"
    r"(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?(?:[-_.]?dev[-_.]?\d*)?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?",
    re.IGNORECASE | re.ASCII,
)
_SEMVER: Final = re.compile(
    r"\d+\.\d+\.\d+(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?", re.ASCII
)
_GEM: Final = re.compile(r"[0-9]+(?:\.[0-9a-zA-Z]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?", re.ASCII)
_GO: Final = re.compile(r"v?\d+(?:\.\d+)*(?:[-+.]?[0-9A-Za-z.+-]+)?", re.ASCII)
_FORMS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {"pypi": _PEP_440, "npm": _SEMVER, "gem": _GEM, "golang": _GO}
)


def is_version(kind: str, text: str) -> bool:
    """Return whether both scanners can compare this text as a version of a package of this purl type."""
    if not text or text.strip().lower() == "unknown":
        return False
    form = _FORMS.get(kind)
    return form is None or form.fullmatch(text) is not None
