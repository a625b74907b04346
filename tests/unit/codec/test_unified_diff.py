"""Which lines a unified diff changes."""

from __future__ import annotations

import pytest

from gate.codec.unified_diff import changed_lines
from gate.errors import UsageError

DIFF = b"""diff --git a/old b/app/Dockerfile
--- a/app/Dockerfile
+++ b/app/Dockerfile
@@ -1,3 +1,4 @@
 one
-two
+TWO
+more
 three
@@ -10 +11,2 @@ context
-x
+y
+++ z
\\ No newline at end of file
diff --git a/gone b/gone
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-x
--- a/a
+++ "b/gr\\303\\274n \\"x\\".yaml"
@@ -0,0 +1,2 @@
+a
+b
diff --git a/logo.png b/logo.png
Binary files a/logo.png and b/logo.png differ
"""


def test_new_lines_are_numbered_and_names_read() -> None:
    assert changed_lines(DIFF) == {"app/Dockerfile": {2, 3, 11, 12}, 'grün "x".yaml': {1, 2}}


def test_lines_of_windows_and_an_empty_diff() -> None:
    assert changed_lines(b"--- a/x\r\n+++ b/x\r\n@@ -1 +1 @@\r\n-a\r\n+b\r\n") == {"x": {1}}
    assert changed_lines(b"") == {}


@pytest.mark.parametrize("data", [b"hello", b"@@ -1 +1 @@\n-a\n+b\n", b"--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n a\n"])
def test_what_is_no_diff_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError):
        changed_lines(data)
