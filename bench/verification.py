"""Verifications of signatures a second on one core: the gate, `sigstore` and Cosign on the same bundles in the same run.

The bundles are by the test Sigstore: a key, an identity with an entry of a log of version 1, an identity with one of a log of
version 2 and a timestamp. The libraries are measured inside of one process that has loaded them and read the trusted root;
Cosign has no library here, so it is a whole command beside the gate's whole command. `sigstore` verifies no keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sigstore.models import Bundle as SigstoreBundle
from sigstore.models import TrustedRoot as SigstoreRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity as SigstoreIdentity

from bench.measures import Line
from bench.shop import GATE, Shop
from bench.timing import Contestant, Cost, Times, one_core, take_turns
from gate.codec.bundle import parse_bundle
from gate.codec.keys import parse_public_key
from gate.codec.trusted_root import parse_trusted_root
from gate.model.evidence_demand import EvidenceDemand
from gate.model.identity import Identity, Matcher
from gate.model.policy_signers import KeylessSigner, KeySigner, Signer
from gate.model.trust import Trust
from gate.verification.signature import verify_artifact
from tests.support.virtual_sigstore import ISSUER, SUBJECT, VirtualSigstore, public_pem

_ARTIFACT: Final = b"an artifact of the benchmarks"
# One batch takes long enough that the clock's steps do not count.
_BATCH: Final = 100
_WHOLE_COMMAND_SECONDS: Final = 0.2
_KINDS: Final = {
    "key": "a key",
    "log-1": "an identity, log version 1",
    "log-2": "an identity, log version 2 and timestamp",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundles:
    """What is verified: bundle by kind, and the files around them."""

    folder: Path
    by_kind: dict[str, bytes]
    key: bytes
    root: bytes


def verification(shop: Shop, rounds: int) -> list[Line]:
    """Measure each kind of bundle by every program that reads it."""
    bundles = _bundles(shop.root / "verification")
    lines = []
    with one_core():
        for kind, words in _KINDS.items():
            inside = take_turns(_inside(bundles, kind), rounds)
            commands = take_turns(_commands(shop, bundles, kind), rounds)
            lines += _lines(words, inside, commands)
    return lines


def _lines(words: str, inside: dict[str, Times], commands: dict[str, Times]) -> list[Line]:
    lines = [
        Line(what=f"{words}: verifications a second by {name}", seen=1 / times.median, unit="/s")
        for name, times in inside.items()
    ]
    command, cosign = commands["gate"], commands["cosign"]
    aim = _WHOLE_COMMAND_SECONDS if words == _KINDS["key"] else None
    lines.append(Line(what=f"{words}: `gate verify-bundle`, whole command", seen=command.median, unit="s", aim=aim))
    lines.append(Line(what=f"{words}: `cosign verify-blob`, whole command", seen=cosign.median, unit="s"))
    return lines


def _bundles(folder: Path) -> Bundles:
    made = VirtualSigstore()
    by_kind = {
        "key": made.sign_artifact(_ARTIFACT, by_key=True).bundle(),
        "log-1": made.log1(made.sign_artifact(_ARTIFACT)).bundle(),
        "log-2": made.stamp(made.log2(made.sign_artifact(_ARTIFACT))).bundle(),
    }
    bundles = Bundles(folder=folder, by_kind=by_kind, key=public_pem(made.key), root=made.trusted_root())
    files = {"artifact": _ARTIFACT, "key.pub": bundles.key, "root.json": bundles.root, **by_kind}
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return bundles


def _inside(bundles: Bundles, kind: str) -> dict[str, Contestant]:
    content = bundles.by_kind[kind]
    signer = _signer(bundles, kind)

    def gate() -> None:
        verify_artifact(parse_bundle(content), signer=signer, artifact=_ARTIFACT, now=datetime.now(UTC))

    contestants = {"gate": _batch(gate)}
    if kind != "key":
        contestants["`sigstore`"] = _batch(_sigstore(bundles, content))
    return contestants


def _signer(bundles: Bundles, kind: str) -> Signer:
    if kind == "key":
        return KeySigner(key=parse_public_key(bundles.key))
    demand = EvidenceDemand(logs=1, timestamps=1 if kind == "log-2" else 0)
    trust = Trust(name="bench", root=parse_trusted_root(bundles.root), demand=demand)
    identity = Identity(subject=Matcher(text=SUBJECT), issuer=Matcher(text=ISSUER))
    return KeylessSigner(identity=identity, trust=trust)


def _sigstore(bundles: Bundles, content: bytes) -> Callable[[], None]:
    verifier = Verifier(trusted_root=SigstoreRoot.from_file(str(bundles.folder / "root.json")))
    policy = SigstoreIdentity(identity=SUBJECT, issuer=ISSUER)

    def verify() -> None:
        verifier.verify_artifact(_ARTIFACT, SigstoreBundle.from_json(content), policy)

    return verify


def _batch(verify: Callable[[], None]) -> Contestant:
    """Return a contestant whose cost is that of one verification out of a batch."""

    def run() -> Cost:
        started, busy = time.perf_counter(), time.process_time()
        for _ in range(_BATCH):
            verify()
        seconds, processor = time.perf_counter() - started, time.process_time() - busy
        return Cost(seconds=seconds / _BATCH, processor=processor / _BATCH)

    return run


def _commands(shop: Shop, bundles: Bundles, kind: str) -> dict[str, Contestant]:
    def path(name: str) -> str:
        return str(bundles.folder / name)

    root = ("--trusted-root", path("root.json"))
    identity = ("--certificate-identity", SUBJECT, "--certificate-oidc-issuer", ISSUER, *root)
    who = ("--key", path("key.pub")) if kind == "key" else identity
    extra = {"key": ("--insecure-ignore-tlog",), "log-1": (), "log-2": ("--use-signed-timestamps",)}[kind]
    gate = [GATE, "verify-bundle", path("artifact"), "--bundle", path(kind), *who]
    cosign = [str(shop.programs["cosign"]), "verify-blob", "--bundle", path(kind), *who, *extra, path("artifact")]
    return {"gate": lambda: shop.scene.timed(gate), "cosign": lambda: shop.scene.timed(cosign)}
