"""No key of the policy is ignored: for each, two documents that differ in it alone come to different ends (attack P02).

What a key changes is what it is for: the verdict, what is signed, or whether the policy loads at all. A key without a pair
fails the last test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from gate.codec.policy.keys import POLICY_KEYS
from gate.errors import PolicyError
from gate.model.decision import Decision
from gate.pipeline.check import check
from gate.pipeline.options import CheckOptions
from gate.settings.locations import default_places
from tests.support.cases import overridden
from tests.support.policies import as_bytes, policy_document
from tests.support.policy_effects import DATA, MISSING
from tests.support.policy_pair import IMAGE_ANY, Pair
from tests.support.policy_pairs import PAIRS
from tests.support.signing import GATE, IMAGE


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.key for pair in PAIRS])
def test_the_key_alone_turns_what_the_policy_comes_to(pair: Pair) -> None:
    left, right = pair.documents()
    place = pair.place.split(".")
    assert left != right
    assert all(path[: len(place)] == place for path in differences(left, right, []))
    evidence = overridden(pair.base, pair.evidence, DATA)
    first, second = pair.effect(left, evidence), pair.effect(right, evidence)
    assert first != second
    assert pair.effect(left, evidence) == first, "the effect does not depend on the document alone"


def differences(left: Any, right: Any, path: list[str]) -> Iterator[list[str]]:  # noqa: ANN401 - any YAML
    """Return the paths at which two documents differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            yield from differences(left.get(key, MISSING), right.get(key, MISSING), [*path, str(key)])
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for position, (one_, other) in enumerate(zip(left, right, strict=True)):
            yield from differences(one_, other, [*path, str(position)])
    elif left != right:
        yield path


def test_a_demanded_timestamp_that_nobody_can_give_stops_the_signing(tmp_path: Path) -> None:
    """The twin goes on to fetch the image, which it cannot offline."""

    def options(demanded: bool) -> CheckOptions:  # noqa: FBT001 - the one thing that differs
        place = tmp_path / f"{demanded}.yaml"
        place.write_bytes(as_bytes(policy_document(**IMAGE_ANY, attest={"requireTimestamp": demanded})))
        return CheckOptions(places=default_places({"HOME": str(tmp_path)}), policy=place, signer=GATE, offline=True)

    reference = f"registry.example/shop/web@{IMAGE}"
    assert check(reference, options(demanded=False)).verdict.decision is Decision.ERROR
    with pytest.raises(PolicyError, match="timestamp") as stopped:
        check(reference, options(demanded=True))
    assert stopped.value.code == "USAGE"


# Shown by the test above this line, because it stops the signing and changes nothing that could be signed.
ELSEWHERE: Final = frozenset({"spec.attest.requireTimestamp"})


def test_every_key_of_the_policy_has_a_pair() -> None:
    keys = {f"{section}.{key}" if section else key for section, names in POLICY_KEYS.items() for key in names}
    assert keys == {pair.key for pair in PAIRS} | ELSEWHERE
