"""Key URIs of hardware modules: `pkcs11:token=...;object=...?module-path=...&pin-source=...`.

Refuses what names no single module, token and key, what repeats an attribute or has one that is not known, and a PIN in the
URI itself: command lines are seen by every user of a machine and stand in the logs of CI.

Specification: RFC 7512, sections 2.3 and 2.4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from gate.errors import KeyFileError
from gate.signers.service_key import malformed_uri

_MAX_URI_CHARACTERS: Final = 4096
# pk11-pchar of RFC 7512; a percent sign only with two digits behind it.
_VALUE: Final = re.compile(r"(?:[A-Za-z0-9_.~:\[\]@!$'()*+,=&/?-]|%[0-9A-Fa-f]{2})*")
_PATH_ATTRIBUTES: Final = frozenset(
    {"token", "manufacturer", "serial", "model", "object", "type", "id", "slot-id",
     "library-manufacturer", "library-description", "library-version", "slot-description", "slot-manufacturer"}
)  # fmt: skip
_QUERY_ATTRIBUTES: Final = frozenset({"module-path", "module-name", "pin-source", "pin-value"})
# What the gate can look for. The others narrow a choice too; ignoring one could pick another key than was named.
_USED: Final = frozenset({"token", "serial", "object", "id", "type", "module-path", "pin-source"})
_FORM: Final = "pkcs11:token=TOKEN;object=KEY?module-path=/path/of/the/module.so"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pkcs11Name:
    """A key in a token: text and bytes are empty where the URI does not say them; `pin_file` is None: the PIN is asked for."""

    module: Path
    token: str
    serial: bytes
    label: str
    key_id: bytes
    pin_file: Path | None


def parse_pkcs11_uri(uri: str) -> Pkcs11Name:
    """Read a `pkcs11:` URI; raises KeyFileError `KEY_URI`."""
    if len(uri) > _MAX_URI_CHARACTERS or not uri.startswith("pkcs11:"):
        raise _refused(f"at most {_MAX_URI_CHARACTERS} characters")
    path, _, query = uri.removeprefix("pkcs11:").partition("?")
    found = _attributes(path, ";", _PATH_ATTRIBUTES) | _attributes(query, "&", _QUERY_ATTRIBUTES)
    _expect_usable(found)
    return Pkcs11Name(
        module=_absolute(found.get("module-path", b""), "module-path"),
        token=_text(found, "token"),
        serial=found.get("serial", b""),
        label=_text(found, "object"),
        key_id=found.get("id", b""),
        pin_file=_pin_file(found["pin-source"]) if "pin-source" in found else None,
    )


def _attributes(text: str, separator: str, known: frozenset[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in text.split(separator) if text else ():
        name, equals, value = part.partition("=")
        if not equals or name not in known or name in found:
            raise _refused(f"each of {', '.join(sorted(known & _USED))} at most once, and no others", name)
        if name == "pin-value":
            raise KeyFileError(
                "a PIN in a key URI is seen by every user of the machine",
                code="KEY_URI",
                expected="pin-source=file:/path, or the PIN in GATE_KEY_PASSWORD",
                next_step="Change the PIN if this command line was logged.",
            )
        if _VALUE.fullmatch(value) is None:
            raise _refused("percent-encoded values", f"the value of {name}")
        found[name] = unquote_to_bytes(value)
    return found


def _expect_usable(found: Mapping[str, bytes]) -> None:
    unused = sorted(set(found) - _USED)
    if unused:
        raise _refused(f"no attributes but {', '.join(sorted(_USED))}", ", ".join(unused))
    if found.get("type", b"private") != b"private":
        raise _refused("type=private, or no type")
    if not (found.get("token") or found.get("serial")):
        raise _refused("token=LABEL or serial=NUMBER")
    if not (found.get("object") or found.get("id")):
        raise _refused("object=LABEL or id=%01")


def _text(found: Mapping[str, bytes], name: str) -> str:
    try:
        return found.get(name, b"").decode()
    except UnicodeDecodeError as error:
        raise _refused(f"{name} in UTF-8") from error


def _pin_file(value: bytes) -> Path:
    """Return the file of a `pin-source`, which is a path or a `file:` URI; programs (`|...`) are not started."""
    text = value.removeprefix(b"file:").removeprefix(b"//") if value.startswith(b"file:///") else value
    text = text.removeprefix(b"file:")
    return _absolute(b"" if text.startswith(b"//") else text, "pin-source")


def _absolute(value: bytes, name: str) -> Path:
    """Return an absolute path: what a relative one names depends on a directory that others may fill."""
    if not value.startswith(b"/") or b"\0" in value:
        raise _refused(f"{name} with an absolute path")
    return Path(value.decode("utf-8", "surrogateescape"))


def _refused(expected: str, seen: str = "") -> KeyFileError:
    return malformed_uri("pkcs11", f"{expected}; as in {_FORM}", seen)
