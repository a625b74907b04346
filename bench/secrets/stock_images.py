"""What the images of stock software are made of; `bench/secrets/stock.py` makes them.

What lies on a language's registry is pinned by version; Debian's packages are those of the day: its archive keeps no older
ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class StockImage:
    """What an image is made of: Debian packages, and what the registries of languages add to them, each pinned.

    `variant` is mmdebstrap's: `minbase` is what Debian's own slim images begin with, `extract` lays files out and runs nothing.
    `resolve` brings what the wheels and the npm packages depend on, as their installers do; `sources` are source distributions
    of PyPI whose files lie in the image as `COPY . /app` leaves them: nobody's package lists them.
    """

    name: str
    debian: tuple[str, ...]
    variant: str = "minbase"
    wheels: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    jars: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    resolve: bool = False


_WHEELS: Final = (
    "cryptography==44.0.0", "botocore==1.35.90", "boto3==1.35.90", "django==5.1.4", "paramiko==3.5.0", "twisted==24.11.0",
    "tornado==6.4.2", "urllib3==2.3.0", "certifi==2024.12.14", "requests==2.32.3", "requests-oauthlib==2.0.0",
    "oauthlib==3.2.2", "pyjwt==2.10.1", "sqlalchemy==2.0.36", "ansible-core==2.18.1", "pip==24.3.1", "setuptools==75.6.0",
    "numpy==2.2.1", "flask==3.1.0", "werkzeug==3.1.3", "google-auth==2.37.0", "azure-identity==1.19.0", "redis==5.2.1",
    "psycopg2-binary==2.9.10", "celery==5.4.0", "aiohttp==3.11.11", "pyopenssl==24.3.0", "kubernetes==31.0.0", "docker==7.1.0",
)  # fmt: skip
_NPM: Final = (
    "aws-sdk@2.1692.0", "@aws-sdk/client-s3@3.717.0", "express@4.21.2", "lodash@4.17.21", "typescript@5.7.2", "node-forge@1.3.1",
    "jsonwebtoken@9.0.2", "jose@5.9.6", "webpack@5.97.1", "axios@1.7.9", "mongodb@6.12.0", "pg@8.13.1", "ws@8.18.0",
    "passport@0.7.0", "ssh2@1.16.0", "sshpk@1.18.0", "http-signature@1.4.0", "request@2.88.2", "undici@7.2.0", "next@15.1.3",
)  # fmt: skip
_JARS: Final = (
    "org.springframework.boot:spring-boot:3.4.1", "org.springframework.boot:spring-boot-autoconfigure:3.4.1",
    "org.springframework:spring-core:6.2.1", "org.springframework:spring-web:6.2.1",
    "org.springframework.security:spring-security-crypto:6.4.2", "org.springframework.security:spring-security-oauth2-jose:6.4.2",
    "org.apache.logging.log4j:log4j-core:2.24.3", "io.netty:netty-handler:4.1.116.Final",
    "org.bouncycastle:bcprov-jdk18on:1.79", "org.bouncycastle:bcpkix-jdk18on:1.79",
    "com.amazonaws:aws-java-sdk-core:1.12.780", "software.amazon.awssdk:s3:2.29.43", "software.amazon.awssdk:auth:2.29.43",
    "org.apache.tomcat.embed:tomcat-embed-core:10.1.34", "org.postgresql:postgresql:42.7.4", "com.mysql:mysql-connector-j:9.1.0",
    "org.hibernate.orm:hibernate-core:6.6.4.Final", "org.apache.kafka:kafka-clients:3.9.0", "com.nimbusds:nimbus-jose-jwt:9.48",
    "com.squareup.okhttp3:okhttp:4.12.0", "com.fasterxml.jackson.core:jackson-databind:2.18.2",
    "io.grpc:grpc-netty-shaded:1.69.0",
)  # fmt: skip
_MODULES: Final = (
    "golang.org/x/crypto@v0.31.0",
    "github.com/golang-jwt/jwt/v5@v5.2.1",
    "google.golang.org/grpc@v1.69.2",
)
_UNSEEN_WHEELS: Final = (
    "apache-airflow-core==3.3.2", "asyncpg==0.32.0", "authlib==1.9.10", "azure-storage-blob==12.31.1",
    "django-allauth==65.21.1", "djangorestframework==3.18.3", "elasticsearch==9.5.1", "fastapi==0.165.0",
    "flask-jwt-extended==4.7.4", "google-auth-oauthlib==1.5.0", "google-cloud-storage==3.17.1", "gunicorn==27.0.1",
    "httpx==0.28.1", "hvac==2.4.0", "jupyter-server==2.21.1", "ldap3==2.9.1", "mitmproxy==11.0.2", "notebook==7.6.5",
    "openai==3.57.0", "pandas==3.1.1", "passlib==1.7.4", "pycryptodome==4.4.0", "pydantic==2.14.4", "pymongo==4.20.1",
    "pynacl==1.6.2", "python-jose==3.5.0", "scrapy==2.19.0", "sentry-sdk==2.75.0", "slack-sdk==3.48.0",
    "social-auth-core==7.0.0", "starlette==1.10.0", "stripe==16.1.0", "twilio==9.13.0", "zeep==4.3.3",
)  # fmt: skip
_UNSEEN_NPM: Final = (
    "firebase-admin@13.10.0", "stripe@23.1.0", "nodemailer@10.6.1", "socket.io@4.8.4", "passport-jwt@4.0.1", "oauth@0.10.2",
    "googleapis-common@8.0.3", "@azure/identity@4.13.1", "twilio@6.2.0", "mysql2@3.24.6", "ioredis@6.0.0", "eslint@10.15.0",
    "vite@8.3.8", "mocha@12.0.3", "pm2@7.0.4", "node-rsa@2.0.0", "jsrsasign@11.1.5", "openpgp@6.3.2", "ethers@6.17.0",
    "pem@1.14.8",
)  # fmt: skip
_UNSEEN_JARS: Final = (
    "org.keycloak:keycloak-core:26.0.7", "org.eclipse.jetty:jetty-server:12.0.16", "io.quarkus:quarkus-core:3.17.5",
    "com.squareup.okhttp3:okhttp-tls:4.12.0", "org.apache.hadoop:hadoop-common:3.4.1", "io.jsonwebtoken:jjwt-impl:0.12.6",
    "com.azure:azure-identity:1.14.2", "com.google.cloud:google-cloud-storage:2.46.0", "org.liquibase:liquibase-core:4.30.0",
    "com.h2database:h2:2.3.232", "org.wiremock:wiremock:3.10.0", "org.elasticsearch.client:elasticsearch-rest-client:8.17.0",
    "org.mongodb:mongodb-driver-core:5.2.1", "redis.clients:jedis:5.2.0", "org.apache.sshd:sshd-core:2.14.0",
)  # fmt: skip

# The ten whose every finding was looked at, and mended or listed.
STOCK: Final = (
    StockImage(name="slim", debian=("ca-certificates", "tzdata", "netbase")),
    # As Alpine is made: BusyBox and musl, and a few services.
    StockImage(
        name="busybox",
        debian=("busybox-static", "musl", "ca-certificates", "dropbear-bin", "openssl", "lua5.4", "sqlite3", "tini"),
        variant="extract",
    ),
    StockImage(name="python", debian=("python3", "python3-venv", "libpq5", "ca-certificates"), wheels=_WHEELS),
    StockImage(name="node", debian=("nodejs", "ca-certificates"), npm=_NPM),
    StockImage(name="java", debian=("openjdk-17-jre-headless", "ca-certificates-java"), jars=_JARS),
    StockImage(name="nginx", debian=("nginx-extras", "openssl", "gettext-base", "certbot")),
    StockImage(name="databases", debian=("postgresql", "redis-server", "mariadb-server", "memcached")),
    StockImage(name="golang", debian=("golang-go", "git", "gcc", "ca-certificates"), modules=_MODULES),
    StockImage(
        name="web",
        debian=(
            "apache2",
            "libapache2-mod-php",
            "php-mysql",
            "ruby-rails",
            "ruby-jwt",
            "libwww-perl",
            "libcrypt-openssl-rsa-perl",
        ),
    ),
    StockImage(
        name="tools", debian=("openssh-server", "openssl", "curl", "git", "gnupg", "wget", "rsync", "stunnel4", "vim")
    ),
)
# What no rule was developed on and no list was made from: measured alone.
UNSEEN: Final = (
    StockImage(name="unseen-python", debian=("python3", "ca-certificates"), wheels=_UNSEEN_WHEELS),
    StockImage(name="unseen-node", debian=("nodejs", "ca-certificates"), npm=_UNSEEN_NPM),
    StockImage(name="unseen-java", debian=("openjdk-17-jre-headless",), jars=_UNSEEN_JARS),
    StockImage(
        name="unseen-servers",
        debian=(
            "exim4-daemon-light",
            "dovecot-imapd",
            "haproxy",
            "mosquitto",
            "bind9",
            "openvpn",
            "strongswan",
            "freeradius",
        ),
    ),
    StockImage(
        name="unseen-php", debian=("php-cli", "composer", "wordpress", "puppet", "lua5.4", "tcl", "erlang-base")
    ),
)
