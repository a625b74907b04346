"""What code assigns to names: a comma assigns in a call that sets something, and parts the items of a list elsewhere."""

from __future__ import annotations

import pytest

from gate.secrets.automaton import Trigger, build_automaton
from gate.secrets.places import Assignment
from gate.secrets.structure import CODE_TRIGGER, find_quoted
from gate.secrets.value_forms import Worth, of_code

_PLACES = build_automaton([Trigger(0, "code", CODE_TRIGGER, everywhere=True)])


def _found(code: str) -> list[Assignment]:
    block = code.encode()
    return list(find_quoted(block, _PLACES.scan(block).get(0, ())))


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("define('DB_PASSWORD', 'xK9!mmPqz7')", "xK9!mmPqz7"),
        ('os.environ.setdefault("SECRET_KEY", "abcd1234efgh")', "abcd1234efgh"),
        ('password = "hunter2abc"', "hunter2abc"),
        ('{"password": "hunter2abc"}', "hunter2abc"),
    ],
)
def test_an_assignment_is_found(code: str, value: str) -> None:
    assert [found.value for found in _found(code)] == [value]


@pytest.mark.parametrize(
    "value",
    ["+h.hex}g=h.hex}if(h.utf8!==undefined){g=", ", hex1.Encode(pw[:4]), ", "+b64(p1)+", " + this.user1 + ", " . $x1 . ",
     " << pw1 << ", ".. tostring(p9) ..", " & strPass1 & "],
)  # fmt: skip
def test_what_stands_between_two_strings_is_no_value(value: str) -> None:
    assert of_code(value) is Worth.NONE


@pytest.mark.parametrize("value", ["+aB3kd92xY!k1", ".aB3kd92xY!k1", "&aB3kd92+Xy", "+aB3kd92+Xy7", "+kd92-(xY)!k1"])
def test_a_password_may_begin_with_a_sign(value: str) -> None:
    assert of_code(value) is Worth.LIKELY


@pytest.mark.parametrize(
    "code",
    ['("auth", "0002_alter_permission")', '["new_password1", "new_password2"]', 'depends("secret", "web-frontend-9")'],
)
def test_a_list_assigns_nothing(code: str) -> None:
    assert _found(code) == []
