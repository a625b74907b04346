"""`registries:` of a configuration file that was named: what the operator says of each registry, by its host.

The operator's half of what is refused for safety (DESIGN, rule 15): a token service or a blob store at another or a private
host, mirrors, a registry without TLS or with an authority of its own, a client certificate, another repository for attestations.
Each setting holds for this registry alone. A file that was only found may not have the section: it may belong to the
author of the image.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gate.codec.policy.patterns import read_repository
from gate.registry.options import HostSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gate.codec.yaml_node import Node

KEYS: Final = ("mirrors", "tokenHosts", "blobHosts", "plainHttp", "caFile", "clientCertificate", "attestationsIn")
_HOST: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_MIRROR: Final = re.compile(rf"{_HOST.pattern}(?:/[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)?", re.ASCII)
_MIRROR_FORM: Final = (
    "a host in lower case, with its port and a path below which its repositories lie where there are such"
)
_HOST_FORM: Final = "a host in lower case, with its port where it is not the usual one"


def read_registries(node: Node, folder: Path) -> Mapping[str, HostSettings]:
    """Read the section; relative paths are relative to the file's own folder.

    Raises:
        PolicyError: `POL_MALFORMED`, `POL_UNKNOWN_KEY`.
    """
    settings = {}
    for entry in node.entries():
        if not _HOST.fullmatch(entry.key):
            raise entry.node.refuse("is not of a registry's host", expected=_HOST_FORM, seen=entry.key)
        settings[entry.key] = _host_settings(entry.node, folder)
    return settings


def _host_settings(node: Node, folder: Path) -> HostSettings:
    fields = node.fields(KEYS)
    return HostSettings(
        mirrors=fields.get("mirrors", _mirrors, ()),
        token_hosts=fields.get("tokenHosts", _hosts, frozenset[str]()),
        blob_hosts=fields.get("blobHosts", _hosts, frozenset[str]()),
        plain_http=fields.get("plainHttp", lambda value: value.boolean(), default=False),
        ca_file=fields.get("caFile", lambda value: folder / value.text(), None),
        client_certificate=fields.get("clientCertificate", lambda value: folder / value.text(), None),
        attestations_in=fields.get("attestationsIn", read_repository, None),
    )


def _mirrors(node: Node) -> tuple[str, ...]:
    return tuple(item.matching(_MIRROR, _MIRROR_FORM) for item in node.items())


def _hosts(node: Node) -> frozenset[str]:
    return frozenset(item.matching(_HOST, _HOST_FORM) for item in node.items())
