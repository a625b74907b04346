"""Options from a configuration file: below flags and environment, above defaults.

A file that `--config` names may set every option. A `.gate.yaml` that is found upward from the working directory may
belong to the author of the image that is judged, so it sets presentation and places only: no policy, no key, nothing that
decides. Places that are read (`cache-dir`, `db-dir`, `tools-dir`, `record`) must lie outside its folder, because planted
scan results, databases, programs with their pins, or verdicts would decide; reports must stay inside it, because a checkout
must not overwrite files elsewhere.

Specification: DESIGN, section 3, "Flags"; attack P01.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gate.cli.session import Session
from gate.cli.types import Placed, split_output
from gate.codec.yaml_document import parse_yaml
from gate.disk.named import read_named
from gate.errors import PolicyError
from gate.settings.registries import read_registries

if TYPE_CHECKING:
    from gate.codec.yaml_node import Fields, Node

MAX_FILE_BYTES: Final = 64 * 1024
# What is read from these places decides; each must be outside the folder of a file that was only found.
READ_PLACES: Final = frozenset({"cache-dir", "db-dir", "record", "tools-dir"})
FOUND_MAY_SET: Final = frozenset({"format", "output", "timeout"}) | READ_PLACES
# The section that is no option: what the operator says of each registry.
REGISTRIES: Final = "registries"
# Every option of every command, for a file serves all of them; a test holds this against the commands.
ALL_OPTIONS: Final = FOUND_MAY_SET | frozenset(
    {
        "actor", "all", "annotation", "as", "at", "attach-to", "attestation", "authfile", "bundle", "ca-file",
        "certificate-chain", "certificate-identity", "certificate-identity-regexp", "certificate-oidc-issuer",
        "certificate-oidc-issuer-regexp", "check-updates", "checkpoint", "checkpoint-key", "client-ca", "code",
        "commit", "csv", "ct-key", "db-digest", "deadline", "debug", "decision", "diff", "digest", "dry-run", "dsse",
        "environment", "exit-code", "fail-key", "fail-on", "file-digest", "fingerprint-key", "fix", "github-api",
        "grant", "grype-db", "ignore-unfixed", "image", "images", "java-db", "key", "key-password-file", "kind",
        "kyverno", "legacy", "legacy-attestation", "limit", "listen", "log", "log-key", "match", "max-age", "max-bytes",
        "min-age", "mirror", "name", "named-at", "no-progress", "no-sct", "of-environment", "of-policy", "offline",
        "plain-http", "platform", "policy", "policy-controller", "quiet", "reissue", "repository", "require-timestamp",
        "requirement", "root", "rules", "save", "severity", "sign-key", "signature-key", "signing-config", "since",
        "template", "tiles", "timestamp", "timestamp-chain", "timestamps", "tls-cert", "tls-key", "trivy-db",
        "trust-digest", "trusted-root", "tuf-url", "unpin", "unsigned-verdict", "until", "update", "valid-from",
        "valid-until", "verifier-id", "verify", "verify-attestation", "verify-fail-key", "verify-key", "vex", "waiver",
    }
)  # fmt: skip


def apply_config(context: click.Context, path: Path, *, found: bool) -> tuple[str, ...]:
    """Lay the options of a file below those of the command, and give their names.

    `found` says that nobody named the file, so that it may set presentation and places only.

    Raises:
        PolicyError: `POL_MALFORMED`, `POL_UNKNOWN_KEY`, `POL_DUPLICATE_KEY`; `POL_UNTRUSTED` for a found file that sets
            what it must not. UsageError: it cannot be read.
    """
    fields = _read(path)
    if found:
        _expect_harmless(path, fields)
    session = context.find_root().obj
    if REGISTRIES in fields and isinstance(session, Session):
        session.registries = read_registries(fields.values[REGISTRIES], path.absolute().parent)
    context.default_map = {**(context.default_map or {}), **_defaults(context.command, fields, path.absolute().parent)}
    return tuple(fields.values)


def _read(path: Path) -> Fields:
    root = parse_yaml(_content(path), name=str(path))
    if root is None:
        raise PolicyError(f"{path}:1:1: the configuration is empty", expected="options with values")
    return root.fields(sorted({*ALL_OPTIONS, REGISTRIES}))


def _content(path: Path) -> bytes:
    return read_named(path, f"the configuration file {path}", limit_bytes=MAX_FILE_BYTES)


def _expect_harmless(path: Path, fields: Fields) -> None:
    folder = path.absolute().parent
    for key, node in fields.values.items():
        if key not in FOUND_MAY_SET:
            raise _untrusted(node, "may not be set by a file that was only found", ", ".join(sorted(FOUND_MAY_SET)))
        for text in _texts(node):
            if key in READ_PLACES and ("://" in text or _is_inside(folder, text)):
                raise _untrusted(node, "may not be where the writer of this file could fill it", f"outside {folder}")
            if key == "output" and not _is_inside(folder, split_output(text)[1]):
                raise _untrusted(node, "may not lead out of this file's folder", f"a file in {folder}")


def _is_inside(folder: Path, text: str) -> bool:
    return (folder / text).resolve().is_relative_to(folder.resolve())


def _untrusted(node: Node, message: str, expected: str) -> PolicyError:
    return node.refuse(message, code="POL_UNTRUSTED", expected=expected)


def _defaults(command: click.Command, fields: Fields, folder: Path) -> dict[str, object]:
    """Return parameter name -> value for the options that this command has."""
    options = {
        name: option for option in command.params if isinstance(option, click.Option) for name in names_of(option)
    }
    known = {key: node for key, node in fields.values.items() if key in options}
    return {str(options[key].name): _value(options[key], node, folder) for key, node in known.items()}


def names_of(option: click.Option) -> tuple[str, ...]:
    """Return an option's names in a file: that of its variable, so that one name has one meaning for all commands."""
    if isinstance(option.envvar, str):
        return (option.envvar.removeprefix("GATE_").lower().replace("_", "-"),)
    return tuple(name.removeprefix("--") for name in option.opts if name.startswith("--"))


def _value(option: click.Option, node: Node, folder: Path) -> object:
    if option.is_flag:
        return node.boolean()
    texts = _texts(node)
    if isinstance(option.type, Placed):
        texts = [option.type.relative_to(folder, text) for text in texts]
    if option.multiple:
        return texts
    if len(texts) != 1:
        raise node.refuse("takes one value", expected="one value", seen=f"{len(texts)} values")
    return texts[0]


def _texts(node: Node) -> list[str]:
    items = node.items() if node.kind == "sequence" else (node,)
    wrong = next((item for item in items if item.kind != "scalar" or item.is_nothing), None)
    if wrong is not None:
        raise wrong.refuse("has a wrong value", expected="a text or a list of texts")
    return [str(item.plain()) for item in items]
