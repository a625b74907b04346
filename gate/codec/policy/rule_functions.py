"""The functions and names of CEL that the library which evaluates rules has; a test asks it for each.

Specification: the Common Expression Language, standard definitions (cel-spec, doc/langdef.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gate.codec.policy.rule_types import BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, TYPE, RuleType

MACROS: Final = ("all", "exists", "exists_one", "existsOne", "map", "filter")
RESERVED: Final = frozenset({
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let", "loop", "namespace", "package",
    "return", "var", "void", "while",
})  # fmt: skip
# Function → kinds that its argument may have, result. Those that the library has; a test asks it.
FUNCTIONS: Final[Mapping[str, tuple[frozenset[str], RuleType]]] = {
    "size": (frozenset({"string", "bytes", "list", "map", "object"}), INT),
    "string": (frozenset({"string", "int", "double", "bool", "bytes", "timestamp", "duration"}), STRING),
    "int": (frozenset({"int", "double", "string", "timestamp"}), INT),
    "uint": (frozenset({"int", "double", "string"}), INT),
    "double": (frozenset({"int", "double", "string"}), DOUBLE),
    "bytes": (frozenset({"string", "bytes"}), BYTES),
    "duration": (frozenset({"string", "duration"}), DURATION),
    "timestamp": (frozenset({"string", "timestamp", "int"}), TIMESTAMP),
    "dyn": (frozenset(), DYN),
    "type": (frozenset(), TYPE),
}
TYPE_NAMES: Final = frozenset({"bool", "bytes", "double", "int", "list", "map", "string", "uint", "null_type", "type"})
TEXT_METHODS: Final = frozenset({"contains", "startsWith", "endsWith", "matches"})
TIME_METHODS: Final = frozenset({
    "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds",
    "getMilliseconds",
})  # fmt: skip
DURATION_METHODS: Final = frozenset({"getHours", "getMinutes", "getSeconds", "getMilliseconds"})
METHODS: Final = tuple(sorted({*MACROS, *TEXT_METHODS, *TIME_METHODS, "size"}))
