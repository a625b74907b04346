"""Images whose packages a seed drew from lists of what most people use: nobody picked them (`bench/secrets/draw.py`).

`python -m bench.secrets.draw 2026 COUNT LIST NAME` draws the same from the same list. Left out, each with its name: what needs a
graphics card (`nvidia-cusparse-cu12`, `triton`), and what is for another system (`fsevents`).

| list | its source | names | sha256 |
|---|---|---|---|
| Debian | packages of Debian 12 on which most others depend, of services; 2026-12-01 | 1,000 | ceabffc2… |
| PyPI | the most downloaded, hugovk/top-pypi-packages, 2026-04-01 | 1,000 | f03804ff… |
| npm | the most downloaded, wooorm/npm-high-impact, 2025-12-04, without `@types/` | 1,500 | 74b7276a… |
| Maven | what `spring-boot-dependencies` 3.4.1 manages | 362 | 02d5e6a4… |
"""

from __future__ import annotations

from typing import Final

from bench.secrets.stock_images import StockImage

_PYTHON: Final = ("python3", "ca-certificates")
_NODE: Final = ("nodejs", "ca-certificates")
_JAVA: Final = ("openjdk-17-jre-headless",)

DRAWN: Final = (
    StockImage(
        name="drawn-debian-1",
        debian=(
            "python3-lxml",
            "libdbd-sqlite3-perl",
            "ruby-railties",
            "libbatik-java",
            "libconfig-any-perl",
            "rpcbind",
        ),
    ),
    StockImage(
        name="drawn-debian-2",
        debian=(
            "python3-oslo.concurrency",
            "libarchive-zip-perl",
            "php-horde-db",
            "alembic",
            "python3-ldap",
            "samba-common-bin",
        ),
    ),
    StockImage(
        name="drawn-debian-3",
        debian=(
            "sphinx-rtd-theme-common",
            "fcitx-bin",
            "ruby-eventmachine",
            "libhttp-tiny-perl",
            "python3-distro-info",
            "attr",
        ),
    ),
    StockImage(
        name="drawn-debian-4",
        debian=("python3-lxml", "libtype-tiny-perl", "erlang-crypto", "ejabberd", "ruby-faraday", "libfuture-perl"),
    ),
    StockImage(
        name="drawn-python-1",
        debian=_PYTHON,
        resolve=True,
        wheels=(
            "cryptography",
            "flask",
            "backports-tarfile",
            "simplejson",
            "ipython-pygments-lexers",
            "redshift-connector",
            "zarr",
            "rfc3986-validator",
            "pydantic-extra-types",
            "bracex",
            "pypdfium2",
            "types-certifi",
        ),
    ),
    StockImage(
        name="drawn-python-2",
        debian=_PYTHON,
        resolve=True,
        wheels=(
            "botocore",
            "greenlet",
            "jaraco-functools",
            "msal",
            "poetry",
            "asyncpg",
            "apache-airflow-providers-common-sql",
            "google-cloud-bigquery-storage",
            "jira",
            "thinc",
            "pyathena",
        ),
    ),
    StockImage(
        name="drawn-python-3",
        debian=_PYTHON,
        resolve=True,
        wheels=(
            "sortedcontainers",
            "fonttools",
            "tokenizers",
            "google-cloud-secret-manager",
            "dbt-common",
            "types-python-dateutil",
            "pypdf",
            "tensorboard",
            "pip-tools",
            "azure-datalake-store",
            "simpleeval",
        ),
    ),
    StockImage(
        name="drawn-node-1",
        debian=_NODE,
        resolve=True,
        npm=(
            "@smithy/util-utf8",
            "pkg-dir",
            "has-property-descriptors",
            "domhandler",
            "dedent",
            "define-lazy-prop",
            "validate-npm-package-license",
            "@eslint/config-array",
            "@graphql-tools/utils",
            "stack-trace",
            "@babel/plugin-transform-react-jsx-development",
        ),
    ),
    StockImage(
        name="drawn-node-2",
        debian=_NODE,
        resolve=True,
        npm=(
            "fastq",
            "css-tree",
            "jest-validate",
            "jest-cli",
            "json-stringify-safe",
            "regjsgen",
            "is-promise",
            "std-env",
            "dashdash",
            "forever-agent",
            "micromark-util-character",
            "pino",
        ),
    ),
    StockImage(
        name="drawn-node-3",
        debian=_NODE,
        resolve=True,
        npm=(
            "jsesc",
            "lodash.merge",
            "domelementtype",
            "istanbul-lib-coverage",
            "terser",
            "@babel/plugin-syntax-import-attributes",
            "@babel/plugin-syntax-optional-catch-binding",
            "@babel/plugin-syntax-import-assertions",
            "thenify-all",
            "micromark-util-character",
            "@radix-ui/react-collection",
            "@babel/plugin-syntax-dynamic-import",
        ),
    ),
    StockImage(
        name="drawn-java-1",
        debian=_JAVA,
        jars=(
            "org.eclipse.angus:angus-mail:2.0.3",
            "org.apache.commons:commons-pool2:2.12.0",
            "co.elastic.clients:elasticsearch-java:8.15.5",
            "org.codehaus.janino:commons-compiler:3.1.12",
            "org.apache.kafka:kafka-raft:3.8.1",
            "org.apache.kafka:kafka_2.13:3.8.1",
            "com.oracle.database.jdbc:ojdbc8:23.5.0.24.07",
            "com.oracle.database.xml:xdb:23.5.0.24.07",
            "org.springframework.boot:spring-boot-docker-compose:3.4.1",
            "org.springframework.boot:spring-boot-starter-data-r2dbc:3.4.1",
            "org.springframework.boot:spring-boot-starter-data-redis:3.4.1",
            "org.springframework.boot:spring-boot-starter-jetty:3.4.1",
            "org.slf4j:slf4j-jdk-platform-logging:2.0.16",
            "com.redis:testcontainers-redis:2.2.2",
            "org.apache.tomcat:tomcat-jdbc:10.1.34",
        ),
    ),
    StockImage(
        name="drawn-java-2",
        debian=_JAVA,
        jars=(
            "org.apache.derby:derbyoptionaltools:10.16.1.1",
            "org.ehcache:ehcache-transactions:3.10.8",
            "co.elastic.clients:elasticsearch-java:8.15.5",
            "jakarta.management.j2ee:jakarta.management.j2ee-api:1.1.4",
            "jakarta.servlet.jsp.jstl:jakarta.servlet.jsp.jstl-api:3.0.2",
            "jakarta.xml.ws:jakarta.xml.ws-api:4.0.2",
            "org.apache.kafka:kafka-metadata:3.8.1",
            "org.mongodb:bson-record-codec:5.2.1",
            "com.oracle.database.jdbc:rsi:23.5.0.24.07",
            "com.oracle.database.nls:orai18n:23.5.0.24.07",
            "org.springframework.boot:spring-boot-loader-tools:3.4.1",
            "org.springframework.boot:spring-boot-starter-data-jdbc:3.4.1",
            "org.springframework.boot:spring-boot-starter-data-mongodb-reactive:3.4.1",
            "org.springframework.boot:spring-boot-starter-data-redis:3.4.1",
            "org.xmlunit:xmlunit-legacy:2.10.0",
        ),
    ),
    StockImage(name="drawn-source-1", debian=_PYTHON, sources=("simple-salesforce", "flask-limiter", "twilio")),
    StockImage(name="drawn-source-2", debian=_PYTHON, sources=("tree-sitter", "types-python-dateutil", "logfire")),
)
