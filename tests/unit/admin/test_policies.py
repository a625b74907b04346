"""`gate policy`: nothing is overwritten, only digests are written, and never a document that would be refused."""

from __future__ import annotations

import errno
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from gate.admin import policies
from gate.admin.policies import init_policy, pin_document, schema_text, validate_document
from gate.codec.policy.document import parse_policy
from gate.disk.package_data import data_path
from gate.errors import GateError, PolicyError, UsageError
from gate.model.digest import Digest
from gate.model.policy import Policy
from tests.support.policies import KEY_PEM, OTHER_PEM, MemoryFiles
from tests.support.sources import ROOT

SHIPPED = ("baseline", "production", "strict")
NOW = datetime(2026, 11, 25, tzinfo=UTC)
HEAD = "# kept\napiVersion: gate/v1\nkind: Policy\nmetadata: {name: a}\nspec:\n"
HEX_A, HEX_B = Digest.of(KEY_PEM).hex, Digest.of(OTHER_PEM).hex
SIGNED = """\
  signature:
    - images: '**' # all
      anyOf:
        - key: {file: a.pub, notAfter: 2027-06-30} # first
        - key:
            # below
            file: b.pub # second
            notBefore: 2026-01-01
      annotations: {file: a.pub}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.pub").write_bytes(KEY_PEM)
    (tmp_path / "b.pub").write_bytes(OTHER_PEM)
    return tmp_path


def write(folder: Path, spec: str, head: str = HEAD) -> Path:
    path = folder / "policy.yaml"
    path.write_text(head + spec, encoding="utf-8")
    return path


@pytest.mark.parametrize("template", ["baseline", "production", "strict"])
def test_init_writes_a_policy_that_is_accepted(tmp_path: Path, template: str) -> None:
    path = tmp_path / "new.yaml"
    init_policy(path, template=template)
    valid = validate_document(path, NOW)
    assert (valid.kind, valid.name, valid.unpinned) == ("Policy", template, ())
    assert valid.digest == Digest.of(path.read_bytes())


def test_init_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"mine")
    with pytest.raises(UsageError) as caught:
        init_policy(path)
    assert caught.value.code == "USAGE"
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize(("name", "template"), [("gone/new.yaml", "production"), ("new.yaml", "../secret")])
def test_init_refuses_what_it_cannot_do(tmp_path: Path, name: str, template: str) -> None:
    with pytest.raises(UsageError) as caught:
        init_policy(tmp_path / name, template=template)
    assert caught.value.code == "USAGE"


@pytest.mark.parametrize("kind", ["policy", "requirement"])
def test_schema_is_the_shipped_one(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_text(kind)))


def test_no_other_schema(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        schema_text(str(tmp_path))
    assert caught.value.code == "USAGE"


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ("  vulnerabilities: {failon: high}\n", "POL_UNKNOWN_KEY"),
        ("  rules: [{id: r, cel: '1 +', message: m}]\n", "POL_MALFORMED"),
        ("  signature: [{images: '**', anyOf: [{key: {file: gone.pub}}]}]\n", "POL_FILE"),
        ("", "POL_EMPTY"),
    ],
)
def test_validate_refuses(folder: Path, spec: str, code: str) -> None:
    with pytest.raises(PolicyError) as caught:
        validate_document(write(folder, spec), NOW)
    assert caught.value.code == code


def test_validate_judges_dates(folder: Path) -> None:
    path = write(folder, "  vulnerabilities: {}\n", HEAD.replace("{name: a}", "{name: a, expires: 2026-11-24}"))
    with pytest.raises(PolicyError) as caught:
        validate_document(path, NOW)
    assert caught.value.code == "POL_EXPIRED"
    assert validate_document(path, datetime(2026, 11, 24, tzinfo=UTC)).name == "a"


def test_validate_takes_requirements(folder: Path) -> None:
    verdict = f"{{signedBy: [{{key: {{file: a.pub}}}}], policies: ['{Digest.of(b'p')}']}}"
    text = HEAD.replace("Policy", "Requirement") + f"  images: [{{match: '**', verdict: {verdict}}}]\n"
    path = folder / "requirement.yaml"
    path.write_text(text, encoding="utf-8")
    assert validate_document(path, NOW).kind == "Requirement"
    assert [pin.path for pin in pin_document(path, NOW)] == ["a.pub"]
    assert f"{{file: a.pub, sha256: {HEX_A}}}" in path.read_text(encoding="utf-8")


def test_pin_writes_digests_and_leaves_the_rest(folder: Path) -> None:
    path = write(folder, SIGNED)
    path.chmod(0o640)
    assert validate_document(path, NOW).unpinned == ("a.pub", "b.pub")
    pins = pin_document(path, NOW)
    assert [(pin.path, pin.digest.hex, pin.before) for pin in pins] == [("a.pub", HEX_A, None), ("b.pub", HEX_B, None)]
    expected = HEAD + SIGNED.replace("{file: a.pub, not", f"{{file: a.pub, sha256: {HEX_A}, not").replace(
        "            file: b.pub", f"            sha256: {HEX_B}\n            file: b.pub"
    )
    assert path.read_text(encoding="utf-8") == expected
    assert path.stat().st_mode & 0o777 == 0o640
    assert validate_document(path, NOW).unpinned == ()
    assert pin_document(path, NOW) == ()
    assert path.read_text(encoding="utf-8") == expected


def test_pin_replaces_a_digest_that_is_another(folder: Path) -> None:
    path = write(folder, f"  signature: [{{images: '**', anyOf: [{{key: {{sha256: '{HEX_B}', file: a.pub}}}}]}}]\n")
    with pytest.raises(PolicyError) as caught:
        validate_document(path, NOW)
    assert caught.value.code == "POL_FILE"
    (pin,) = pin_document(path, NOW)
    assert (pin.before, pin.digest.hex) == (HEX_B, HEX_A)
    assert validate_document(path, NOW).unpinned == ()


def test_pin_keeps_text_that_is_not_ascii(folder: Path) -> None:
    path = write(folder, SIGNED, HEAD.replace("# kept", "# gehört dem Team 🔑"))
    pin_document(path, NOW)
    assert path.read_text(encoding="utf-8").startswith("# gehört dem Team 🔑\n")
    assert validate_document(path, NOW).unpinned == ()


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (SIGNED.replace("b.pub", "gone.pub"), "POL_FILE"),
        (SIGNED.replace("b.pub", "../b.pub"), "POL_FILE"),
        (SIGNED.replace("b.pub", "a.pub"), "POL_MALFORMED"),
        (SIGNED + "  unknown: 1\n", "POL_UNKNOWN_KEY"),
    ],
)
def test_pin_changes_nothing_where_the_result_would_be_refused(folder: Path, spec: str, code: str) -> None:
    path = write(folder, spec)
    before = path.read_bytes()
    with pytest.raises(GateError) as caught:
        pin_document(path, NOW)
    assert caught.value.code == code
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "code"), [("", "POL_EMPTY"), ("# nothing\n", "POL_EMPTY"), ("- a\n", "POL_MALFORMED")]
)
def test_what_is_no_policy_is_neither_pinned_nor_valid(folder: Path, text: str, code: str) -> None:
    path = write(folder, text, head="")
    for command in (pin_document, validate_document):
        with pytest.raises(PolicyError) as caught:
            command(path, NOW)
        assert caught.value.code == code


def test_pin_says_where_it_cannot_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_place_and_content: object, mode: int) -> None:
        del mode
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(policies, "write_atomically", full)
    path = write(folder, SIGNED)
    with pytest.raises(UsageError) as caught:
        pin_document(path, NOW)
    assert (caught.value.code, caught.value.seen) == ("USAGE", os.strerror(errno.ENOSPC))


def test_rules_that_cannot_be_checked_are_not_valid(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(folder, "  rules: [{id: r, cel: 'true', message: m}]\n")
    assert validate_document(path, NOW).name == "a"
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(PolicyError) as caught:
        validate_document(path, NOW)
    assert caught.value.code == "POL_MALFORMED"


@pytest.mark.parametrize("name", ["baseline", "production"])
def test_the_shipped_policies_ask_what_they_say(name: str) -> None:
    policy = parse_policy(data_path(f"policies/{name}.yaml").read_bytes(), name=name, files=MemoryFiles())
    assert policy.vulnerabilities is not None
    assert policy.secrets is not None
    assert policy.image is not None
    assert (policy.name, policy.signature, policy.expires, policy.unpinned) == (name, None, None, ())
    # A baseline that asks for age or revision would refuse a first run for reasons that are nobody's fault.
    asks_more = (policy.image.max_age is not None, policy.image.revision.value, bool(policy.rules))
    assert asks_more == ((False, "any", False) if name == "baseline" else (True, "required", True))


def test_the_commented_parts_of_the_start_are_accepted_when_they_are_switched_on(folder: Path) -> None:
    text = data_path("policies/production.yaml").read_text("utf-8")
    for commented, written in (
        ("  # references:\n  #   registries:", "  references:\n    registries:"),
        ("    # emptyBase:", "    emptyBase:"),
        ("  # expires: 2027-12-31", "  expires: 2027-12-31"),
    ):
        assert commented in text
        text = text.replace(commented, written)
    waivers = text.split("  # waivers:\n")[1].split("\n\n")[0]
    text = text.replace("  # waivers:\n" + waivers, "  waivers:\n" + waivers.replace("  #   ", "    "))
    signature = text.split("  # signature:\n")[1].split("  # A key can")[0]
    text = text.replace("  # signature:\n" + signature, "  signature:\n" + signature.replace("  #   ", "    "))
    (folder / "keys").mkdir()
    (folder / "keys" / "release.pub").write_bytes(KEY_PEM)
    path = folder / "production.yaml"
    path.write_text(text, encoding="utf-8")
    assert validate_document(path, NOW).unpinned == ("keys/release.pub",)


def shipped(name: str) -> Policy:
    return parse_policy(data_path(f"policies/{name}.yaml").read_bytes(), name=name, files=MemoryFiles({}))


def test_each_shipped_policy_blocks_what_the_laxer_one_blocks() -> None:
    found = [shipped(name) for name in SHIPPED]
    severities = [policy.vulnerabilities.fail_on.rank for policy in found if policy.vulnerabilities is not None]
    unfixed = [policy.vulnerabilities.ignore_unfixed for policy in found if policy.vulnerabilities is not None]
    assert severities == sorted(severities, reverse=True)
    assert severities[0] > severities[-1]
    assert unfixed == [True, False, False]
    assert [policy.coverage.unread.value for policy in found] == ["warn", "fail", "fail"]
    ages = [policy.image.max_age.days if policy.image and policy.image.max_age else None for policy in found]
    assert ages == [None, 60, 30]


def test_the_page_of_the_shipped_policies_names_each_and_is_linked() -> None:
    page = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    head = next(line for line in page.splitlines() if line.startswith("| what "))
    assert [cell.strip(" `") for cell in head.split("|")[2:-2]] == list(SHIPPED)
    assert {path.stem for path in (ROOT / "policies").glob("*.yaml")} == set(SHIPPED)
    assert "(policies.md)" in (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
