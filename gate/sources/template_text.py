"""Files that another program makes YAML of: what stands after `image:` on a line; nothing else can be read for certain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gate.sources.templates import TEMPLATE

if TYPE_CHECKING:
    from gate.sources.text import SourceText

_IMAGE_LINE: Final = re.compile(
    r"^[ \t]*(?:-[ \t]+)?(?:\"image\"|'image'|image)[ \t]*:[ \t]+(?P<rest>[^\r\n]+)", re.MULTILINE
)
_MARK: Final = re.compile(r"^[^#\n]*?(?:(?<!\$)\{\{|\{%|<%)", re.MULTILINE)
_COMMENT: Final = re.compile(r"[ \t]#")


def is_template(text: str) -> bool:
    """Report whether a text holds marks of a template language outside comments; GitHub's `${{` is none."""
    return _MARK.search(text) is not None


def read_template(source: SourceText) -> None:
    """Report the images of a template: those with a variable part are unresolved."""
    for match in _IMAGE_LINE.finditer(source.text):
        start, rest = match.start("rest"), match["rest"]
        if TEMPLATE.search(rest):
            text = rest.rstrip()
            note = "a template decides it: read what it renders, as `helm template` prints"
            source.add_unresolved(start, start + len(text), "image", note)
            continue
        text = _COMMENT.split(rest, maxsplit=1)[0].rstrip()
        quoted = len(text) > 2 and text[0] == text[-1] and text[0] in "'\""
        source.add_image(start + quoted, start + len(text) - quoted, "image")
