"""What the images of the measure of the shipped policies are made of: ordinary software as it comes from its registries."""

from __future__ import annotations

from typing import Final

from bench.secrets.stock_images import StockImage

_CERTIFICATES: Final = "ca-certificates"

ORDINARY: Final = (
    StockImage(name="debian-slim", debian=(_CERTIFICATES, "tzdata")),
    StockImage(name="nginx", debian=("nginx-light",)),
    StockImage(name="apache-php", debian=("apache2", "libapache2-mod-php")),
    StockImage(name="php-fpm", debian=("php-fpm", "php-mysql")),
    StockImage(name="postgresql", debian=("postgresql",)),
    StockImage(name="mariadb", debian=("mariadb-server",)),
    StockImage(name="redis", debian=("redis-server",)),
    StockImage(name="memcached", debian=("memcached",)),
    StockImage(name="haproxy", debian=("haproxy",)),
    StockImage(name="squid", debian=("squid",)),
    StockImage(name="bind", debian=("bind9",)),
    StockImage(name="openssh", debian=("openssh-server",)),
    StockImage(name="postfix", debian=("postfix",)),
    StockImage(name="mosquitto", debian=("mosquitto",)),
    StockImage(name="perl", debian=("libwww-perl", "libdbi-perl")),
    StockImage(name="ruby", debian=("ruby", "ruby-rack")),
    StockImage(name="node", debian=("nodejs",)),
    StockImage(name="node-app", debian=("nodejs",), npm=("express@5.2.1", "ioredis@6.0.0", "ws@8.18.3")),
    StockImage(name="python", debian=("python3",)),
    StockImage(
        name="python-app",
        debian=("python3", _CERTIFICATES),
        wheels=("fastapi==0.165.0", "starlette==1.10.0", "gunicorn==27.0.1", "httpx==0.28.1", "sqlalchemy==2.0.36"),
    ),
    StockImage(name="java", debian=("openjdk-17-jre-headless",)),
    StockImage(
        name="java-app",
        debian=("openjdk-17-jre-headless",),
        jars=(
            "com.h2database:h2:2.3.232",
            "redis.clients:jedis:5.2.0",
            "com.fasterxml.jackson.core:jackson-databind:2.18.2",
        ),
    ),
    StockImage(name="git-tools", debian=("git", "curl", "rsync", "gnupg")),
    StockImage(name="busybox", debian=("busybox-static", "musl", _CERTIFICATES), variant="extract"),
)
