"""Names that mean a credential: their words, how they end, and the text that the automaton looks for.

One table for all three, so that what the automaton points at is what the rest understands. The words cover the names in
`fixtures/secrets/names.yaml`, which come from the documentation of servers, frameworks and services, each with its source.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

# A name is read as words: `dbPassword`, `DB_PASSWORD`, `db.password2`.
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", re.ASCII)

PASSWORDS: Final = frozenset(
    {
        "adminpw", "bindpw", "dbpw", "masterauth", "pass", "passcode", "passphrase", "passwd", "password", "passwords",
        "passwort", "psk", "psw", "pswd", "pwd", "requirepass", "rootpw", "userpw",
    }
)  # fmt: skip
TOKENS: Final = frozenset(
    {
        "accesstoken", "apikey", "appkey", "auth", "authkey", "authtoken", "credential", "credentials", "dsn",
        "featkey", "jwt", "mnemonic", "pepper", "privkey", "salt", "secret", "secrets", "token", "tokens",
    }
)  # fmt: skip
# What stands before `key` where the key is one that somebody keeps.
KEYS: Final = frozenset(
    {
        "access", "account", "admin", "aes", "agent", "api", "app", "application", "auth", "authentication", "bouncer",
        "cipher", "client", "consumer", "cookie", "credential", "credentials", "creds", "crypt", "crypto", "csrf",
        "decryption", "deploy", "des", "developer", "enc", "encrypt", "encryption", "enrollment", "fernet", "gossip",
        "hmac", "ingest", "ingestion", "installation", "integration", "join", "jwt", "licence", "license", "machine",
        "management", "master", "nonce", "otp", "packet", "preshared", "private", "provisioning", "recovery", "root",
        "salt", "sas", "sdk", "secret", "security", "server", "service", "session", "shared", "sig", "sign",
        "signature", "signing", "storage", "subscription", "symmetric", "token", "totp", "tsig", "unseal", "validation",
        "vault", "webhook", "write",
    }
)  # fmt: skip
_PAIRS: Final = frozenset(
    {
        ("backup", "codes"), ("cluster", "cookie"), ("connection", "string"), ("erl", "cookie"), ("erlang", "cookie"),
        ("key", "material"), ("license", "data"), ("master", "seed"), ("node", "cookie"), ("otp", "seed"), ("rabbitmq",
        "cookie"), ("recovery", "code"), ("recovery", "codes"), ("recovery", "phrase"), ("seed", "phrase"), ("totp",
        "seed"), ("wallet", "seed"),
    }
)  # fmt: skip
# A word that ends with one of these means the same where its first part is a word of its own: `dbpassword`, `clientsecret`.
_ENDS: Final = (
    "password", "passwd", "passphrase", "apikey", "secretkey", "accesskey", "privatekey", "masterkey", "authkey", "encryptionkey",
    "signingkey", "clientsecret", "sharedsecret", "authtoken", "accesstoken", "bottoken",
)  # fmt: skip
_PASSWORD_ENDS: Final = ("password", "passwd", "passphrase")
# `dbpass` and `rootpwd` are passwords, `bypass` is a word.
_GLUED = re.compile(
    r"(?:\w{0,20})(?:user|admin|root|master|db|database|smtp|mail|ftp|ssh|ldap|bind|sql|my|pg|key|store|keystore|proxy|http|login|wifi|auth|control|gui|api|web|app|owner|query)(?:pass|pwd|pw)"
)
# Whole endings whose words alone say too little.
_PHRASES: Final = (
    "logged_in_key", "sse_c_key", "replica_set_key", "service_role_key", "encryption_primary_key", "encryption_secondary_key",
    "encryption_deterministic_key",
    "key_derivation_salt",
)  # fmt: skip
_GLUED_SECRET = re.compile(
    r"(?:client|app|api|cookie|session|jwt|shared|web|hook|webhook|user|auth|hmac|oauth|master|signing)secret"
)
# Words behind the name that change nothing: `SECRET_KEY_BASE`, `DB_PASSWORD_PROD`.
_BEHIND: Final = frozenset(
    {
        "asymmetric", "b", "base", "clear", "connect", "current", "default", "dev", "hex", "live", "local", "main",
        "new", "old", "plain", "plaintext", "prev", "previous", "primary", "prod", "production", "raw", "readonly",
        "ro", "rw", "secondary", "staging", "str", "string", "test", "text", "v", "val", "value",
    }
)  # fmt: skip
# What makes a name with "password" in its middle that of a setting.
_ABOUT: Final = frozenset(
    {
        "age", "algorithm", "attribute", "auth", "change", "cmd", "column", "command", "confirm", "confirmation",
        "connector", "disabled", "enabled", "encoder", "encryption", "env", "expires", "expiry", "field", "file",
        "flow", "grant", "hash", "hashed", "hasher", "hashers", "hint", "history", "id", "input", "key", "label",
        "length", "location", "manager", "max", "md", "min", "mode", "name", "page", "path", "pattern", "placeholder",
        "policy", "prompt", "regex", "required", "requirements", "reset", "rule", "rules", "sha", "strategy",
        "strength", "template", "timeout", "type", "uri", "url", "user", "username", "validator", "validators",
        "verifier",
    }
)  # fmt: skip
# A password's hash, which is tried offline.
_NAMED_PASSWORDS: Final = frozenset({"password", "passwd", "passphrase"})
_HASHES: Final = frozenset({"hash", "hashed", "sha", "bcrypt", "md"})
# Words before "token" that make it a mark in a list of answers, a number of a request, or a word of a language.
PUBLIC_TOKENS: Final = frozenset(
    {
        "bos", "cancellation", "change", "cls", "completion", "continuation", "copy", "creation", "csrf", "cursor",
        "end", "eos", "export", "grant", "idempotency", "import", "input", "lifecycle", "lock", "mask", "max", "min",
        "next", "num", "output", "pad", "page", "pagination", "previous", "prompt", "public", "purchase", "request",
        "resume", "sep", "special", "start", "stop", "sync", "total", "unk", "update", "xsrf",
    }
)  # fmt: skip

# What the automaton looks for just before what assigns; it may say too much, never too little.
_KEY_WORDS: Final = "|".join(sorted(KEYS, key=lambda word: (-len(word), word)))
TRIGGER_WORDS: Final = (
    r"(?:passw(?:or)?[dt]|passphrase|passcode|pswd|\bpass|[_.-]pass|requirepass|[a-z]pass\b|\bpw|[_.-]pw|bindpw|rootpw|userpw|pwd|psk|psw\b|secret|token"
    rf"|(?:{_KEY_WORDS})[_.-]?key|logged_in_key|sse_c_key|replica_set_key|service_role_key|encryption_(?:primary|secondary|deterministic)_key|privkey|featkey|credentials?|auth|dsn|connection[_.-]?string|salt|pepper|cookie|mnemonic|jwt|seed|phrase"
    r"|(?:recovery|backup)[_.-]?codes?)[a-z0-9_-]{0,24}"
)

# For the digest of the rules.
NAME_TEXTS: Final = (
    *(" ".join(sorted(words)) for words in (PASSWORDS, TOKENS, KEYS, _BEHIND, PUBLIC_TOKENS)),
    *(" ".join(pair) for pair in sorted(_PAIRS)),
    " ".join(_ENDS), _GLUED.pattern, _GLUED_SECRET.pattern, TRIGGER_WORDS,
)  # fmt: skip


@lru_cache(maxsize=4096)
def kind_of(name: str) -> str | None:
    """Say whether this is the name of a `password` or a `token`; None where it is of neither."""
    words = [word.lower() for word in _WORDS.findall(name)]
    kind = "token" if name.lower().endswith(_PHRASES) else _kind(words)
    while kind is None and len(words) > 1 and words[-1] in _BEHIND:
        words.pop()
        kind = _kind(words)
    return kind


def _kind(words: list[str]) -> str | None:
    if not words:
        return None
    last = words[-1]
    if last in PASSWORDS or last.endswith(_PASSWORD_ENDS) or _GLUED.fullmatch(last) or words[-2:] == ["pass", "word"]:
        return "password"
    if last == "token" and any(word in PUBLIC_TOKENS for word in words[:-1]):
        return None
    if last in _HASHES and len(words) > 1 and _kind(words[:-1]) == "password":
        return "token"
    if _NAMED_PASSWORDS & set(words[:-1]) and not _ABOUT & set(words):
        # `SERVICE_PASSWORD_POSTGRESQL`: what follows says whose it is, so that the value must look like one.
        return "token"
    is_kept = last in {"key", "keys"} and len(words) > 1 and words[-2] in KEYS
    is_token = last in TOKENS or last.endswith(_ENDS) or bool(_GLUED_SECRET.fullmatch(last))
    return "token" if is_token or is_kept or tuple(words[-2:]) in _PAIRS else None
