"""Private keys as they stand in sources: comments, diffs, strings that are joined. Keys are made by `cryptography`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from gate.model.finding import Confidence
from gate.pipeline.collect.secret_rules import load_rule_set
from gate.secrets.budget import Budget
from gate.secrets.hit import Hit
from gate.secrets.search import Search

RULES = load_rule_set((), None)
PKCS8, PKCS1, OPENSSH = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def lines(pem: bytes) -> list[str]:
    return pem.decode().strip().split("\n")


KEYS = {
    "rsa pkcs8": lines(RSA.private_bytes(Encoding.PEM, PKCS8, NoEncryption())),
    "rsa pkcs1": lines(RSA.private_bytes(Encoding.PEM, PKCS1, NoEncryption())),
    "ec": lines(EC.private_bytes(Encoding.PEM, PKCS1, NoEncryption())),
    "ed25519": lines(ED.private_bytes(Encoding.PEM, PKCS8, NoEncryption())),
    "openssh": lines(ED.private_bytes(Encoding.PEM, OPENSSH, NoEncryption())),
}
LOCKED = lines(RSA.private_bytes(Encoding.PEM, PKCS8, BestAvailableEncryption(b"Zq7-1hh")))

Write = Callable[[list[str]], str]


def before(mark: str) -> Write:
    return lambda key: "\n".join(mark + line for line in key)


def joined(head: str, each: str, end: str, *, last: str = "") -> Write:
    def write(key: list[str]) -> str:
        return head + "\n".join(each.format(line) for line in key[:-1]) + "\n" + (last or each).format(key[-1]) + end

    return write


SOURCES: dict[str, Write] = {
    "// comment": before("// "),
    "//comment": before("//"),
    "/// comment": before("/// "),
    "//! comment": before("//! "),
    "javadoc": lambda key: "/**\n" + before(" * ")(key) + "\n */",
    "# comment": before("# "),
    "#comment": before("#"),
    "-- comment of SQL": before("-- "),
    ";; comment of Lisp": before(";; "),
    "% comment of TeX": before("% "),
    "REM": before("REM "),
    "diff added": before("+"),
    "diff removed": before("-"),
    "diff context": before(" "),
    "diff of a comment": before("+ // "),
    "quoted mail": before("> "),
    "go concatenation": joined("const key = ", '"{}\\n" +', "", last='"{}"'),
    "go raw": lambda key: "var key = []byte(`" + "\n".join(key) + "`)",
    "java": joined("String k =\n", '    "{}\\n" +', ";", last='    "{}\\n"'),
    "java builder": lambda key: "".join(f'sb.append("{line}\\n");\n' for line in key),
    "javascript array": lambda key: "const k = [\n" + "".join(f"  '{line}',\n" for line in key) + "].join('\\n')",
    "javascript continuation": lambda key: 'const k = "' + "\\n\\\n".join(key) + '"',
    "python implicit": joined("KEY = (\n", '    "{}\\n"', ")"),
    "python bytes": joined("KEY = (\n", "    b'{}\\n'", ")"),
    "c": joined("static const char key[] =\n", '"{}\\r\\n"', ";"),
    "c macro": joined("#define KEY \\\n", '"{}\\n" \\', ""),
    "visual basic": joined("key = ", '"{}" & vbCrLf & _', "", last='"{}"'),
    "php": joined("$k = ", "'{}' . \"\\n\" .", ";", last="'{}'"),
    "ruby heredoc": lambda key: "KEY = <<~PEM\n  " + "\n  ".join(key) + "\nPEM",
    "rust": lambda key: 'const K: &str = "' + "\n".join(key) + '";',
    "one line without breaks": lambda key: key[0] + "".join(key[1:-1]) + key[-1],
    "one line of blanks": " ".join,
    "json": lambda key: '{"key": "' + "\\n".join(key) + '\\n"}',
    "json in json": lambda key: '{"a": "{\\"key\\": \\"' + "\\\\n".join(key) + '\\"}"}',
    "xml": lambda key: "<key>" + "&#10;".join(key) + "</key>",
    "carriage returns": "\r\n".join,
}


def search(text: str, name: str = "src/app/key.txt") -> list[Hit]:
    hits: list[Hit] = []
    engine = Search(RULES, Budget(), hits.append, lambda where, reason: pytest.fail(f"{where.path}: {reason}"))
    content = text.encode()
    file = engine.begin(name, len(content))
    file.feed(memoryview(content))
    file.finish()
    return hits


@pytest.mark.parametrize("write", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_is_certain_however_a_source_writes_it(write: Write, key: list[str]) -> None:
    hits = search("package main\n\n" + write(key) + "\n\nfunc main() {}\n")
    assert [(hit.rule, hit.confidence) for hit in hits] == [("private-key", Confidence.CERTAIN)]


@pytest.mark.parametrize("write", SOURCES.values(), ids=SOURCES)
def test_an_encrypted_key_is_found_however_a_source_writes_it(write: Write) -> None:
    assert [hit.rule for hit in search(write(LOCKED))] == ["encrypted-private-key"]


@pytest.mark.parametrize("write", SOURCES.values(), ids=SOURCES)
def test_a_certificate_is_none_however_a_source_writes_it(write: Write) -> None:
    certificate = [line.replace("PRIVATE KEY", "CERTIFICATE") for line in KEYS["rsa pkcs8"]]
    assert search(write(certificate)) == []


@pytest.mark.parametrize("write", SOURCES.values(), ids=SOURCES)
def test_a_block_whose_bytes_are_no_key_is_none(write: Write) -> None:
    key = KEYS["rsa pkcs8"]
    assert [hit.rule for hit in search(write([key[0], *["QUJD" * 16] * 10, key[-1]]))] == []


def test_a_marker_that_code_compares_with_hides_no_key_behind_it() -> None:
    code = 'if line == "-----BEGIN RSA PRIVATE KEY-----" {\n' + "// keys are read here\n" * 2000 + "}\n"
    hits = search(code + "\n".join(KEYS["rsa pkcs1"]))
    assert [(hit.rule, hit.confidence) for hit in hits] == [("private-key", Confidence.CERTAIN)]
