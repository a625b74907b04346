"""The page of `coverage` and the code tell the same table of forms."""

from __future__ import annotations

import re

from gate.model.finding import Tool
from gate.model.package_forms import FORMS
from tests.support.sources import ROOT

ROW = re.compile(r"^\| `([a-z-]+)` \| (.+?) \| (yes|no) \| (yes|no) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def test_the_page_and_the_code_have_the_same_forms() -> None:
    page = (ROOT / "docs/checks/coverage.md").read_text(encoding="utf-8")
    told = {
        row[1]: (row[2], row[3] == "yes", row[4] == "yes", row[5] == "names and versions") for row in ROW.finditer(page)
    }
    known = {
        name: (form.title, Tool.TRIVY in form.looked_up_by, Tool.GRYPE in form.looked_up_by, form.listed)
        for name, form in FORMS.items()
    }
    assert told == known
