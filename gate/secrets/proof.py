"""Whether a rule does what its own examples say: each that must match is found by this rule, each that must not is not.

Made anew from the templates under a seed, so that a refusal is the same in each run. Specification: docs/secret-rules.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gate.errors import PolicyError
from gate.secrets.budget import Budget
from gate.secrets.examples import ExampleMaker, TemplateError
from gate.secrets.hit import Hit
from gate.secrets.rule import Rule
from gate.secrets.rule_set import RuleSet
from gate.secrets.search import Search


def check_examples(rules: RuleSet, chosen: Iterable[Rule]) -> None:
    """Return if all examples of these rules hold, searched with all of `rules`.

    Raises:
        PolicyError: `POL_MALFORMED`, the first rule whose examples do not hold.
    """
    for rule in chosen:
        for kind, number, name, text in examples_of(rule):
            if (rule.id in _found(rules, name, text)) is not (kind == "match"):
                raise PolicyError(
                    f"an example of the rule {rule.id} does not hold",
                    code="POL_MALFORMED",
                    expected=f"examples.{kind}[{number}] {'is' if kind == 'match' else 'is not'} found by the rule",
                    seen="it is not" if kind == "match" else "it is",
                )


def examples_of(rule: Rule) -> Iterator[tuple[str, int, str, bytes]]:
    """Yield kind (`match` or `noMatch`), number, file name and content of each example.

    Raises:
        PolicyError: `POL_MALFORMED`, a template is none.
    """
    for kind, templates in (("match", rule.match), ("noMatch", rule.no_match)):
        for number, template in enumerate(templates):
            try:
                text = ExampleMaker(f"{rule.id} {kind} {number}").fill(template)
            except TemplateError as error:
                message = f"an example of the rule {rule.id} cannot be made"
                raise PolicyError(message, code="POL_MALFORMED", seen=str(error)) from error
            name, colon, content = text.partition(": ")
            has_path = bool(rule.paths and colon)
            yield kind, number, name if has_path else "example", (content if has_path else text).encode()


def _found(rules: RuleSet, name: str, text: bytes) -> frozenset[str]:
    hits: list[Hit] = []
    search = Search(rules, Budget(), hits.append, lambda where, reason: None)  # noqa: ARG005 - an example is no container
    file = search.begin(name, len(text))
    file.feed(memoryview(text))
    file.finish()
    return frozenset(hit.rule for hit in hits)
