"""The named images of the demo and the tests, each with one thing wrong, and `WRONG`, which says what.

The names are stable. The same `created` gives the same bytes; nothing is random, secrets are computed (`planted`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tools.images import planted
from tools.images.archive import Entry, file, whiteout
from tools.images.bases import DEBIAN, DEBIAN_12_0, USER, alpine_3_22, debian_11, debian_12, unknown_os
from tools.images.install import jar_entry, npm_entries
from tools.images.layout import AMD64, ARM64, Blob, Json, Layer, attestation_child, image, index, write_layout
from tools.images.parts import COMMONS_TEXT, FLASK, JINJA2, LODASH, MINIMIST, REQUESTS, URLLIB3, read_part
from tools.images.workshop import SOURCE, Workshop

PROVENANCE_TYPE: Final = "https://slsa.dev/provenance/v1"

WRONG: Final = MappingProxyType(
    {
        "clean": "nothing: Debian 12, fixed packages, user 10001, source and revision in its labels",
        "alpine-clean": "nothing: Alpine 3.22, fixed packages, user 10001",
        "unsigned": "nothing but that nobody signs it: `clean` with another title and revision, so another digest",
        "index-good": "nothing: amd64 and arm64, both as `clean`, each with BuildKit's unsigned provenance beside it",
        "index-bad-child": "the arm64 child holds secrets in `srv/app/.env`; the amd64 child is good",
        "vulnerable-python": "Flask 0.12.2, Jinja2 2.10, urllib3 1.24.1 and requests 2.19.1 with known vulnerabilities",
        "vulnerable-npm": "lodash 4.17.11 and minimist 1.2.0 with known vulnerabilities",
        "vulnerable-maven": "commons-text 1.9 with CVE-2022-42889",
        "vulnerable-debian": "a whole Debian 12 with glibc, GnuTLS and OpenSSL as of its first release, 12.0",
        "secret-deleted": "`srv/app/.env` with secrets in one layer, deleted by the next",
        "secret-env": "a token in an environment variable of the configuration",
        "secret-history": "a token as build argument in the history",
        "root-user": "no user is set, so it runs as root",
        "setuid": "`usr/local/bin/clear` has the setuid bit and belongs to root",
        "exposed-ssh": "port 22/tcp is exposed",
        "old-packagedb-removed": "a layer removes `var/lib/dpkg/status`, which a lower one holds",
        "end-of-life": "Debian 11, whose support has ended",
        "unknown-os": "a distribution that nobody knows, so that no advisory can apply",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image on disk: its layout, the digest that `index.json` names, and what is wrong with it."""

    name: str
    layout: Path
    digest: str
    expected: str


def build_images(
    out: Path, created: datetime, parts: Path, *, only: Collection[str] | None = None
) -> dict[str, BuiltImage]:
    """Write each image to `out/<name>` and give them by name, in the order of `WRONG`.

    `created` is the time that configurations, histories and files carry. `parts` is the cache of fetched parts.
    `only` None builds all. Raises KeyError for an unknown name, PartError.
    """
    shop = Workshop(created=created, parts=parts)
    names = [name for name in WRONG if only is None or name in only]
    if only is not None and (unknown := set(only) - set(WRONG)):
        raise KeyError(*sorted(unknown))
    return {name: _built(name, _RECIPES[name](shop), out / name) for name in names}


def _built(name: str, root: Blob, folder: Path) -> BuiltImage:
    write_layout(folder, root)
    return BuiltImage(name=name, layout=folder, digest=root.digest, expected=WRONG[name])


def _clean(shop: Workshop) -> Blob:
    return image(shop.clean(), shop.config("clean"))


def _alpine_clean(shop: Workshop) -> Blob:
    layers = [shop.layer(alpine_3_22(), "ADD alpine-minirootfs-3.22.5-x86_64.tar.gz /"), shop.application()]
    config = replace(shop.config("alpine-clean"), entrypoint=("/srv/app/main.py",), extra_history=(f"USER {USER}",))
    return image(layers, config)


def _unsigned(shop: Workshop) -> Blob:
    return image(shop.clean(), shop.config("unsigned"))


def _index_good(shop: Workshop) -> Blob:
    children = [image(shop.clean(platform), shop.config("index-good", platform)) for platform in (AMD64, ARM64)]
    return index([*children, *(_provenance(child) for child in children)])


def _index_bad_child(shop: Workshop) -> Blob:
    good = image(shop.clean(AMD64), shop.config("index-bad-child", AMD64))
    planted_layer = shop.layer([_dotenv("index-bad-child")], "COPY .env /srv/app/")
    bad = image([*shop.clean(ARM64), planted_layer], shop.config("index-bad-child", ARM64))
    return index([good, bad])


def _vulnerable_python(shop: Workshop) -> Blob:
    return _with_layer(shop, "vulnerable-python", shop.wheels(FLASK, JINJA2, URLLIB3, REQUESTS))


def _vulnerable_npm(shop: Workshop) -> Blob:
    entries = [entry for part in (LODASH, MINIMIST) for entry in npm_entries(read_part(part, shop.parts), part.name)]
    return _with_layer(shop, "vulnerable-npm", shop.layer(entries, "RUN /bin/sh -c npm ci"))


def _vulnerable_maven(shop: Workshop) -> Blob:
    entry = jar_entry(read_part(COMMONS_TEXT, shop.parts), COMMONS_TEXT.file)
    return _with_layer(shop, "vulnerable-maven", shop.layer([entry], f"COPY {COMMONS_TEXT.file} /srv/app/lib/"))


def _vulnerable_debian(shop: Workshop) -> Blob:
    base = shop.layer(debian_12(packages=None, versions=DEBIAN_12_0), "ADD debian-12.tar /")
    return image([base, shop.application()], shop.config("vulnerable-debian"))


def _secret_deleted(shop: Workshop) -> Blob:
    added = shop.layer([_dotenv("secret-deleted")], "COPY .env /srv/app/")
    removed = shop.layer([whiteout("srv/app/.env")], "RUN /bin/sh -c make && rm /srv/app/.env")
    return _with_layer(shop, "secret-deleted", added, removed)


def _secret_env(shop: Workshop) -> Blob:
    config = shop.config("secret-env")
    env = (*config.env, f"GITHUB_TOKEN={planted.github_token('secret-env')}")
    return image(shop.clean(), replace(config, env=env))


def _secret_history(shop: Workshop) -> Blob:
    token = planted.github_token("secret-history")
    built = shop.layer(
        [file("srv/app/version.txt", "1.0.0\n")],
        f"RUN |1 GITHUB_TOKEN={token} /bin/sh -c make fetch",
    )
    return _with_layer(shop, "secret-history", built)


def _root_user(shop: Workshop) -> Blob:
    config = replace(shop.config("root-user"), user="", extra_history=('ENTRYPOINT ["/usr/bin/clear"]',))
    return image(shop.clean(), config)


def _setuid(shop: Workshop) -> Blob:
    program = (DEBIAN / AMD64.architecture / "clear").read_bytes()
    entry = file("usr/local/bin/clear", program, mode=0o4755)
    return _with_layer(shop, "setuid", shop.layer([entry], "COPY --chmod=4755 clear /usr/local/bin/"))


def _exposed_ssh(shop: Workshop) -> Blob:
    config = shop.config("exposed-ssh")
    return image(shop.clean(), replace(config, exposed_ports=("22/tcp", *config.exposed_ports)))


def _packagedb_removed(shop: Workshop) -> Blob:
    removed = shop.layer([whiteout("var/lib/dpkg/status")], "RUN /bin/sh -c rm /var/lib/dpkg/status")
    return _with_layer(shop, "old-packagedb-removed", removed)


def _end_of_life(shop: Workshop) -> Blob:
    base = shop.layer(debian_11(), "ADD debian-11.tar /")
    return image([base, shop.application()], replace(shop.config("end-of-life"), entrypoint=("/srv/app/main.py",)))


def _unknown_os(shop: Workshop) -> Blob:
    base = shop.layer(unknown_os(), "ADD shop-os.tar /")
    return image([base, shop.application()], shop.config("unknown-os"))


def _with_layer(shop: Workshop, name: str, *added: Layer) -> Blob:
    return image([*shop.clean(), *added], shop.config(name))


def _dotenv(label: str) -> Entry:
    return file("srv/app/.env", planted.dotenv(label), mode=0o600)


def _provenance(child: Blob) -> Blob:
    platform = child.platform or AMD64
    subject: Json = [
        {
            "name": f"pkg:docker/shop/web?platform=linux%2F{platform.architecture}",
            "digest": {"sha256": child.digest.removeprefix("sha256:")},
        }
    ]
    predicate: Json = {
        "buildDefinition": {
            "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
            "externalParameters": {"configSource": {"uri": SOURCE}},
        },
        "runDetails": {"builder": {"id": ""}},
    }
    statement: Json = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": PROVENANCE_TYPE,
        "subject": subject,
        "predicate": predicate,
    }
    return attestation_child(child, [(PROVENANCE_TYPE, statement)])


_RECIPES: Final[dict[str, Callable[[Workshop], Blob]]] = {
    "clean": _clean,
    "alpine-clean": _alpine_clean,
    "unsigned": _unsigned,
    "index-good": _index_good,
    "index-bad-child": _index_bad_child,
    "vulnerable-python": _vulnerable_python,
    "vulnerable-npm": _vulnerable_npm,
    "vulnerable-maven": _vulnerable_maven,
    "vulnerable-debian": _vulnerable_debian,
    "secret-deleted": _secret_deleted,
    "secret-env": _secret_env,
    "secret-history": _secret_history,
    "root-user": _root_user,
    "setuid": _setuid,
    "exposed-ssh": _exposed_ssh,
    "old-packagedb-removed": _packagedb_removed,
    "end-of-life": _end_of_life,
    "unknown-os": _unknown_os,
}
