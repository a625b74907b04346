"""Small real vulnerability databases for both scanners, from one list of real advisories.

    built = build_databases(Path("out"), datetime.now(UTC), grype=None)

On the command line: `python -m tools.advisories build --out DIR`. What the scanners must find with them is computed by
`tools.advisories.expected` from the same list.
"""

from __future__ import annotations

from tools.advisories.build import BuiltDatabases, build_databases, import_grype_database
from tools.advisories.model import DEMONSTRATION, Ecosystem, Scanner

__all__ = [
    "DEMONSTRATION",
    "BuiltDatabases",
    "Ecosystem",
    "Scanner",
    "build_databases",
    "import_grype_database",
]
