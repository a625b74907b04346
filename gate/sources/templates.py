"""Marks of templates: what another program replaces before the file is what its name says."""

from __future__ import annotations

import re
from typing import Final

# Go and Jinja, GitHub's expressions, Tekton's and Azure's variables, ERB, autoconf; `<NAME>` is a gap in an example.
TEMPLATE: Final = re.compile(r"\{\{|\}\}|\{%|\$\{\{|\$\(|<%|%>|\$\[\[|@[A-Z][A-Z0-9_]*@|<[A-Za-z_-]+>", re.ASCII)
