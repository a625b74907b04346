"""The type of a CEL expression, found in one pass while it is read: what names nothing that exists is refused with the policy.

An expression such as `!has(image.config.exposedPortz)` is well-formed and true of every image. So every name, field and
function is held against what is declared (`gate.codec.policy.rule_types`, the functions of the library that evaluates), and so is
a comparison that no image can meet. Where a type is not known (`dyn`), nothing is refused. Pure Python over a bounded text: the
evaluating library is native code and runs only in a child.

Specification: the Common Expression Language, its grammar and standard definitions (cel-spec, doc/langdef.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gate.codec.policy.rule_functions import (
    DURATION_METHODS,
    FUNCTIONS,
    MACROS,
    METHODS,
    RESERVED,
    TEXT_METHODS,
    TIME_METHODS,
    TYPE_NAMES,
)
from gate.codec.policy.rule_tokens import ExpressionError, literal_text, tokens_of
from gate.codec.policy.rule_types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    NUMBERS,
    STRING,
    TIMESTAMP,
    TYPE,
    VARIABLES,
    RuleType,
    can_equal,
    impossible,
    list_of,
    map_of,
)
from gate.codec.yaml_node import nearest

MAX_DEPTH: Final = 64


def check_expression(text: str) -> None:
    """Return if the expression can be true or false of an image.

    Raises:
        ExpressionError: it cannot be read, names what does not exist, or compares what is never equal.
    """
    reader = _Reader(text)
    found = reader.expression()
    reader.expect("", "the end of the expression")
    if found.kind not in {"bool", "dyn"}:
        raise ExpressionError(1, f"gives {found}, not true or false", "an expression that is true or false")


class _Reader:
    """Read an expression by recursive descent and give each part's type."""

    def __init__(self, text: str) -> None:
        self.tokens = tokens_of(text)
        self.at = 0
        self.depth = 0
        self.variables: dict[str, RuleType] = dict(VARIABLES)
        self.selected = False

    @property
    def sign(self) -> str:
        """Return the sign, or `in`, that stands here, or nothing."""
        kind, text, _ = self.tokens[self.at]
        return text if kind == "sign" or text == "in" else ""

    @property
    def place(self) -> int:
        return self.tokens[self.at][2]

    def expect(self, text: str, what: str = "") -> None:
        """Step over this sign."""
        if self.tokens[self.at][1] != text or (text and self.tokens[self.at][0] != "sign"):
            raise ExpressionError(self.place, "cannot be read here", what or text)
        self.at += 1

    def accept(self, text: str) -> bool:
        """Step over this sign where it stands here."""
        if self.tokens[self.at][:2] != ("sign", text):
            return False
        self.at += 1
        return True

    def expression(self) -> RuleType:
        """Read a whole expression; the caller sees to what follows."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(self.place, "is nested too deeply", f"at most {MAX_DEPTH} levels")
        found = self._alternatives()
        if self.sign == "?":
            place = self.place
            self.at += 1
            self._demand(found, BOOL, place)
            # The grammar takes a condition between the two signs in brackets only.
            then = self._alternatives()
            self.expect(":")
            other = self.expression()
            found = then if can_equal(then, other) and then.kind == other.kind else DYN
            found = RuleType(kind=found.kind, item=found.item, fields=found.fields)
        self.depth -= 1
        return found

    def _alternatives(self) -> RuleType:
        return self._logic("||", lambda: self._logic("&&", self._relation))

    def _logic(self, sign: str, part: Callable[[], RuleType]) -> RuleType:
        place = self.place
        found = part()
        while self.accept(sign):
            self._demand(found, BOOL, place)
            place = self.place
            self._demand(part(), BOOL, place)
            found = BOOL
        return found

    def _relation(self) -> RuleType:
        found = self._sum()
        while self.sign in {"<", "<=", ">", ">=", "==", "!=", "in"}:
            sign, place = self.sign, self.place
            self.at += 1
            other = self._sum()
            if sign == "in":
                self._member(found, other, place)
            elif sign in {"==", "!="}:
                self._equal(found, other, place)
            elif not can_equal(found, other) or found.kind in {"list", "map", "object", "null", "type"}:
                raise ExpressionError(place, f"compares {found} with {other}")
            found = BOOL
        return found

    def _equal(self, one: RuleType, other: RuleType, place: int) -> None:
        if not can_equal(one, other):
            raise ExpressionError(place, f"compares {one} with {other}, which are never equal")
        wrong = impossible(one, other)
        if wrong is not None:
            near = nearest(wrong[0], wrong[1].words)
            raise ExpressionError(place, "compares with a text that this never is", near or wrong[1].expected)

    def _member(self, one: RuleType, other: RuleType, place: int) -> None:
        if other.kind == "object":
            for name in one.literals:
                self._field(other, name, place)
        elif other.kind == "map":
            self._demand(one, STRING, place)
        elif other.kind == "list":
            self._equal(one, RuleType(kind=other.value.kind, item=other.value.item, form=other.value.form,
                                      fields=other.value.fields, literals=other.literals), place)  # fmt: skip
        elif other.kind != "dyn":
            raise ExpressionError(place, f"looks for a value in {other}", "a list or a map")

    def _sum(self) -> RuleType:
        found = self._product()
        while self.sign in {"+", "-"}:
            sign, place = self.sign, self.place
            self.at += 1
            found = self._arithmetic(sign, found, self._product(), place)
        return found

    def _product(self) -> RuleType:
        found = self._unary()
        while self.sign in {"*", "/", "%"}:
            sign, place = self.sign, self.place
            self.at += 1
            found = self._arithmetic(sign, found, self._unary(), place)
        return found

    def _arithmetic(self, sign: str, one: RuleType, other: RuleType, place: int) -> RuleType:
        kinds = {one.kind, other.kind}
        if "dyn" in kinds:
            return DYN
        if kinds <= NUMBERS and len(kinds) == 1:
            return INT if kinds == {"int"} else DOUBLE
        if sign == "+" and len(kinds) == 1 and kinds <= {"string", "bytes", "list"}:
            return (
                list_of(one.value if one.value.kind != "dyn" else other.value)
                if "list" in kinds
                else RuleType(kind=one.kind)
            )
        if sign in {"+", "-"} and kinds <= {"timestamp", "duration"}:
            return DURATION if kinds == {"duration"} or (sign == "-" and kinds == {"timestamp"}) else TIMESTAMP
        raise ExpressionError(place, f"computes {one} {sign} {other}")

    def _unary(self) -> RuleType:
        signs, place = [], self.place
        while self.sign in {"!", "-"}:
            signs.append(self.sign)
            self.at += 1
        found = self._postfix()
        if "!" in signs:
            self._demand(found, BOOL, place)
        if "-" in signs and found.kind not in {*NUMBERS, "duration", "dyn"}:
            raise ExpressionError(place, f"takes {found} for a number")
        return found if not signs else RuleType(kind=found.kind)

    def _postfix(self) -> RuleType:
        found = self._primary()
        while True:
            place = self.place
            if self.accept("."):
                name = self._name(reserved=frozenset({"in"}))
                found = self._method(found, name, place) if self.sign == "(" else self._field(found, name, place)
                self.selected = self.tokens[self.at - 1][0] == "name"
            elif self.accept("["):
                key = self.expression()
                self.expect("]")
                found, self.selected = self._index(found, key, place), False
            else:
                return found

    def _field(self, found: RuleType, name: str, place: int) -> RuleType:
        if found.kind == "object" and name not in found.fields:
            near = nearest(name, found.fields)
            raise ExpressionError(
                place, f"names the field {name[:60]!r}, which does not exist", near or " | ".join(sorted(found.fields))
            )
        if found.kind not in {"object", "map", "dyn"}:
            raise ExpressionError(place, f"names the field {name[:60]!r} of {found}, which has none")
        return found.fields[name] if found.kind == "object" else found.value

    def _index(self, found: RuleType, key: RuleType, place: int) -> RuleType:
        if found.kind == "object":
            return self._field(found, key.literals[0], place) if key.literals else DYN
        if found.kind not in {"list", "map", "dyn"}:
            raise ExpressionError(place, f"looks up a value in {found}", "a list or a map")
        self._demand(key, {"list": INT, "map": STRING}.get(found.kind, DYN), place)
        return found.value

    def _method(self, found: RuleType, name: str, place: int) -> RuleType:
        if name in MACROS:
            return self._macro(found, name, place)
        arguments = self._arguments()
        if name == "size":
            return self._function("size", [found, *arguments], place)
        if name in TEXT_METHODS:
            for kind in (found, *arguments[:1]):
                self._demand(kind, STRING, place)
            self._demand_count(name, arguments, 1, place)
            return BOOL
        if name in TIME_METHODS:
            allowed = {"timestamp", "dyn", *(("duration",) if name in DURATION_METHODS else ())}
            if found.kind not in allowed:
                raise ExpressionError(place, f"asks {found} for a part of a time", "timestamp(...)")
            self._demand_count(name, arguments, 0, place)
            return INT
        raise ExpressionError(
            place, f"calls {name[:60]!r}, which does not exist", nearest(name, METHODS) or " | ".join(METHODS)
        )

    def _macro(self, found: RuleType, name: str, place: int) -> RuleType:
        if found.kind not in {"list", "map", "dyn"}:
            raise ExpressionError(place, f"goes through {found}", "a list or a map")
        self.expect("(")
        variable = self._name()
        self.expect(",")
        before = self.variables
        self.variables = before | {variable: STRING if found.kind == "map" else found.value}
        inner = self.place
        parts = [self.expression()]
        if name == "map" and self.accept(","):
            self._demand(parts[0], BOOL, inner)
            parts.append(self.expression())
        self.expect(")")
        self.variables = before
        if name == "map":
            return list_of(
                RuleType(kind=parts[-1].kind, item=parts[-1].item, fields=parts[-1].fields, form=parts[-1].form)
            )
        self._demand(parts[0], BOOL, inner)
        return BOOL if name != "filter" else list_of(STRING if found.kind == "map" else found.value)

    def _arguments(self) -> list[RuleType]:
        self.expect("(")
        return self._listed(")")

    def _listed(self, end: str) -> list[RuleType]:
        found: list[RuleType] = []
        while not self.accept(end):
            found.append(self.expression())
            if not self.accept(","):
                self.expect(end)
                break
        return found

    def _function(self, name: str, arguments: list[RuleType], place: int) -> RuleType:
        if name not in FUNCTIONS:
            known = (*FUNCTIONS, "has")
            raise ExpressionError(
                place, f"calls {name[:60]!r}, which does not exist", nearest(name, known) or " | ".join(sorted(known))
            )
        self._demand_count(name, arguments, 1, place)
        kinds, result = FUNCTIONS[name]
        if kinds and arguments[0].kind not in kinds | {"dyn"}:
            raise ExpressionError(place, f"calls {name} with {arguments[0]}", " | ".join(sorted(kinds)))
        # What is declared stays known: `dyn` would make a field that does not exist one that may.
        return arguments[0] if name == "dyn" else result

    def _demand_count(self, name: str, arguments: list[RuleType], count: int, place: int) -> None:
        if len(arguments) != count:
            raise ExpressionError(place, f"calls {name} with {len(arguments)} arguments", f"{count}")

    def _demand(self, found: RuleType, wanted: RuleType, place: int) -> None:
        if "dyn" not in {found.kind, wanted.kind} and found.kind != wanted.kind:
            raise ExpressionError(place, f"takes {found} for {wanted}")

    def _name(self, reserved: frozenset[str] = RESERVED) -> str:
        kind, text, place = self.tokens[self.at]
        if kind != "name" or text in reserved:
            raise ExpressionError(place, "cannot be read here", "a name")
        self.at += 1
        return text

    def _primary(self) -> RuleType:
        kind, text, place = self.tokens[self.at]
        self.selected = False
        if kind == "sign":
            return self._bracketed()
        self.at += 1
        match kind:
            case "text" | "raw" | "string":
                return BYTES if text[0] in "bB" else RuleType(kind="string", literals=(literal_text(text),))
            case "double":
                return DOUBLE
            case "int":
                return INT
            case "name":
                self.at -= 1
                return self._named(self._name(), place)
            case _:
                raise ExpressionError(place, "ends too early", "a value")

    def _named(self, name: str, place: int) -> RuleType:
        if name in {"true", "false"}:
            return BOOL
        if name == "null":
            return NULL
        if self.sign == "(":
            if name == "has":
                return self._has()
            return self._function(name, self._arguments(), place)
        if name in self.variables:
            return self.variables[name]
        if name in TYPE_NAMES:
            return TYPE
        known = tuple(self.variables)
        raise ExpressionError(
            place, f"names {name[:60]!r}, which does not exist", nearest(name, known) or " | ".join(sorted(known))
        )

    def _has(self) -> RuleType:
        place = self.place
        self.expect("(")
        self.expression()
        if not self.selected:
            raise ExpressionError(place, "asks has() for what is no field", "has(a.b)")
        self.expect(")")
        return BOOL

    def _bracketed(self) -> RuleType:
        place = self.place
        if self.accept("("):
            found = self.expression()
            self.expect(")")
            self.selected = False
            return found
        if self.accept("["):
            items = self._listed("]")
            kinds = {item.kind for item in items}
            item = items[0] if len(kinds) == 1 else DYN
            literals = tuple(text for part in items for text in part.literals) if kinds == {"string"} else ()
            return list_of(RuleType(kind=item.kind, item=item.item, fields=item.fields), literals)
        if self.accept("{"):
            while not self.accept("}"):
                self.expression()
                self.expect(":")
                self.expression()
                if not self.accept(","):
                    self.expect("}")
                    break
            return map_of(DYN)
        raise ExpressionError(place, "cannot be read here", "a value")
