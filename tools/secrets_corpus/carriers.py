"""The places that a secret is planted in: a path and a file's bytes, for one name and its value.

Text carriers give a name to the value; wrapping carriers put a text into an encoding or a container. Deterministic: archives
have fixed times. Specification: checks reference, sections 8.4, 8.5 and 8.7.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import marshal
import sqlite3
import struct
import tarfile
import tempfile
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable, Mapping
from hashlib import sha1
from pathlib import Path
from typing import Final

import zstandard

_EPOCH: Final = (2024, 1, 1, 0, 0, 0)
_FILLER: Final = "The quick brown fox jumps over the lazy dog; pack my box with five dozen jugs.\n"

Planted = tuple[str, bytes]
Carrier = Callable[[str, str], Planted]


def _dotenv(name: str, value: str) -> str:
    quoted = value.replace("\n", "\\n")
    return f'APP_ENV=production\nPORT=8080\n{name}="{quoted}"\nLOG_LEVEL=info\n'


def _padded(name: str, value: str) -> str:
    # Compressors store a short text as it is.
    return _FILLER * 20 + _dotenv(name, value) + _FILLER * 20


def _yaml(name: str, value: str) -> str:
    if "\n" in value:
        body = value.replace("\n", "\n    ")
        return f"server:\n  port: 8080\n  {name.lower()}: |\n    {body}\n  debug: false\n"
    return f'server:\n  port: 8080\n  {name.lower()}: "{value}"\n  debug: false\n'


def _json(name: str, value: str) -> str:
    return json.dumps({"server": {"port": 8080, name.lower(): value}, "debug": False}, indent=2)


def _properties(name: str, value: str) -> str:
    escaped = value.replace("\n", "\\n")
    return f"server.port=8080\napp.{name.lower().replace('_', '.')}={escaped}\nlog.level=info\n"


def _shell(name: str, value: str) -> str:
    return f"#!/bin/sh\nset -eu\nexport {name}='{value}'\nexec /app/run \"$@\"\n"


def _python(name: str, value: str) -> str:
    return f'"""Settings."""\n\nimport os\n\nDEBUG = False\n{name} = {value!r}\nPORT = int(os.environ["PORT"])\n'


def _javascript(name: str, value: str) -> str:
    return f"module.exports = {{\n  port: 8080,\n  {name.lower()}: {json.dumps(value)},\n}};\n"


def _go(name: str, value: str) -> str:
    return f"package main\n\nconst (\n\tport = 8080\n\t{name.title().replace('_', '')} = {json.dumps(value)}\n)\n"


def _toml(name: str, value: str) -> str:
    return f"[server]\nport = 8080\n{name.lower()} = {json.dumps(value)}\n"


def _terraform(name: str, value: str) -> str:
    return f'region = "eu-west-1"\n{name.lower()} = {json.dumps(value)}\n'


def _kubernetes(name: str, value: str) -> str:
    encoded = base64.b64encode(value.encode()).decode()
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\ndata:\n  {name.lower().replace('_', '-')}: {encoded}\n"
    )


def _compose(name: str, value: str) -> str:
    return f"services:\n  app:\n    image: shop/app\n    environment:\n      {name}: {json.dumps(value)}\n"


def _log(name: str, value: str) -> str:
    escaped = value.replace("\n", "\\n")
    return f"2024-01-01T00:00:00Z INFO starting\n2024-01-01T00:00:01Z DEBUG {name}={escaped}\n2024-01-01T00:00:02Z INFO up\n"


def _minified(name: str, value: str) -> str:
    filler = "function a(b,c){return b+c}var d=a(1,2);" * 200
    return f"{filler}var {name.lower()}={json.dumps(value)};{filler}"


def _text(path: str, write: Callable[[str, str], str]) -> Carrier:
    return lambda name, value: (path, write(name, value).encode())


def _wrapped(path: str, wrap: Callable[[bytes], bytes], write: Callable[[str, str], str] = _dotenv) -> Carrier:
    return lambda name, value: (path, wrap(write(name, value).encode()))


def _zip(member: str) -> Callable[[bytes], bytes]:
    def wrap(content: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF", _EPOCH), b"Manifest-Version: 1.0\n")
            archive.writestr(zipfile.ZipInfo(member, _EPOCH), content, zipfile.ZIP_DEFLATED)
        return out.getvalue()

    return wrap


def _tar(content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("app/.env")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _deb(content: bytes) -> bytes:
    members = {"debian-binary": b"2.0\n", "data.tar.gz": _gzip(_tar(content))}
    out = b"!<arch>\n"
    for name, body in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n"
        out += header.encode() + body + b"\n" * (len(body) % 2)
    return out


def _pyc(name: str, value: str) -> Planted:
    code = compile(_python(name, value), "settings.py", "exec")
    return "app/__pycache__/settings.cpython-311.pyc", b"\xa7\r\r\n" + bytes(12) + marshal.dumps(code)


def _sqlite(name: str, value: str) -> Planted:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE settings (name TEXT, value TEXT)")
        connection.execute("INSERT INTO settings VALUES (?, ?)", (name, f"{name}={value}"))
        connection.commit()
        connection.close()
        return "var/lib/app/settings.db", path.read_bytes()


def _git_object(name: str, value: str) -> Planted:
    content = _dotenv(name, value).encode()
    raw = b"blob %d\0" % len(content) + content
    digest = sha1(raw, usedforsecurity=False).hexdigest()
    return f"src/.git/objects/{digest[:2]}/{digest[2:]}", zlib.compress(raw)


def _git_pack(name: str, value: str) -> Planted:
    content = _dotenv(name, value).encode()
    size, first = len(content) >> 4, 0x30 | (len(content) & 0x0F)
    header = bytearray()
    while size:
        header.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    header.append(first)
    body = b"PACK" + struct.pack(">II", 2, 1) + bytes(header) + zlib.compress(content)
    return "src/.git/objects/pack/pack-1.pack", body + sha1(body, usedforsecurity=False).digest()


def _long(at: int) -> Callable[[bytes], bytes]:
    return lambda content: (_FILLER * (at // len(_FILLER))).encode()[:at] + b"\n" + content + _FILLER.encode() * 50


def _helm(content: bytes) -> bytes:
    release = base64.b64encode(base64.b64encode(_gzip(json.dumps({"config": content.decode()}).encode())))
    return b"apiVersion: v1\nkind: Secret\ntype: helm.sh/release.v1\ndata:\n  release: " + release + b"\n"


def _base64_lines(content: bytes) -> bytes:
    return b"payload: |\n  " + base64.encodebytes(content).strip().replace(b"\n", b"\n  ") + b"\n"


def _escaped(content: bytes) -> bytes:
    return b'{"text": "' + "".join(f"\\u{byte:04x}" for byte in content).encode() + b'"}'


TEXT_CARRIERS: Final[Mapping[str, Carrier]] = {
    "dotenv": _text("app/.env", _dotenv),
    "yaml": _text("app/config.yml", _yaml),
    "json": _text("app/appsettings.json", _json),
    "properties": _text("app/application.properties", _properties),
    "toml": _text("app/settings.toml", _toml),
    "shell": _text("usr/local/bin/start.sh", _shell),
    "python": _text("app/settings.py", _python),
    "javascript": _text("app/config.js", _javascript),
    "go": _text("src/main.go", _go),
    "tfvars": _text("infra/prod.tfvars", _terraform),
    "compose": _text("deploy/docker-compose.yml", _compose),
    "kubernetes": _text("deploy/secret.yaml", _kubernetes),
    "log": _text("var/log/app.log", _log),
    "minified": _text("app/dist/bundle.min.js", _minified),
    "test-path": _text("app/tests/test_settings.env", _dotenv),
    "example-path": _text("app/examples/config.yml", _yaml),
    "vendor-path": _text("app/vendor/lib/config.json", _json),
    "node-modules": _text("app/node_modules/lib/.env", _dotenv),
    "markdown": _text("usr/share/doc/app/README.md", _dotenv),
    "site-packages": _text("usr/lib/python3/site-packages/app/settings.py", _python),
}

WRAPPED_CARRIERS: Final[Mapping[str, Carrier]] = {
    "control-byte": _wrapped("app/control.env", lambda text: b"\x01\n" + text),
    "binary": _wrapped("app/bin/tool", lambda text: b"\x7fELF\x02\x01\x01" + bytes(200) + text + bytes(range(256))),
    "utf-16": _wrapped("app/windows.env", lambda text: text.decode().encode("utf-16")),
    "gzip": _wrapped("var/backups/env.gz", _gzip, _padded),
    "bzip2": _wrapped("var/backups/env.bz2", bz2.compress, _padded),
    "xz": _wrapped("var/backups/env.xz", lzma.compress, _padded),
    "zstd": _wrapped("var/backups/env.zst", zstandard.ZstdCompressor().compress, _padded),
    "tar-gzip": _wrapped("var/backups/app.tar.gz", lambda text: _gzip(_tar(text))),
    "jar": _wrapped("app/app.jar", _zip("BOOT-INF/classes/application.properties"), _properties),
    "wheel": _wrapped("wheels/app-1.0-py3-none-any.whl", _zip("app/settings.py"), _python),
    "jar-in-zip": _wrapped("app/app.zip", lambda text: _zip("lib/a.jar")(_zip("conf/.env")(text))),
    "deb": _wrapped("var/cache/apt/archives/app.deb", _deb),
    "pyc": _pyc,
    "sqlite": _sqlite,
    "git-object": _git_object,
    "git-pack": _git_pack,
    "base64": _wrapped("app/payload.txt", base64.b64encode),
    "base64-lines": _wrapped("app/payload.yml", _base64_lines),
    "hex": _wrapped("app/payload.hex", lambda text: text.hex().encode()),
    "url-encoded": _wrapped(
        "app/form.txt", lambda text: b"body=" + urllib.parse.quote(text.decode(), safe="").encode()
    ),
    "unicode-escapes": _wrapped("app/message.json", _escaped),
    "helm-release": _wrapped("deploy/release.yaml", _helm, _yaml),
    "chunk-border": _wrapped("app/large.env", _long(1024 * 1024 - 40)),
    "deep": _wrapped("app/deep.env", _long(2 * 1024 * 1024)),
}
CARRIERS: Final[Mapping[str, Carrier]] = {**TEXT_CARRIERS, **WRAPPED_CARRIERS}
