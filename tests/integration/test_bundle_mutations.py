"""Good bundles, changed in one field at a time: what the gate accepts, `sigstore` or the real Cosign accepts as well.

Two other programs are the judges of what is too lax: a change that ours takes and both refuse is a failure, unless it is
listed here with its reason. Where `sigstore` alone refuses, Cosign is asked.
"""

from __future__ import annotations

import base64
import copy
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from sigstore.errors import Error as SigstoreError
from sigstore.models import Bundle as SigstoreBundle
from sigstore.models import TrustedRoot as SigstoreRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity as SigstoreIdentity

from gate.codec.statement import render_cosign_statement
from gate.errors import GateError
from gate.model.digest import Digest
from gate.pipeline.verify_bundle import verify_bundle
from tests.support.identities import identity
from tests.support.programs import Tools
from tests.support.signing import NOW
from tests.support.virtual_sigstore import (
    DAY,
    ISSUER,
    MINUTE,
    START,
    SUBJECT,
    Signing,
    VirtualSigstore,
    log_body_intoto,
)

pytestmark = pytest.mark.real_tools

ARTIFACT: Final = b"an artifact\n"
# Long past by any clock: the two judges read their own.
SIGNED: Final = START + DAY
STATEMENT: Final = render_cosign_statement(Digest.of(ARTIFACT), {})
V02: Final = "application/vnd.dev.sigstore.bundle+json;version=0.2"
# Path (with `#` for a place in a list) and kind of change → why the gate takes what both others refuse. None is known.
DIFFERENCES: Final[dict[tuple[str, str], str]] = {}

Change = Callable[[Any], Any]
Path_ = tuple[str | int, ...]


def _flipped(value: Any, place: int) -> Any:  # noqa: ANN401 - any JSON
    """Return base64 of other bytes, or another text."""
    if not isinstance(value, str) or not value:
        return None
    try:
        data = bytearray(base64.b64decode(value, validate=True))
    except ValueError:
        return value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]
    if not data:
        return None
    data[place] ^= 1
    return base64.b64encode(data).decode()


def _next_number(value: Any) -> Any:  # noqa: ANN401
    return str(int(value) + 1) if isinstance(value, str) and value.isdigit() else None


CHANGES: Final[dict[str, Change]] = {
    "first bit": lambda value: _flipped(value, 0),
    "last bit": lambda value: _flipped(value, -1),
    "plus one": _next_number,
    "zero": lambda value: "0" if isinstance(value, str) and value.isdigit() and value != "0" else None,
    "empty": lambda value: type(value)() if isinstance(value, str | list | dict) and value else None,
    "null": lambda _: json.loads("null"),
    "list": lambda value: [value],
    "number": lambda _: 1,
    "twice": lambda value: value * 2 if isinstance(value, list) and value else None,
    "newline": lambda value: f"{value}\n" if isinstance(value, str) else None,
}
_UNCHANGED: Final = object()


@dataclass(frozen=True)
class Judges:
    """The gate and the two others, over one trusted root."""

    folder: Path
    root: bytes
    cosign: Path

    def gate(self, bundle: bytes) -> bool:
        try:
            verify_bundle(bundle, ARTIFACT, signer=identity(), trusted_root=self.root, now=NOW)
        except GateError:
            return False
        return True

    def sigstore(self, bundle: bytes) -> bool:
        verifier = Verifier(trusted_root=SigstoreRoot.from_file(str(self.folder / "root.json")))
        policy = SigstoreIdentity(identity=SUBJECT, issuer=ISSUER)
        try:
            parsed = SigstoreBundle.from_json(bundle)
            if b"dsseEnvelope" in bundle:
                _, payload = verifier.verify_dsse(parsed, policy)
                return payload == STATEMENT
            verifier.verify_artifact(ARTIFACT, parsed, policy)
        except (SigstoreError, ValueError, TypeError, AttributeError, KeyError, IndexError):
            return False
        return True

    def cosign_accepts(self, bundle: bytes) -> bool:
        place, artifact = self.folder / "bundle.json", self.folder / "artifact"
        place.write_bytes(bundle)
        artifact.write_bytes(ARTIFACT)
        command = "verify-blob-attestation" if b"dsseEnvelope" in bundle else "verify-blob"
        kind = ("--type", "https://sigstore.dev/cosign/sign/v1") if command.endswith("attestation") else ()
        done = subprocess.run(
            [
                *(str(self.cosign), command, *kind, "--bundle", str(place)),
                *("--trusted-root", str(self.folder / "root.json")),
                *("--certificate-identity", SUBJECT, "--certificate-oidc-issuer", ISSUER, str(artifact)),
            ],
            env={"HOME": str(self.folder), "PATH": os.environ["PATH"]},
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.returncode == 0


def _paths(value: Any, here: Path_ = ()) -> Iterator[Path_]:  # noqa: ANN401 - any JSON
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*here, key)
        yield from _paths(item, (*here, key))


def _changed(fields: Any, path: Path_, change: Change) -> Any:  # noqa: ANN401
    made = copy.deepcopy(fields)
    at = made
    for step in path[:-1]:
        at = at[step]
    before = at[path[-1]]
    after = change(copy.deepcopy(before))
    if change is CHANGES["null"]:
        after = None
    elif after is None or after == before:
        return _UNCHANGED
    at[path[-1]] = after
    return made


def _removed(fields: Any, path: Path_) -> Any:  # noqa: ANN401
    made = copy.deepcopy(fields)
    at = made
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    return made


def mutations(fields: Any) -> Iterator[tuple[str, str, bytes]]:  # noqa: ANN401
    """Return path, kind of change and bytes of every mutation."""
    for path in _paths(fields):
        name = ".".join("#" if isinstance(step, int) else step for step in path)
        yield name, "removed", json.dumps(_removed(fields, path)).encode()
        for kind, change in CHANGES.items():
            made = _changed(fields, path, change)
            if made is not _UNCHANGED:
                yield name, kind, json.dumps(made).encode()


def _signings(vs: VirtualSigstore) -> dict[str, Signing]:
    at = SIGNED + MINUTE
    certificate = vs.issue(vs.leaf(at=SIGNED))
    artifact = vs.sign_artifact(ARTIFACT, certificate=certificate)
    statement = vs.sign_statement(STATEMENT, certificate=certificate)
    return {
        "artifact": vs.log1(artifact, at=at),
        "artifact-0.2": vs.log1(artifact, at=at).altered(media_type=V02),
        "artifact-log-2": vs.stamp(vs.log2(artifact, at=at), at=at),
        "statement": vs.log1(statement, at=at),
        "statement-log-2": vs.stamp(vs.log2(statement, at=at), at=at),
        "statement-intoto": vs.log1(statement, log_body_intoto(statement), at=at),
    }


@pytest.fixture
def judges(tmp_path: Path, tools: Tools) -> Judges:
    root = VirtualSigstore().trusted_root()
    (tmp_path / "root.json").write_bytes(root)
    return Judges(folder=tmp_path, root=root, cosign=tools.cosign)


NAMES: Final = tuple(_signings(VirtualSigstore()))


@pytest.mark.parametrize("name", NAMES)
def test_all_three_accept_the_good_bundle(judges: Judges, name: str) -> None:
    bundle = _signings(VirtualSigstore())[name].bundle()
    assert judges.gate(bundle)
    assert judges.cosign_accepts(bundle)
    # sigstore-python has no `intoto` entries (formats 8.1).
    assert judges.sigstore(bundle) is (name != "statement-intoto")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_change_is_accepted_that_both_others_refuse(judges: Judges, name: str) -> None:
    fields = _signings(VirtualSigstore())[name].fields()
    tried = 0
    for path, kind, bundle in mutations(fields):
        tried += 1
        if not judges.gate(bundle) or judges.sigstore(bundle):
            continue
        if (path, kind) not in DIFFERENCES:
            assert judges.cosign_accepts(bundle), f"{path}: {kind}: the gate alone accepts this"
    assert tried > 200
