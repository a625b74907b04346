"""Secrets that are public, and so are none: test vectors and sample keys, each named by a digest and with its reason.

Never by path alone (attack X03): the list names the bytes of a value or of a whole file. A private key counts by its body, so
that its line breaks do not matter. Specification: checks reference, section 8.6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.yaml_document import parse_yaml
from gate.codec.yaml_node import Node
from gate.errors import PolicyError, UsageError
from gate.model.digest import Digest

if TYPE_CHECKING:
    from gate.secrets.hit import Hit

KIND: Final = "KnownSecrets"
ENTRY_KEYS: Final = ("value", "file", "package", "reason")
_MAX_ENTRIES: Final = 20_000
# A shorter value can be somebody's password besides: in the file of a manual it is public, in a configuration it is not.
MIN_VALUE_BYTES: Final = 20
_SAMPLE_PARTS: Final = 4
_ARMOUR = re.compile(rb"-----[A-Z0-9 ]{0,60}-----|\\[nr]|[^A-Za-z0-9+/=]")


@dataclass(frozen=True, slots=True)
class KnownSecrets:
    """Digests of values and of whole files."""

    values: frozenset[Digest] = frozenset()
    files: frozenset[Digest] = frozenset()

    @property
    def digest(self) -> Digest:
        """Return the digest of the list, whatever its order."""
        return Digest.of("\n".join(sorted(map(str, (*self.values, "", *self.files)))).encode())

    def holds(self, hit: Hit) -> bool:
        """Say whether what was found is public: its file as a whole, or a value that nobody comes to by himself."""
        is_long = bool(self.values) and len(hit.value) >= MIN_VALUE_BYTES
        return hit.file_digest in self.files or (is_long and value_digest(hit.value) in self.values)


def parse_samples(data: bytes, *, name: str) -> frozenset[Digest]:
    """Read a harvest (`tools/known_samples.py`): of each value the digest in hex, the day, and the package that ships it.

    As lines, because thousands of entries in YAML would take longer to read than an image to search.

    Raises:
        PolicyError: `POL_MALFORMED`.
    """
    values = []
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        parts = line.split(" ", 3)
        try:
            if len(parts) != _SAMPLE_PARTS:
                raise UsageError("a sample has no source")
            values.append(Digest(f"sha256:{parts[0]}"))
        except UsageError as error:
            expected = "SHA256 DAY REGISTRY PACKAGE"
            raise PolicyError(
                f"{name}:{number} is no sample", code="POL_MALFORMED", expected=expected, seen=ascii(line[:80])
            ) from error
    return frozenset(values)


def value_digest(value: bytes) -> Digest:
    """Return the digest under which a value is listed: of a PEM block its letters alone, of anything else all of it."""
    return Digest.of(_ARMOUR.sub(b"", value) if value.startswith(b"-----BEGIN") else value)


def parse_known(data: bytes, *, name: str) -> KnownSecrets:
    """Read the list.

    Raises:
        PolicyError: `POL_MALFORMED`, `POL_UNKNOWN_KEY`, `POL_DUPLICATE_KEY`, `POL_EMPTY`.
    """
    document = parse_yaml(data, name=name)
    if document is None:
        raise PolicyError(f"{name} holds nothing", code="POL_EMPTY", expected="spec.known")
    fields = document.fields(("apiVersion", "kind", "metadata", "spec"))
    kind = fields.demand("kind", Node.text)
    if kind != KIND:
        raise document.refuse("is of another kind", expected=KIND, seen=kind)
    spec = fields.demand("spec", lambda node: node.fields(("known",)))
    entries = [_entry(node) for node in spec.demand("known", lambda node: node.items(most=_MAX_ENTRIES))]
    return KnownSecrets(
        frozenset(digest for key, digest in entries if key == "value"),
        frozenset(digest for key, digest in entries if key == "file"),
    )


def _entry(node: Node) -> tuple[str, Digest]:
    fields = node.fields(ENTRY_KEYS)
    fields.demand("reason", Node.text)
    fields.demand("package", Node.text)
    key = fields.one_of("value", "file") if "value" in fields or "file" in fields else "value"
    return key, fields.demand(key, _digest)


def _digest(node: Node) -> Digest:
    text = node.text()
    try:
        return Digest(text)
    except UsageError as error:
        raise node.refuse("is not a digest", expected="sha256: and 64 lower-case hex digits", seen=text) from error
