"""Rules for secrets that are known by their own form: a vendor's prefix, a checksum, a structure.

Patterns are linear in the text: bounded classes, no nested repetition (attack X11). Entropy alone is never a finding.
Specification: checks reference, section 8.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from gate.model.finding import Severity
from gate.secrets.validators import (
    has_base62_checksum,
    has_bech32_checksum,
    is_aws_secret,
    is_placeholder,
    is_private_key,
    is_sample_host,
    jwt_algorithm,
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A secret in a text: its rule, and its value, which must not leave this package."""

    rule: str
    title: str
    severity: Severity
    value: str

    def __repr__(self) -> str:
        """Show the rule alone: a value must not reach a log by a debugger or a failed assertion."""
        return f"Hit({self.rule})"


@dataclass(frozen=True, slots=True)
class _Form:
    """One rule: the first group of the pattern, or all of it, is the value; `judge` gives None where it is no secret."""

    rule: str
    title: str
    pattern: re.Pattern[str]
    judge: Callable[[re.Match[str]], Severity | None]


def _high(_: re.Match[str]) -> Severity:
    return Severity.HIGH


def _checked(test: Callable[[str], bool]) -> Callable[[re.Match[str]], Severity | None]:
    return lambda found: Severity.CRITICAL if test(found[0]) else None


def _not_zeros(found: re.Match[str]) -> Severity | None:
    return None if re.fullmatch(r"xox\w-[0x-]+", found[0]) else Severity.HIGH


def _stripe(found: re.Match[str]) -> Severity:
    return Severity.LOW if "_test_" in found[0] else Severity.HIGH


def _jwt(found: re.Match[str]) -> Severity | None:
    algorithm = jwt_algorithm(found[0])
    if algorithm is None or is_placeholder(found[0]):
        return None
    return Severity.LOW if algorithm.lower() == "none" else Severity.MEDIUM


def _url_password(found: re.Match[str]) -> Severity | None:
    password, host = found[1], found[2]
    return None if is_placeholder(password) or is_sample_host(host) else Severity.HIGH


def _form(rule: str, title: str, pattern: str, judge: Callable[[re.Match[str]], Severity | None] = _high) -> _Form:
    return _Form(rule, title, re.compile(pattern, re.ASCII), judge)


_FORMS: Final = (
    _form("github-token", "GitHub token", r"gh[pousr]_[A-Za-z0-9]{36}", _checked(has_base62_checksum)),
    _form("github-fine-grained-token", "GitHub token", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _form("npm-token", "npm token", r"npm_[A-Za-z0-9]{36}", _checked(has_base62_checksum)),
    _form("gitlab-token", "GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,60}"),
    _form("slack-token", "Slack token", r"\bxox[abposr]-[A-Za-z0-9-]{10,250}", _not_zeros),
    _form("stripe-key", "Stripe secret key", r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,250}", _stripe),
    _form("sendgrid-key", "SendGrid API key", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    _form("google-api-key", "Google API key", r"\bAIza[A-Za-z0-9_-]{35}"),
    _form("pypi-token", "PyPI token", r"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,250}"),
    _form("hugging-face-token", "Hugging Face token", r"\bhf_[A-Za-z]{34}\b"),
    _form("vault-token", "Vault token", r"\bhvs\.[A-Za-z0-9_-]{24,250}"),
    _form("digitalocean-token", "DigitalOcean token", r"dop_v1_[a-f0-9]{64}"),
    _form("grafana-token", "Grafana service account token", r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}"),
    _form("openai-key", "OpenAI API key", r"\bsk-[A-Za-z0-9_-]{10,100}T3BlbkFJ[A-Za-z0-9_-]{10,100}"),
    _form("anthropic-key", "Anthropic API key", r"\bsk-ant-[A-Za-z0-9_-]{80,120}"),
    _form("docker-hub-token", "Docker Hub token", r"dckr_pat_[A-Za-z0-9_-]{27}"),
    _form("azure-storage-key", "Azure storage key", r"AccountKey=([A-Za-z0-9+/]{86}==)"),
    _form("age-key", "age secret key", r"AGE-SECRET-KEY-1[A-Z0-9]{58}", _checked(has_bech32_checksum)),
    _form(
        "jwt", "JSON Web Token",
        r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{2,8000}\.[A-Za-z0-9_-]{0,2000}", _jwt,
    ),
    _form(
        "url-password", "Password in a URL",
        r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/@:'\"<>]{0,100}:([^\s/@'\"]{1,200})@([A-Za-z0-9._-]{1,250})", _url_password,
    ),
)  # fmt: skip

_AWS_ID = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])", re.ASCII)
_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])", re.ASCII)
_AWS_REACH: Final = 1000

_PEM_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]{0,20})PRIVATE KEY-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,20}PRIVATE KEY-----")
_MAX_PEM_CHARACTERS: Final = 32 * 1024

# The rules as text, for their digest.
RULE_TEXTS: Final = (
    *(f"{form.rule} {form.pattern.pattern}" for form in _FORMS),
    *(pattern.pattern for pattern in (_AWS_ID, _AWS_SECRET, _PEM_BEGIN, _PEM_END)),
)


def find_forms(text: str) -> Iterator[Hit]:
    """Yield the secrets in a text that are known by their own form."""
    for form in _FORMS:
        for found in form.pattern.finditer(text):
            severity = form.judge(found)
            if severity is not None:
                yield Hit(form.rule, form.title, severity, found[1] if form.rule in _GROUPED else found[0])
    yield from _aws(text)
    yield from _private_keys(text)


_GROUPED: Final = frozenset(form.rule for form in _FORMS if form.pattern.groups)


def _aws(text: str) -> Iterator[Hit]:
    for found in _AWS_ID.finditer(text):
        if is_placeholder(found[0]):
            continue
        near = text[max(0, found.start() - _AWS_REACH) : found.end() + _AWS_REACH]
        secrets = [one[0] for one in _AWS_SECRET.finditer(near) if is_aws_secret(one[0])]
        yield from (Hit("aws-key-pair", "AWS secret access key", Severity.CRITICAL, one) for one in secrets)
        if not secrets:
            yield Hit("aws-access-key-id", "AWS access key id without its secret", Severity.MEDIUM, found[0])


def _private_keys(text: str) -> Iterator[Hit]:
    end: re.Match[str] | None = None
    for begin in _PEM_BEGIN.finditer(text):
        if end is None or end.start() < begin.end():
            end = _PEM_END.search(text, begin.end())
        if end is None:
            return
        body = text[begin.end() : end.start()]
        if len(body) <= _MAX_PEM_CHARACTERS and is_private_key(body):
            is_locked = "ENCRYPTED" in begin[1] or "Proc-Type:" in body
            severity = Severity.MEDIUM if is_locked else Severity.CRITICAL
            yield Hit("private-key", "Private key", severity, text[begin.start() : end.end()])
