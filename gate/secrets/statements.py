"""Statements that hang on an image, as text to search: in-toto statements, and the envelopes and bundles around them.

BuildKit's provenance holds the build arguments and, in its `max` mode, every command with its environment (attack X02). In such
a document a value is assigned by its key (`"build-arg:NPM_TOKEN": "..."`) or within a text (`"env": ["NPM_TOKEN=..."]`).
Specification: in-toto Statement v1; SLSA provenance v0.2, v1; moby/buildkit `docs/attestations`; checks reference, section 8.4.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.secrets.encoded import decoded

if TYPE_CHECKING:
    from gate.model.digest import Digest

# BuildKit's provenance of a large build has some hundred KiB; what is parsed takes ten times its size.
MAX_PARSED_BYTES: Final = 4 * 1024 * 1024
_MAX_DEPTH: Final = 60
_PROVENANCE: Final = "slsa.dev/provenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedStatement:
    """Untrusted bytes that hang on an image: in which manifest, under which digest, `size` in bytes.

    `open` gives them as they come; they are hashed on the way. `predicate_type` is what the manifest says of them.
    """

    manifest: Digest
    digest: Digest
    size: int
    open: Callable[[], Iterable[bytes]]
    predicate_type: str = ""

    @property
    def is_unparsed_provenance(self) -> bool:
        """Say whether it calls itself provenance and is too large to be read as more than text."""
        return _PROVENANCE in self.predicate_type and self.size > MAX_PARSED_BYTES


def payload_of(content: bytes) -> bytes | None:
    """Return what a DSSE envelope or a Sigstore bundle holds; None where it is neither."""
    document = _parsed(content)
    envelope = document.get("dsseEnvelope", document) if isinstance(document, dict) else None
    payload = envelope.get("payload") if isinstance(envelope, dict) else None
    return decoded(payload) if isinstance(payload, str) else None


def build_texts(content: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield key path, key and text of each string in a provenance statement; nothing for any other document."""
    document = _parsed(content)
    if not isinstance(document, dict) or _PROVENANCE not in str(document.get("predicateType", "")):
        return
    stack: list[tuple[str, str, object, int]] = [("", "", document, 0)]
    while stack:
        path, name, node, depth = stack.pop()
        if isinstance(node, str):
            yield path.lstrip("."), name, node
        elif depth < _MAX_DEPTH and isinstance(node, dict):
            stack += [(f"{path}.{key}", key, item, depth + 1) for key, item in reversed(node.items())]
        elif depth < _MAX_DEPTH and isinstance(node, list):
            stack += [(f"{path}[{number}]", "", item, depth + 1) for number, item in reversed([*enumerate(node)])]


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content) if len(content) <= MAX_PARSED_BYTES else None
    except (ValueError, RecursionError):
        return None
