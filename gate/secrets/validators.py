"""Tests that tell a secret from what only looks like one: checksums, structure, placeholders.

Pure functions over one candidate. Specification: checks reference, section 8.3.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from hashlib import sha256
from typing import Final
from zlib import crc32

BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)

_PLACEHOLDER = re.compile(
    r"""
      \$\{[A-Za-z_]\w*(?::?[-+?=][^}]*)?\} | \$\(.*\) | %\w+% | %\(\w+\)s   # a variable of a shell, of Windows, of Python
    | (.)\1* | [*x.#_-]+                                                # one character over and over
    | (?:your|my|the|some|any|new|old|strong|secure)?[_-]?(?:password|passwd|secret|token|api[_-]?key)(?:[_-]?here)?[:?.!*]{0,3}
    | (?:api[_-]?)?key[_-]?1234?5?6?7?8?9?0?                           # a key that counts
    | (?:your|insert|replace|example|dummy|fake)[_-].* | my[_-][a-z _.-]*
    | (?:[a-z]{2,20}|[0-9]{1,3})(?:[ _.-](?:[a-z]{2,20}|[0-9]{1,3}))*[_-](?:here|example|placeholder)
    | [a-z_-]*example                                                   # words alone: a token may end with any letters
    | true|false|null|none|nil|undefined|yes|no|disabled|enabled|required|optional|redacted|hidden|string|str|int|bool
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_VARIABLE = re.compile(r"(?:\$|%)([A-Za-z_]\w*)", re.ASCII)
# Places that a template, a manual or a program fills in: `{{ .Values.key }}`, `${KEY}`, `<your key>`, `<%= key %>`, `#{key}`.
_TEMPLATE = re.compile(
    r"\{\{.*?\}\}|[$#]\{[A-Za-z_][^{}]*\}|<[A-Za-z][\w .:/'-]{2,60}>|<%.*?%>|\{%.*?%\}|@[A-Za-z_.]{3,40}@|__[A-Z_]{3,40}__",
    re.DOTALL,
)
_MIN_REST: Final = 6
_HAS_DIGIT = re.compile("[0-9]")
_HAS_LETTER = re.compile("[A-Za-z]")
# So much of a path between two slashes, of digits and letters of both kinds, is a part of base64.
_BASE64_SEGMENT: Final = 16
_PATH = re.compile(r"(?:~|\.{0,2})/[\w./@+-]*|[A-Za-z]:\\[\w.\\ -]*", re.ASCII)
_URL_WITHOUT_USER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://@?[^@]*", re.DOTALL)
_ARN = re.compile(r"arn:aws[a-z-]*:.*", re.DOTALL)
_CALL = re.compile(r"[A-Za-z_][\w.]*\(.*\)", re.DOTALL)
_SAMPLE_HOST = re.compile(
    r"(?:.*\.)?example(?:\.[a-z]+)?|(?:.*\.)?(?:test|invalid)"
    r"|(?:my|your|some|the|proxy|remote)?[_-]?host(?:_?name)?",
    re.IGNORECASE,
)
_LOCAL_HOST = re.compile(r"localhost|127\.\d+\.\d+\.\d+|\[?::1\]?|0\.0\.0\.0", re.IGNORECASE)
_DEFAULT_PASSWORDS: Final = frozenset(
    {
        "1234", "123456", "12345678", "admin", "bar", "changeme", "dev", "development", "elastic", "example", "foo",
        "guest", "mypassword", "mysecretpassword", "mysql", "neo4j", "pass", "passwd", "password", "postgres", "pwd",
        "root", "secret", "test", "user", "xxx",
    }
)  # fmt: skip
# Accounts of manuals: Oracle's first one and its kin, with the password that they always have.
_SAMPLE_ACCOUNT = re.compile(r"scott:tiger.{0,8}|foo:bar|dotenv:key_\d+", re.IGNORECASE | re.DOTALL)
# A name of an account that says only that one stands here, and the same at a host that says it.
_SAMPLE_USER = re.compile(
    r"""["'`]?(?:user_?name|foo|bar|baz)["'`]?(?:@["'`]?[\w%.-]{1,60}["'`]?)?|["'`]?user["'`]?@["'`]?host(?:_?name)?["'`]?""",
    re.IGNORECASE,
)
# Kubernetes' and others' versions in the names of types, and a number behind the last of several words.
_TYPE_VERSION = re.compile(
    r"(?<![A-Za-z])[vV]\d{1,2}(?:(?:alpha|beta|Alpha|Beta)\d{1,2})?(?=[A-Z])|(?<=[A-Za-z]{3})[-_]\d{1,2}$"
)
_GENERIC = re.compile(r"[A-Za-z]{2,20}\[([\w., ]{2,80})\]")
_WORDED = re.compile(r"[A-Za-z]{2,30}(?:[ _.-][A-Za-z]{2,30})+", re.ASCII)
_LAST_WORD = re.compile(r"(password|passwd|passphrase|secret|token|key)[_-]?\d{0,2}$", re.IGNORECASE)
_COUNTED_TOKEN = re.compile(r"[A-Za-z]{0,12}token[_-]?\d{1,4}", re.IGNORECASE)
_AWS_SECRET = re.compile(r"[A-Za-z0-9/+]{40}", re.ASCII)
_AWS_SECRET_ENTROPY: Final = 4.0
_CRYPT = re.compile(
    r"\$(?:1|2[abxy]?|5|6|y|7|gy|sha1|md5|apr1|argon2(?:id|i|d))\$[./A-Za-z0-9$=,+-]{8,250}"
    r"|\{(?:SHA|SSHA|SHA256|SHA512|SSHA256|SSHA512)\}[A-Za-z0-9+/]{20,200}={0,2}|[./A-Za-z0-9]{13}",
    re.ASCII,
)
_LETTERS = re.compile(r"[A-Za-z][A-Za-z_./: -]*", re.ASCII)
_CAPITAL = re.compile(r"[a-z][A-Z]", re.ASCII)
# A longer value is no stand-in, and the patterns below are not linear.
_MAX_PLACEHOLDER: Final = 512
# AWS's sample keys: an id, a secret, and a shorter secret; whole, so that the word behind another token says nothing.
_AWS_SAMPLE = re.compile(r"[A-Z0-9]{9,14}EXAMPLE|[A-Za-z0-9/+]{30}EXAMPLEKEY|[A-Za-z0-9/+]{33}EXAMPLE")


def has_base62_checksum(value: str) -> bool:
    """Say whether the last 6 of 36 characters are the base-62 CRC-32 of the 30 before (GitHub, npm)."""
    body = value[-36:]
    return base62(crc32(body[:30].encode()), 6) == body[30:]


def base62(number: int, width: int) -> str:
    """Return a number in base 62, filled up with zeros."""
    return _in_base(number, width, BASE62)


def _in_base(number: int, width: int, alphabet: str) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, len(alphabet))
        digits = alphabet[digit] + digits
    return digits.rjust(width, "0")


def has_bech32_checksum(value: str) -> bool:
    """Say whether the text is sound Bech32 (BIP 173), as age's keys are."""
    prefix, _, data = value.lower().rpartition("1")
    if not prefix or any(letter not in _BECH32 for letter in data):
        return False
    return _bech32_state(prefix, [_BECH32.index(letter) for letter in data]) == 1


def bech32_text(prefix: str, data: bytes) -> str:
    """Return bytes as Bech32 with its checksum, in lower case."""
    bits = int.from_bytes(data, "big") << -len(data) * 8 % 5
    count = (len(data) * 8 + 4) // 5
    groups = [bits >> 5 * place & 31 for place in reversed(range(count))]
    state = _bech32_state(prefix, [*groups, *[0] * 6]) ^ 1
    checksum = [state >> 5 * place & 31 for place in reversed(range(6))]
    return prefix + "1" + "".join(_BECH32[number] for number in (*groups, *checksum))


def _bech32_state(prefix: str, numbers: list[int]) -> int:
    expanded = [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]
    state = 1
    for number in expanded + numbers:
        top, state = state >> 25, (state & 0x1FFFFFF) << 5 ^ number
        for bit, generator in enumerate(_BECH32_GENERATORS):
            state ^= generator if top >> bit & 1 else 0
    return state


def has_hex_checksum(value: str) -> bool:
    """Say whether the last 8 characters are the CRC-32 of all before the last `_` (Grafana)."""
    body, _, digits = value.rpartition("_")
    return digits == hex_crc32(body)


def hex_crc32(body: str) -> str:
    """Return the CRC-32 of a text as Grafana writes it: hexadecimal, the lowest byte first.

    Specification: grafana/grafana `pkg/components/satokengen/tokengen.go`.
    """
    return crc32(body.encode("latin-1", "replace")).to_bytes(4, "little").hex()


def has_base36_checksum(value: str) -> bool:
    """Say whether the last 7 characters are the CRC-32 of all before, in base 36 (GitLab's routable tokens).

    Specification: gitlab-org/gitlab `lib/authn/token_field/generator/routable_token.rb`.
    """
    body = value[:-7]
    return "." in body and value[-7:] == base36(crc32(body.encode("latin-1", "replace")), 7)


def base36(number: int, width: int) -> str:
    """Return a number in base 36 with lower-case letters, filled up with zeros."""
    return _in_base(number, width, BASE36)


def has_base58_checksum(value: str) -> bool:
    """Say whether a text is sound Base58Check, as the extended keys of BIP 32 are."""
    number = 0
    for letter in value:
        digit = _BASE58.find(letter)
        if digit < 0:
            return False
        number = number * 58 + digit
    data = number.to_bytes(max(5, (number.bit_length() + 7) // 8), "big")
    return _double_sha256(data[:-4]) == data[-4:]


def base58_check(data: bytes) -> str:
    """Return bytes, the first of them not zero, as Base58Check."""
    return _in_base(int.from_bytes(data + _double_sha256(data), "big"), 0, _BASE58)


def _double_sha256(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()[:4]


def is_aws_secret(value: str) -> bool:
    """Say whether a value has the form of an AWS secret access key and is no sample, digest or path."""
    if not _AWS_SECRET.fullmatch(value) or is_placeholder(value) or entropy(value) <= _AWS_SECRET_ENTROPY:
        return False
    return bool(re.search(r"[a-z]", value) and re.search(r"[A-Z]", value) and re.search(r"[0-9]", value))


def is_crypt_hash(value: str) -> bool:
    """Say whether a value is a password's hash as `crypt` or Apache's htpasswd writes it."""
    return bool(_CRYPT.fullmatch(value))


def is_words(value: str) -> bool:
    """Say whether a value is only letters and `-_./: `, with a capital after a small letter as seldom as in words."""
    return bool(_LETTERS.fullmatch(value)) and 5 * len(_CAPITAL.findall(value)) <= len(value)


def is_placeholder(value: str) -> bool:
    """Say whether a value stands for a secret that is not here: a variable, a template, a word of documentation."""
    if len(value) > _MAX_PLACEHOLDER:
        return False
    is_one = _PLACEHOLDER.fullmatch(value) or _AWS_SAMPLE.fullmatch(value)
    return bool(is_one) or _is_variable(value) or _is_template(value) or _is_counted(value)


def _is_variable(value: str) -> bool:
    """Say whether a value is a variable as a name is written: `$DB_PASSWORD`, and not `$aB3kd92`, which is a password."""
    found = _VARIABLE.fullmatch(value)
    return found is not None and not (is_mixed(found[1]) and found[1] not in {found[1].lower(), found[1].upper()})


def _is_template(value: str) -> bool:
    """Say whether places in a value are to be filled in, and the rest of it is no random text."""
    rest, count = _TEMPLATE.subn("", value)
    return count > 0 and not (is_mixed(rest) and len(rest) >= _MIN_REST and rest not in {rest.lower(), rest.upper()})


def is_mixed(value: str) -> bool:
    """Say whether a value has digits and letters."""
    return bool(_HAS_DIGIT.search(value) and _HAS_LETTER.search(value))


def _is_counted(value: str) -> bool:
    """Say whether a value is one character over and over, or counts up, after any prefix: `0123456789`, `abcdefgh`."""
    body = re.sub(r"^[A-Za-z]{1,8}[-_.]", "", value)
    # The steps from one character to the next: a sample has few of them, a random value has many.
    steps = {ord(after) - ord(before) for before, after in itertools.pairwise(body)}
    return len(body) >= 8 and len(steps) <= 2


def is_reference(value: str) -> bool:
    """Say whether a value is a path, a call, or a URL without a password: something that leads to a secret."""
    if _PATH.fullmatch(value):
        return not any(len(part) >= _BASE64_SEGMENT and _is_of_all(part) for part in value.split("/"))
    return any(form.fullmatch(value) for form in (_CALL, _URL_WITHOUT_USER, _ARN))


def _is_of_all(text: str) -> bool:
    return bool(_HAS_DIGIT.search(text) and re.search("[a-z]", text) and re.search("[A-Z]", text))


def is_sample_host(host: str) -> bool:
    """Say whether a host is reserved for documentation (RFC 2606), or named as manuals name one."""
    return bool(_SAMPLE_HOST.fullmatch(host))


def is_local_default(user: str, password: str, host: str) -> bool:
    """Say whether this is the account that a server has before anybody sets one, on this machine: `postgres:postgres@localhost`.

    Any other password for a server of this machine is somebody's: a sidecar and a proxy are reached so.
    """
    is_default = password.lower() in _DEFAULT_PASSWORDS or password.lower() == user.lower()
    return bool(_LOCAL_HOST.fullmatch(host)) and is_default


def is_sample_account(user: str, password: str) -> bool:
    """Say whether a user and a password are a pair that manuals print for an account of nobody."""
    return bool(_SAMPLE_ACCOUNT.fullmatch(f"{user}:{password}"))


def is_sample_user(user: str) -> bool:
    """Say whether an account is named as manuals name one that does not exist: `username@hostname`, `'bar'@'%'`."""
    return bool(_SAMPLE_USER.fullmatch(user))


def is_type_name(value: str) -> bool:
    """Say whether a value is the name of a type: words with a version before them, in a list or alone."""
    generic = _GENERIC.fullmatch(value)
    return is_words(_TYPE_VERSION.sub("", generic[1] if generic else value))


def names_itself(name: str, value: str) -> bool:
    """Say whether a value only says what stands in its place: words of which the last is that of its own name.

    `client_secret: provider-app-client-secret`, `token: newtoken123`. A password may not count: many do.
    """
    wanted = _LAST_WORD.search(name)
    last = wanted[1].lower() if wanted else ""
    if last == "token" and _COUNTED_TOKEN.fullmatch(value):
        return True
    return bool(last) and bool(_WORDED.fullmatch(value)) and re.split(r"[ _.-]", value)[-1].lower() == last


def entropy(value: str) -> float:
    """Return Shannon's entropy of the characters, in bits a character."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values()) if size else 0.0
