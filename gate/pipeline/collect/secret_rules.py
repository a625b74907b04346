"""The rules of a search: those that ship with the gate, and a policy's own beside them; and the list of what is public."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.disk.package_data import data_path
from gate.model.digest import Digest

if TYPE_CHECKING:
    from gate.model.policy import SecretRuleFile
    from gate.secrets.known import KnownSecrets
    from gate.secrets.rule import Rule
    from gate.secrets.rule_set import RuleSet

FOLDER: Final = "policies/secrets"
_KNOWN: Final = "known.yaml"
_SAMPLES: Final = "samples.txt"


class SecretMaterial:
    """What secrets are searched with; named by digest at once, and read only where a search takes place.

    A verdict or evidence that is given again needs the digest alone, and reading 460 rules takes longer than all the rest.
    The files of a policy are parsed at once, so that what is wrong with them is said before anything is gathered.
    """

    def __init__(self, own: Iterable[SecretRuleFile], cache_folder: Path | None) -> None:
        """Take the policy's own files; raises PolicyError as `load_rule_set`."""
        self._own = tuple(own)
        self._cache_folder = cache_folder
        if self._own:
            self.rules  # noqa: B018 - the property parses

    @cached_property
    def digest(self) -> Digest:
        """Return the digest over all files, each by name and digest."""
        shipped = ((path.name, path.read_bytes()) for path in sorted(data_path(FOLDER).glob("*.*")))
        files = (*shipped, *((file.path, file.content) for file in self._own))
        return Digest.of("\n".join(f"{name} {Digest.of(content)}" for name, content in files).encode())

    @cached_property
    def rules(self) -> RuleSet:
        """Return the shipped rules and the policy's."""
        return load_rule_set(self._own, self._cache_folder)

    @property
    def known(self) -> KnownSecrets:
        """Return the list of what is public."""
        return shipped_known()


def load_rule_set(own: Iterable[SecretRuleFile], cache_folder: Path | None) -> RuleSet:
    """Return the shipped rules and those of a policy; `cache_folder` keeps the compiled automaton.

    Raises:
        PolicyError: `POL_MALFORMED`, `POL_UNKNOWN_KEY`, `POL_DUPLICATE_KEY`, `POL_REGEX`, in a file of the policy, or an
            example of it does not hold.
    """
    from gate.secrets.proof import check_examples  # noqa: PLC0415 - the search is loaded where one takes place
    from gate.secrets.rule_file import parse_rule_file  # noqa: PLC0415
    from gate.secrets.rule_set import RuleSet  # noqa: PLC0415

    rules = tuple(rule for file in own for rule in parse_rule_file(file.content, name=file.path))
    # Each against itself alone: the shipped ones are proved by tests, and all together take seconds to compile.
    check_examples(RuleSet(rules), rules)
    return RuleSet((*shipped_rules(), *rules), cache=cache_folder)


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """Return the rules that ship with the gate, in the order of their files' names."""
    from gate.secrets.rule_file import parse_rule_file  # noqa: PLC0415

    files = sorted(path for path in data_path(FOLDER).glob("*.yaml") if path.name != _KNOWN)
    return tuple(rule for path in files for rule in parse_rule_file(path.read_bytes(), name=path.name))


@cache
def shipped_known() -> KnownSecrets:
    """Return the list of public secrets that ships with the gate."""
    from gate.secrets.known import parse_known, parse_samples  # noqa: PLC0415

    listed = parse_known(data_path(f"{FOLDER}/{_KNOWN}").read_bytes(), name=_KNOWN)
    samples = parse_samples(data_path(f"{FOLDER}/{_SAMPLES}").read_bytes(), name=_SAMPLES)
    return replace(listed, values=listed.values | samples)
