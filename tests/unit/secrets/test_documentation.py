"""What is written for readers must look random; nothing else is spared, and no form of a vendor is (attacks X03, X11)."""

from __future__ import annotations

import time

import pytest

from gate.secrets.documentation import Documentation
from tests.unit.secrets.test_search import TOKEN, search

SAMPLE = "S3nsit1ve_W0rd"
RANDOM = "q8Zr4TnX2vLw9YkB7mHc"

DOCSTRING = 'def connect():\n    """Connect.\n\n    >>> connect(password="{0}")\n    """\n'
COMMENT = '# Sets the password of the user who logs in.\n#\n#   uri.password = "{0}"\n'
JAVADOC = '/**\n * Sets the password of the user who logs in.\n *\n *   uri.password = "{0}"\n */\n'


@pytest.mark.parametrize(
    ("name", "text"),
    [("app/a.py", DOCSTRING), ("app/a.rb", COMMENT), ("app/A.java", JAVADOC), ("app/a.pyc", DOCSTRING)],
)
def test_a_sample_in_documentation_is_none_and_a_random_value_is(name: str, text: str) -> None:
    assert search(text.format(SAMPLE).encode(), name) == ([], [])
    assert [hit.rule for hit in search(text.format(RANDOM).encode(), name)[0]] == ["password-assignment"]


CODE = [
    pytest.param("app/a.py", 'PASSWORD = "{0}"\n', id="code"),
    pytest.param("app/a.py", '"""Settings."""\n\nPASSWORD = "{0}"\n', id="behind a docstring"),
    pytest.param("app/a.py", 'mark = \'"""\'\nPASSWORD = "{0}"\nend = \'"""\'\n', id="quotes in quotes"),
    pytest.param("app/a.py", '# """\nPASSWORD = "{0}"\n# """\n', id="quotes in comments"),
    pytest.param("app/a.py", 'CONFIG = """\npassword = \'{0}\'\n"""\n', id="a text that is assigned"),
    pytest.param("app/a.py", '#PASSWORD = "{0}"\n', id="a line that is commented out"),
    pytest.param("app/a.rb", '# x = 1\n# password = "{0}"\n# y = 2\n', id="lines that are commented out"),
    pytest.param("app/a.rb", '# def connect():\n#     password = "{0}"\n', id="a function that is commented out"),
    pytest.param("app/a.rb", '# A sentence of more than five words.\npassword = "{0}"\n', id="below a comment"),
    pytest.param("app/.env", '# A sentence of more than five words.\nPASSWORD="{0}"\n', id="settings"),
]


@pytest.mark.parametrize(("name", "text"), CODE)
def test_code_and_settings_are_no_documentation(name: str, text: str) -> None:
    assert [hit.rule for hit in search(text.format(SAMPLE).encode(), name)[0]] == ["password-assignment"]


@pytest.mark.parametrize("text", [DOCSTRING, COMMENT, JAVADOC])
@pytest.mark.parametrize("word", ["example", "sample", "test", "documentation", "dummy"])
def test_x03_no_word_or_place_for_readers_takes_a_vendors_token_away(text: str, word: str) -> None:
    content = f"# {word}: {word} only, not a real {word}\n" + text.format(TOKEN.decode())
    assert search(content.encode(), f"usr/share/doc/{word}/{word}.py")[0][0].value == TOKEN


@pytest.mark.parametrize(
    "text",
    [
        '"' + '\\"' * 400_000,
        '"""' + '\\"""' * 200_000,
        "'''" + '"""' * 200_000,
        "'" * 800_001,
        "#   " * 200_000,
        ": '''\\",
    ],
    ids=["escapes", "escaped ends", "mixed", "single", "comment", "an end"],
)
def test_x11_hostile_python_costs_time_in_proportion(text: str) -> None:
    began = time.thread_time()
    for at in range(0, len(text), max(1, len(text) // 50)):
        Documentation(text[: len(text) // 10], "a.py").holds(at)
    Documentation(text, "a.py").holds(len(text) - 1)
    assert time.thread_time() - began < 60
