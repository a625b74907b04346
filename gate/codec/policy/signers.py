"""Signers in policies and requirements: public keys, with the time in which they count, and identities.

Refuses empty lists and empty texts wherever they would read as "anybody" (attack I06), and the same key twice, which would
count one signer as two.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from functools import partial
from typing import TYPE_CHECKING

from gate.codec.keys import parse_public_key
from gate.codec.policy.identities import read_keyless
from gate.codec.policy.keys import KEY_KEYS, POLICY_KEYS, SIGNER_KEYS
from gate.codec.policy.patterns import distinct, read_count, read_glob
from gate.codec.yaml_node import MAX_TEXT_BYTES
from gate.errors import KeyFileError
from gate.model.policy_signers import KeylessSigner, KeySigner, SignatureRule
from gate.model.signer import RsaScheme
from gate.model.string_map import StringMap
from gate.model.trust import PUBLIC

if TYPE_CHECKING:
    from gate.codec.policy.files import FileReader
    from gate.codec.yaml_node import Fields, Node
    from gate.model.glob import Glob
    from gate.model.policy_signers import Signer
    from gate.model.signer import PublicKey

_EMPTY = "POL_EMPTY_IDENTITY"


def read_signature_rules(node: Node, files: FileReader) -> tuple[SignatureRule, ...]:
    """Read `spec.signature`: a list that is not empty."""
    return tuple(_signature_rule(item, files) for item in node.items(empty_code=_EMPTY))


def _signature_rule(node: Node, files: FileReader) -> SignatureRule:
    fields = node.fields(POLICY_KEYS["spec.signature[]"])
    return read_signers(fields, fields.demand("images", read_glob), files)


def read_signers(fields: Fields, images: Glob, files: FileReader) -> SignatureRule:
    """Read `anyOf` or `allOf`, `annotations`, `log` and `timestamps` of a mapping."""
    which = fields.one_of("anyOf", "allOf")
    signers = fields.demand(which, partial(_signers, files=files))
    rule = SignatureRule(
        images=images,
        any_of=signers if which == "anyOf" else (),
        all_of=signers if which == "allOf" else (),
        annotations=fields.get("annotations", _annotations, StringMap()),
        log=fields.get("log", read_count, None),
        timestamps=fields.get("timestamps", read_count, None),
    )
    _expect_satisfiable(fields, signers, rule)
    return rule


def _expect_satisfiable(fields: Fields, signers: tuple[Signer, ...], rule: SignatureRule) -> None:
    """Refuse counts that no signature could meet, and those that would leave a certificate without any time."""
    for signer in signers:
        trust = signer.trust
        if isinstance(signer, KeySigner) and trust is None and (rule.log or rule.timestamps):
            expected = "trust beside the key, which says whose logs and timestamps count"
            raise fields.node.refuse("demands evidence that nobody could check", expected=expected)
        if isinstance(signer, KeylessSigner):
            log = signer.trust.demand.logs if rule.log is None else rule.log
            timestamps = signer.trust.demand.timestamps if rule.timestamps is None else rule.timestamps
            if log < signer.trust.demand.logs and signer.trust.name == PUBLIC:
                raise fields.values["log"].refuse("loosens the public instance", expected="1 or more")
            if log + timestamps == 0:
                raise fields.node.refuse(
                    "demands nothing that says when a certificate was used", expected="log or timestamps of at least 1"
                )


def _signers(node: Node, files: FileReader) -> tuple[Signer, ...]:
    signers = tuple(read_signer(item, files) for item in node.items(most=100, empty_code=_EMPTY))
    distinct(node, map(_named, signers), "signer")
    return signers


def _named(signer: Signer) -> str:
    """Return what makes two signers one: a key is the same key whatever its window says."""
    return signer.key.key_id if isinstance(signer, KeySigner) else str(signer)


def read_signer(node: Node, files: FileReader) -> Signer:
    """Read one signer: `{key: ...}` or `{keyless: ...}`."""
    return read_signer_of(node.fields(SIGNER_KEYS, missing=_EMPTY), files)


def read_signer_of(fields: Fields, files: FileReader) -> Signer:
    """Read `key` or `keyless` of a mapping that may have other keys."""
    if fields.one_of("key", "keyless") == "keyless":
        return fields.demand("keyless", partial(read_keyless, files=files))
    return fields.demand("key", partial(_key_signer, files=files))


def _key_signer(node: Node, files: FileReader) -> KeySigner:
    key = read_key(node, files)
    named = node.fields(KEY_KEYS).values.get("trust")
    return KeySigner(key=key, trust=files.trust(named, node) if named is not None else None)


def read_key(node: Node, files: FileReader) -> PublicKey:
    """Read a public key: `{file, sha256}` or `{pem}`, with `notBefore`, `notAfter` (whole days, UTC) and `rsaScheme`.

    `trust` is read by whoever reads the signer.

    Raises:
        PolicyError: the keys are wrong, or `POL_FILE`.
        KeyFileError: `KEY_MALFORMED` or `KEY_WEAK`, the bytes are no key that is accepted.
    """
    fields = node.fields(KEY_KEYS, missing=_EMPTY)
    if fields.one_of("file", "pem") == "pem" and "sha256" in fields:
        raise node.refuse("pins an inline key", expected="sha256 beside file only", seen="pem and sha256")
    pem = files.fields(fields).data if "file" in fields else fields.demand("pem", _pem)
    not_before = fields.get("notBefore", _first_moment, None)
    not_after = fields.get("notAfter", _last_moment, None)
    if not_before and not_after and not_after < not_before:
        raise node.refuse("is never valid", expected="notBefore before notAfter")
    scheme = fields.get("rsaScheme", _rsa_scheme, RsaScheme.PKCS1)
    try:
        return parse_public_key(pem, rsa_scheme=scheme, not_before=not_before, not_after=not_after)
    except KeyFileError as error:
        message = f"{node.document}:{node.line}:{node.column}: {node.path}: {error.message}"
        raise KeyFileError(message, code=error.code, expected=error.expected, seen=error.seen) from error


def _pem(node: Node) -> bytes:
    return node.text(max_bytes=4 * MAX_TEXT_BYTES).encode()


def _rsa_scheme(node: Node) -> RsaScheme:
    return node.choice(RsaScheme)


def _first_moment(node: Node) -> datetime:
    return datetime.combine(node.date(), time.min, UTC)


def _last_moment(node: Node) -> datetime:
    return datetime.combine(node.date(), time.max, UTC)


def _annotations(node: Node) -> StringMap:
    entries = node.entries(most=32)
    if not entries or not all(entry.key for entry in entries):
        raise node.refuse("demands nothing", code=_EMPTY, expected="at least one annotation, each with a name")
    return StringMap.of({entry.key: _claim(entry.node) for entry in entries})


def _claim(node: Node) -> str:
    """Read a value that is compared: an empty one is refused, because empty must never equal absent."""
    if node.kind == "scalar" and not getattr(node.value, "text", "").strip():
        raise node.refuse("is empty", code=_EMPTY, expected="the text that the signature must carry")
    return node.text()
