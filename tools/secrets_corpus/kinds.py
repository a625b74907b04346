"""The kinds of secrets that are planted: what a vendor's documentation says of each, not what the gate's rules say.

Templates are those of docs/secret-rules.md. A kind with its own form is planted under its usual name; one without a form is
known by its name alone, and stands only where a name can stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind: its name, the variable that it usually is in, its template, and whether its form alone tells it."""

    id: str
    variable: str
    template: str
    has_form: bool = True


# What password generators choose from; a brace would end the template.
_PRINTABLE: Final = "abcdefghkmnpqrstuvwxyzABCDEFGHKMNPQRSTUVWXYZ23456789!#%&()*+,-.;<=>?@^_~"
_LOWER_DIGITS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"

KINDS: Final = (
    Kind("github-classic", "GITHUB_TOKEN", "ghp_{{base62-crc32:30}}"),
    Kind("github-oauth", "GH_OAUTH_TOKEN", "gho_{{base62-crc32:30}}"),
    Kind("github-server", "GITHUB_TOKEN", "ghs_{{base62-crc32:30}}"),
    Kind("github-fine-grained", "GH_TOKEN", "github_pat_{{alnum:22}}_{{alnum:59}}"),
    Kind("gitlab-personal", "GITLAB_TOKEN", "glpat-{{base64url:20}}"),
    Kind("gitlab-deploy", "CI_DEPLOY_PASSWORD", "gldt-{{base64url:20}}"),
    Kind("gitlab-runner", "RUNNER_TOKEN", "glrt-{{base64url:20}}"),
    Kind("npm", "NPM_TOKEN", "npm_{{base62-crc32:30}}"),
    Kind("pypi", "TWINE_PASSWORD", "pypi-{{macaroon:pypi.org}}"),
    Kind("rubygems", "GEM_HOST_API_KEY", "rubygems_{{hex:48}}"),
    Kind("crates-io", "CARGO_REGISTRY_TOKEN", "cio{{alnum:32}}"),
    Kind("nuget", "NUGET_API_KEY", "oy2{{set:abcdefghijklmnopqrstuvwxyz234567:43}}"),
    Kind("docker-hub", "DOCKERHUB_TOKEN", "dckr_pat_{{base64url:27}}"),
    Kind("artifactory", "ARTIFACTORY_API_KEY", "AKCp{{alnum:69}}"),
    Kind("aws-pair", "AWS_ACCESS_KEY_ID", "AKIA{{base32:16}} AWS_SECRET_ACCESS_KEY={{aws-secret}}"),
    Kind("azure-storage", "AZURE_STORAGE_CONNECTION_STRING", "AccountName=shop;AccountKey={{bytes64:64}}"),
    Kind("azure-client-secret", "AZURE_CLIENT_SECRET", "{{alnum:3}}8Q~{{alnum:34}}"),
    Kind("azure-service-bus", "BUS", "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=a;SharedAccessKey={{bytes64:32}}"),
    Kind("google-api", "GOOGLE_API_KEY", "AIza{{base64url:35}}"),
    Kind("google-oauth", "GOOGLE_CLIENT_SECRET", "GOCSPX-{{base64url:28}}"),
    Kind("digitalocean", "DIGITALOCEAN_TOKEN", "dop_v1_{{hex:64}}"),
    Kind("databricks", "DATABRICKS_TOKEN", "dapi{{hex:32}}"),
    Kind("terraform-cloud", "TF_TOKEN", "{{alnum:14}}.atlasv1.{{alnum:67}}"),
    Kind("vault-service", "VAULT_TOKEN", "hvs.{{base64url:95}}"),
    Kind("doppler", "DOPPLER_TOKEN", "dp.pt.{{alnum:43}}"),
    Kind("pulumi", "PULUMI_ACCESS_TOKEN", "pul-{{hex:40}}"),
    Kind("age", "SOPS_AGE_KEY", "{{bech32:AGE-SECRET-KEY-:32}}"),
    Kind("slack-bot", "SLACK_BOT_TOKEN", "xoxb-{{digits:12}}-{{digits:12}}-{{alnum:24}}"),
    Kind("slack-user", "SLACK_TOKEN", "xoxp-{{digits:12}}-{{digits:12}}-{{digits:12}}-{{hex:32}}"),
    Kind("slack-webhook", "SLACK_URL", "https://hooks.slack.com/services/T{{base32:8}}/B{{base32:10}}/{{alnum:24}}"),
    Kind("discord-webhook", "DISCORD_URL", "https://discord.com/api/webhooks/{{digits:18}}/{{base64url:68}}"),
    Kind("telegram", "TELEGRAM_BOT_TOKEN", "{{digits:10}}:AA{{base64url:33}}"),
    Kind("sendgrid", "SENDGRID_API_KEY", "SG.{{base64url:22}}.{{base64url:43}}"),
    Kind("mailgun", "MAILGUN_API_KEY", "key-{{hex:32}}"),
    Kind("mailchimp", "MAILCHIMP_API_KEY", "{{hex:32}}-us14"),
    Kind("brevo", "BREVO_API_KEY", "xkeysib-{{hex:64}}-{{alnum:16}}"),
    Kind("twilio-token", "TWILIO_AUTH_TOKEN", "{{hex:32}}", has_form=False),
    Kind("stripe-live", "STRIPE_SECRET_KEY", "sk_live_{{alnum:99}}"),
    Kind("stripe-restricted", "STRIPE_KEY", "rk_live_{{alnum:99}}"),
    Kind("square", "SQUARE_ACCESS_TOKEN", "EAAA{{base64url:60}}"),
    Kind("shopify", "SHOPIFY_TOKEN", "shpat_{{hex:32}}"),
    Kind("openai-project", "OPENAI_API_KEY", "sk-proj-{{base64url:74}}T3BlbkFJ{{base64url:74}}"),
    Kind("openai-first", "OPENAI_API_KEY", "sk-{{alnum:20}}T3BlbkFJ{{alnum:20}}"),
    Kind("anthropic", "ANTHROPIC_API_KEY", "sk-ant-api03-{{base64url:93}}AA"),
    Kind("hugging-face", "HF_TOKEN", "hf_{{letters:34}}"),
    Kind("groq", "GROQ_API_KEY", "gsk_{{alnum:52}}"),
    Kind("replicate", "REPLICATE_API_TOKEN", "r8_{{alnum:37}}"),
    Kind("grafana", "GRAFANA_TOKEN", "{{hex-crc32:glsa_:32}}"),
    Kind("newrelic", "NEW_RELIC_API_KEY", "NRAK-{{base32:27}}"),
    Kind("sentry-user", "SENTRY_AUTH_TOKEN", "sntryu_{{hex:64}}"),
    Kind("dynatrace", "DT_API_TOKEN", "dt0c01.{{base32:24}}.{{base32:64}}"),
    Kind("datadog", "DATADOG_API_KEY", "{{hex:32}}", has_form=False),
    Kind("heroku", "HEROKU_API_KEY", "{{uuid}}", has_form=False),
    Kind("linear", "LINEAR_API_KEY", "lin_api_{{alnum:40}}"),
    Kind("notion", "NOTION_TOKEN", "ntn_{{digits:11}}{{alnum:35}}"),
    Kind("airtable", "AIRTABLE_TOKEN", "pat{{alnum:14}}.{{hex:64}}"),
    Kind("planetscale", "PLANETSCALE_TOKEN", "pscale_tkn_{{alnum:43}}"),
    Kind("postman", "POSTMAN_API_KEY", "PMAK-{{hex:24}}-{{hex:34}}"),
    Kind("postgres-url", "DATABASE_URL", "postgres://app:{{alnum:16}}@db.shop.internal:5432/shop"),
    Kind("mongodb-url", "MONGO_URL", "mongodb+srv://app:{{alnum:18}}@c0.shop.mongodb.net/shop"),
    Kind("amqp-url", "BROKER_URL", "amqps://queue:{{alnum:20}}@mq.shop.internal/"),
    Kind("basic-header", "PROXY_HEADER", "Authorization: Basic {{base64of:builder:k4Tn93vQz81}}"),
    Kind("jwt", "SERVICE_TOKEN", "{{jwt}}"),
    Kind("password-strong", "DB_PASSWORD", "{{alnum:8}}!{{alnum:8}}", has_form=False),
    Kind("password-weak", "ADMIN_PASSWORD", "{{set:bcdfghklmnprst:5}}-{{set:bcdfghklmnprst:4}}{{digits:2}}", has_form=False),
    Kind("token-hex", "INTERNAL_API_TOKEN", "{{hex:48}}", has_form=False),
    Kind("token-mixed", "SESSION_SECRET", "{{base64url:43}}", has_form=False),
    Kind("token-base36", "WEBHOOK_SECRET", f"{{{{set:{_LOWER_DIGITS}:32}}}}", has_form=False),
    Kind("password-symbols", "SMTP_PASSWORD", f"{{{{set:{_PRINTABLE}:16}}}}", has_form=False),
    Kind("password-rand", "LDAP_BIND_PASSWORD", "{{bytes64:18}}", has_form=False),
    Kind("encryption-key", "APP_ENCRYPTION_KEY", "{{hex:64}}", has_form=False),
    Kind("salt", "PASSWORD_SALT", "{{alnum:24}}", has_form=False),
    Kind("erlang-cookie", "RABBITMQ_ERLANG_COOKIE", "{{upper:20}}7", has_form=False),
    Kind("gitlab-routable", "GITLAB_TOKEN", "glpat-{{base64url:46}}.01.0z{{set:abcdefghijklmnopqrstuvwxyz0123456789:7}}"),
    Kind("redis-local-url", "REDIS_URL", "redis://default:{{alnum:20}}@localhost:6379/0"),
    Kind("rsa-key", "SIGNING_KEY", "{{pem:rsa}}"),
    Kind("ec-key", "JWT_KEY", "{{pem:ec}}"),
    Kind("pkcs8-key", "TLS_KEY", "{{pem:pkcs8}}"),
    Kind("openssh-key", "DEPLOY_KEY", "{{pem:openssh}}"),
)  # fmt: skip
