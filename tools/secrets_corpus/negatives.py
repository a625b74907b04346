"""What only looks like a secret: values that are put where secrets are put, and whole files that stock software has.

Specification: checks reference, sections 8.6 and 8.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from tools.secrets_corpus.kinds import Kind

FILES: Final = Path(__file__).resolve().parents[2] / "fixtures" / "secrets" / "negatives.yaml"

# A value under a name: planted in every carrier, as secrets are.
VALUES: Final = (
    Kind("checksum-wrong-github", "GITHUB_TOKEN_SAMPLE_ID", "ghp_{{alnum:36}}"),
    Kind("checksum-wrong-npm", "PACKAGE_ID", "npm_{{alnum:36}}"),
    Kind("checksum-wrong-grafana", "DASHBOARD_ID", "glsa_{{alnum:32}}_{{hex:8}}"),
    Kind("aws-documented-id", "AWS_ACCESS_KEY_ID", "AKIA{{set:ABCDEFGHIJ:1}}OSFODNN7EXAMPLE"),
    Kind("placeholder-shell", "DB_PASSWORD", "${DB_PASSWORD}"),
    Kind("placeholder-default", "DB_PASSWORD", "${DB_PASSWORD:-}"),
    Kind("placeholder-template", "API_TOKEN", "{% raw %}secrets.token{% endraw %}"),
    Kind("placeholder-angle", "API_KEY", "<your-api-key>"),
    Kind("placeholder-change", "SECRET_KEY", "changeme"),
    Kind("placeholder-stars", "PASSWORD", "********"),
    Kind("placeholder-x", "OPENAI_API_KEY", "sk-{{repeat:x:48}}"),
    Kind("placeholder-your", "STRIPE_SECRET_KEY", "your_stripe_secret_key"),
    Kind("placeholder-empty", "DB_PASSWORD", ""),
    Kind("placeholder-none", "DB_PASSWORD", "null"),
    Kind("file-of-secret", "DB_PASSWORD_FILE", "/run/secrets/db-password"),
    Kind("name-of-secret", "SECRET_NAME", "shop/production/database"),
    Kind("arn-of-secret", "SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:{{digits:12}}:secret:shop-{{alnum:6}}"),
    Kind("vault-path", "TOKEN_PATH", "secret/data/shop/api"),
    Kind("public-key-id", "AWS_KMS_KEY_ID", "{{uuid}}"),
    Kind("commit", "GIT_COMMIT", "{{hex:40}}"),
    Kind("image-digest", "IMAGE", "shop/app@sha256:{{hex:64}}"),
    Kind("sha256", "CHECKSUM", "{{hex:64}}"),
    Kind("md5", "CONTENT_MD5", "{{hex:32}}"),
    Kind("sri", "INTEGRITY", "sha512-{{base64:86}}=="),
    Kind("uuid", "INSTANCE_ID", "{{uuid}}"),
    Kind("etag", "ETAG", 'W/"{{hex:32}}"'),
    Kind("build-id", "BUILD_ID", "{{base64url:22}}"),
    Kind("url-local", "DATABASE_URL", "postgres://postgres:postgres@localhost:5432/app"),
    Kind("url-variable", "DATABASE_URL", "postgres://app:$DB_PASSWORD@db.shop.internal/shop"),
    Kind("url-plain", "ENDPOINT", "https://api.shop.io:8443/v1/a@b?key=value"),
    Kind("url-example", "DATABASE_URL", "mysql://user:password@db.example.com/app"),
    Kind("stripe-publishable", "STRIPE_PUBLISHABLE", "pk_live_{{alnum:99}}"),
    Kind("sentry-dsn", "SENTRY_ENDPOINT", "https://{{hex:32}}@o{{digits:6}}.ingest.sentry.io/{{digits:7}}"),
    Kind("google-client-id", "GOOGLE_CLIENT_ID", "{{digits:12}}-{{hex:32}}.apps.googleusercontent.com"),
    Kind("age-recipient", "AGE_RECIPIENT", "age1{{set:qpzry9x8gf2tvdw0s3jn54khce6mua7l:58}}"),
    Kind("certificate", "TLS_CERTIFICATE", "{{pem:certificate}}"),
    Kind("public-key", "VERIFY_WITH", "{{pem:public}}"),
    Kind("policy-word", "PASSWORD_POLICY", "strong"),
    Kind("token-type", "TOKEN_TYPE", "Bearer"),
    Kind("auth-method", "AUTH_METHOD", "client_secret_basic"),
    Kind("header-name", "TOKEN_HEADER", "X-Shop-Token"),
    Kind("sops-value", "DB_PASSWORD", "ENC[AES256_GCM,data:{{bytes64:14}},iv:{{bytes64:32}},tag:{{bytes64:16}},type:str]"),
    Kind("ejson-value", "API_TOKEN", "EJ[1:{{bytes64:32}}:{{bytes64:24}}:{{bytes64:34}}]"),
    Kind("transit-value", "SESSION_SECRET", "vault:v1:{{bytes64:44}}"),
    Kind("public-token", "PUBLIC_KEY_TOKEN", "{{hex:16}}"),
    Kind("named-by-itself", "CLIENT_SECRET", "shop-client-secret"),
    Kind("ssh-public", "AUTHORIZED", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA{{base64:43}} ada"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NegativeFile:
    """A file of stock software: its name in the corpus, its path, and the template of its content."""

    name: str
    path: str
    content: str


def read_negative_files(path: Path = FILES) -> tuple[NegativeFile, ...]:
    """Return the whole files, in their order."""
    return tuple(NegativeFile(**one) for one in yaml.safe_load(path.read_text(encoding="utf-8")))
