"""For each key of identities and trusted roots in a policy: two values that bring an image with signatures to different ends.

Fields of `tests/unit/test_policy_keys.py`'s pairs, with the evidence: an image whose signature is by certificate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ed25519

from gate.codec.statement import render_cosign_statement
from gate.model.evidence import EvidenceSet
from gate.model.identity import CLAIM_NUMBERS
from tests.support.evidence import good_evidence
from tests.support.signing import IMAGE, attached
from tests.support.virtual_log import Witness
from tests.support.virtual_sigstore import CLAIMS, ISSUER, SUBJECT, Signing, VirtualSigstore

WITNESSES: Final = tuple(
    Witness(name=f"witness.{name}.example", key=ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))
    for number, name in enumerate(("one", "two", "strange"))
)
_SIGSTORE: Final = VirtualSigstore()
_PAYLOAD: Final = render_cosign_statement(IMAGE, {})
_KEYLESS: Final[dict[str, Any]] = {"issuer": ISSUER, "subject": SUBJECT, "trust": "company"}
_TRUST: Final[dict[str, Any]] = {
    "company": {"trustedRoot": {"file": "trust/sigstore.json"}},
    "other": {"trustedRoot": {"file": "trust/other.json"}},
}


def _image(signing: Signing) -> EvidenceSet:
    return replace(good_evidence(), attachments=attached(signing.attachment()))


SIGNED: Final = _image(_SIGSTORE.log1(_SIGSTORE.sign_statement(_PAYLOAD)))


def _unlogged() -> EvidenceSet:
    certificate = _SIGSTORE.issue(_SIGSTORE.leaf(logged=False))
    return _image(_SIGSTORE.log1(_SIGSTORE.sign_statement(_PAYLOAD, certificate=certificate)))


def _promised() -> EvidenceSet:
    made = _SIGSTORE.log1(_SIGSTORE.sign_statement(_PAYLOAD))
    entry = {name: value for name, value in made.entries[0].items() if name != "inclusionProof"}
    return _image(made.altered(entries=(entry,)))


def _witnessed() -> EvidenceSet:
    watched = VirtualSigstore()
    watched.rekor1 = watched.rekor1.copy(witnesses=WITNESSES[:2])
    return _image(watched.log1(watched.sign_statement(_PAYLOAD)))


def _by_key() -> EvidenceSet:
    return _image(_SIGSTORE.log1(_SIGSTORE.sign_statement(_PAYLOAD, by_key=True)))


def _pair(key: str, place: str, left: object, right: object, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    spec = {
        "trust": _TRUST,
        "signature": [{"images": "**", "anyOf": [{"keyless": _KEYLESS | more.pop("keyless", {})}]}],
    }
    return {"key": key, "place": place, "spec": spec, "left": left, "right": right, "base": SIGNED, **more}


def _trust(key: str, left: object, right: object, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return _pair(f"spec.trust{{}}.{key}", f"spec.trust.company.{key}", left, right, **more)


def _keyless(key: str, left: object, right: object, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return _pair(f"keyless.{key}", f"spec.signature.0.anyOf.0.keyless.{key}", left, right, **more)


def _pattern(key: str, good: str, other: str) -> dict[str, Any]:
    made = _keyless(f"{key}RegExp", good, other)
    del made["spec"]["signature"][0]["anyOf"][0]["keyless"][key]
    return made


def _witnesses(key: str, left: object, right: object, missing: object) -> dict[str, Any]:
    made = _trust(f"witnesses.{key}", left, right, base=_witnessed())
    whole = {"keys": [WITNESSES[0].vkey, WITNESSES[2].vkey], "count": 1} | {key: missing}
    company = {**_TRUST["company"], "witnesses": whole}
    return {**made, "spec": {**made["spec"], "trust": {**_TRUST, "company": company}}}


def identity_pairs(missing: object) -> list[dict[str, Any]]:
    """Return the fields of every pair; `missing` takes a key away."""
    claims = [
        _keyless(f"claims.{claim}", CLAIMS[number], f"{CLAIMS[number]}x") for claim, number in CLAIM_NUMBERS.items()
    ]
    key = {"trust": _TRUST, "signature": [{"images": "**", "anyOf": [{"key": {"file": "keys/virtual.pub"}}]}]}
    witness = {"keys": [WITNESSES[2].vkey], "count": 1}
    return [
        _pair("spec.trust", "spec.trust", _TRUST, missing),
        _trust("trustedRoot", {"file": "trust/sigstore.json"}, {"file": "trust/other.json"}),
        _trust("log", 1, 2),
        _trust("timestamps", 0, 1),
        _trust("sct", left=False, right=True, base=_unlogged()),
        _trust("inclusion", "proof", "promise", base=_promised()),
        _trust("witnesses", missing, witness, base=_witnessed()),
        _witnesses("keys", [WITNESSES[0].vkey], [WITNESSES[2].vkey], missing),
        _witnesses("count", 1, 2, missing),
        _pair("spec.signature[].log", "spec.signature.0.log", 1, 2),
        _pair("spec.signature[].timestamps", "spec.signature.0.timestamps", 0, 1),
        _pair("signer.keyless", "spec.signature.0.anyOf.0.keyless", _KEYLESS, _KEYLESS | {"subject": f"{SUBJECT}x"}),
        {
            "key": "key.trust",
            "place": "spec.signature.0.anyOf.0.key.trust",
            "spec": key,
            "left": "company",
            "right": missing,
            "base": _by_key(),
        },
        _keyless("issuer", ISSUER, "https://token.actions.example"),
        _keyless("subject", SUBJECT, f"{SUBJECT}x"),
        _pattern("issuer", r"https://token\.actions\.githubusercontent\.com", r"https://token\.example/.+"),
        _pattern(
            "subject", r"https://github\.com/shop/.+@refs/heads/main", r"https://github\.com/shop/.+@refs/tags/v.+"
        ),
        _keyless("claims", {"ref": "refs/heads/main"}, {"ref": "refs/heads/other"}),
        *claims,
        _keyless("claims.ref", {"regExp": "refs/heads/.+"}, {"regExp": "refs/tags/.+"}) | {"key": "claim.regExp"},
        _keyless("trust", "company", "other"),
    ]
