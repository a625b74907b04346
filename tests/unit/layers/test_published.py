"""What a package shipped as it is, by each kind of list; a changed file, and one that no list names, are the author's own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

import pytest

from gate.layers.entry import Entry, EntryKind
from gate.layers.published import PublishedFiles
from gate.secrets.file_hashes import FileHashes

BODY = b"password = shipped by everybody\n"
HASHES = FileHashes.of(BODY)
CHANGED = FileHashes.of(BODY + b"x")
MD5 = HASHES.md5.encode()
SHA1 = base64.b64encode(hashlib.sha1(BODY, usedforsecurity=False).digest())
SHA256 = base64.urlsafe_b64encode(hashlib.sha256(BODY).digest()).rstrip(b"=")


def published(files: Mapping[bytes, bytes]) -> PublishedFiles:
    read = PublishedFiles()
    for path, body in files.items():
        entry = Entry(
            path=path, kind=EntryKind.FILE, size=len(body), mode=0o644, uid=0, gid=0, mtime=0, link=b"", device="",
            capabilities=False, records=(), position=0,
        )  # fmt: skip
        sink = read.begin(entry, 0)
        if sink is not None:
            sink.feed(memoryview(body))
            sink.finish()
    return read


BY_DIGEST: list[tuple[str, bytes, bytes, bytes]] = [
    ("dpkg nginx", b"etc/nginx/a", b"var/lib/dpkg/info/nginx.md5sums", MD5 + b"  etc/nginx/a\n"),
    ("dpkg nginx:amd64", b"usr/x", b"var/lib/dpkg/info/nginx:amd64.md5sums", MD5 + b"  usr/x\n"),
    ("dpkg base", b"usr/x", b"var/lib/dpkg/status.d/base.md5sums", MD5 + b"  ./usr/x\n"),
    ("dpkg a", b"usr/lib/x", b"var/lib/dpkg/info/a.md5sums", MD5 + b"  lib/x\n"),
    ("dpkg", b"etc/a.conf", b"var/lib/dpkg/status", b"Package: a\nConffiles:\n /etc/a.conf " + MD5 + b"\nX: y\n"),
    ("dpkg", b"etc/a.conf", b"var/lib/dpkg/status", b"Package: a\nConffiles:\n /etc/a.conf " + MD5 + b" obsolete\n"),
    ("apk curl", b"etc/curl/x", b"lib/apk/db/installed", b"P:curl\nF:etc/curl\nR:x\nZ:Q1" + SHA1 + b"\n"),
    ("apk curl", b"x", b"usr/lib/apk/db/installed", b"P:curl\nF:\nR:x\nZ:Q1" + SHA1 + b"\n"),
    ("wheel flask-2.1", b"opt/site-packages/flask/x.py", b"opt/site-packages/flask-2.1.dist-info/RECORD",
     b"flask/y.py,,\nflask/x.py,sha256=" + SHA256 + b",12\r\n"),
    ("dpkg (ucf)", b"etc/tomcat10/server.xml", b"var/lib/ucf/hashfile", MD5 + b"  /etc/tomcat10/server.xml\n"),
    ("dpkg (ucf)", b"var/lib/ucf/cache/:etc:tomcat10:server.xml", b"var/lib/ucf/hashfile", MD5 + b"  /etc/tomcat10/server.xml\n"),
    ("Maven repository", b"root/.m2/repository/a/b/1/b-1.jar", b"root/.m2/repository/a/b/1/b-1.jar.sha1",
     HASHES.sha1.encode() + b"\n"),
    ("Maven repository", b"root/.cache/coursier/v1/https/repo1.maven.org/maven2/a/b.jar",
     b"root/.cache/coursier/v1/https/repo1.maven.org/maven2/a/b.jar.sha1", HASHES.sha1.encode()),
    ("wheel a-1", b"usr/local/bin/tool", b"usr/local/lib/python3.11/site-packages/a-1.dist-info/RECORD",
     b"../../../bin/tool,sha256=" + SHA256 + b",1\n"),
    ("wheel a-1", b"usr/share/a/x", b"opt/site-packages/a-1.dist-info/RECORD", b'"/usr/share/a/x",sha256=' + SHA256 + b",1\n"),
    ("conda a-1-0", b"opt/conda/lib/x", b"opt/conda/conda-meta/a-1-0.json",
     b'{"paths_data": {"paths": [{"_path": "lib/x", "sha256": "%s"}]}}' % HASHES.sha256.encode()),
    ("conda a-1-0", b"opt/conda/lib/x", b"opt/conda/conda-meta/a-1-0.json",
     b'{"paths_data": {"paths": [{"_path": "lib/x", "sha256": "0", "sha256_in_prefix": "%s"}]}}' % HASHES.sha256.encode()),
    ("R digest", b"usr/lib/R/library/digest/tests/x", b"usr/lib/R/library/digest/MD5", MD5 + b" *tests/x\n"),
]  # fmt: skip


@pytest.mark.parametrize(("package", "path", "place", "content"), BY_DIGEST)
def test_a_file_is_shipped_where_a_list_has_its_digest(package: str, path: bytes, place: bytes, content: bytes) -> None:
    read = published({place: content})
    assert read.packages_of({path: HASHES}) == {path: package}
    assert read.packages_of({path: CHANGED}) == {}
    assert read.packages_of({path: None}) == {}
    assert read.packages_of({b"srv/" + path: HASHES}) == {}


def test_a_file_of_gradles_cache_is_shipped_where_its_folder_is_called_by_its_digest() -> None:
    place = b"root/.gradle/caches/modules-2/files-2.1/org.a/b/1.0/%s/b-1.0.jar"
    path = place % HASHES.sha1.lstrip("0").encode()
    assert published({}).packages_of({path: HASHES}) == {path: "Gradle cache"}
    assert published({}).packages_of({path: CHANGED}) == {}
    other = place % CHANGED.sha1.encode()
    assert published({}).packages_of({other: HASHES}) == {}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"paths_data": {"paths": [1]}}', b'{"paths_data": 1}', b"[" * 100_000]
)
def test_a_list_of_conda_that_cannot_be_read_claims_nothing(body: bytes) -> None:
    assert published({b"opt/conda/conda-meta/a-1-0.json": body}).packages_of({b"opt/conda/lib/x": HASHES}) == {}


BY_PLACE: list[tuple[str, bytes, bytes]] = [
    ("npm", b"app/node_modules/@a/b/test/x.js", b"app/node_modules/@a/b/package.json"),
    ("npm", b"app/node_modules/a/node_modules/b/x.js", b"app/node_modules/a/node_modules/b/package.json"),
    ("gem", b"usr/gems/rack-2.2.1/lib/x.rb", b"usr/specifications/rack-2.2.1.gemspec"),
    ("composer", b"app/vendor/a/b/x.php", b"app/vendor/composer/installed.json"),
    ("go", b"root/go/pkg/mod/a.b/c@v1.2.3/x.go", b"root/go/pkg/mod/cache/download/a.b/c/@v/v1.2.3.ziphash"),
    ("cargo", b"root/.cargo/registry/src/index-1/serde-1.0.1/x.rs", b"root/.cargo/registry/src/index-1/serde-1.0.1/.cargo-ok"),
]  # fmt: skip


@pytest.mark.parametrize(("package", "path", "mark"), BY_PLACE)
def test_where_there_are_no_digests_the_folder_of_a_package_counts(package: str, path: bytes, mark: bytes) -> None:
    assert published({mark: b"{}"}).packages_of({path: CHANGED}) == {path: f"{package} (by place)"}
    assert published({}).packages_of({path: CHANGED}) == {}
    assert published({b"other/" + mark: b"{}"}).packages_of({path: CHANGED}) == {}


def test_what_python_compiled_counts_with_its_source() -> None:
    read = published({b"var/lib/dpkg/info/python3-x.md5sums": MD5 + b"  usr/lib/x/a.py\n"})
    for name in (b"a.cpython-311.pyc", b"a.cpython-311.opt-1.pyc"):
        path = b"usr/lib/x/__pycache__/" + name
        assert read.packages_of({path: CHANGED}) == {path: "dpkg python3-x (by place)"}
    others = (b"usr/lib/x/__pycache__/b.cpython-311.pyc", b"usr/lib/x/a.pyc", b"usr/lib/__pycache__/a.cpython-311.pyc")
    assert read.packages_of(dict.fromkeys(others, CHANGED)) == {}


def test_what_stands_beside_packages_is_own() -> None:
    read = published({b"app/node_modules/a/package.json": b"{}", b"app/vendor/composer/installed.json": b"{}"})
    own = (b"app/node_modules/.env", b"app/package.json", b"app/vendor/.env", b"app/vendor/bin/x", b"app/src/x.js")
    assert read.packages_of(dict.fromkeys(own, HASHES)) == {}


@pytest.mark.parametrize("body", [b"", b"\xff" * 50, b"P:\nR:\nZ:Q1!\n", MD5 + b"  \n", b",sha256=!,\n", b"a" * 5000])
def test_a_damaged_list_claims_nothing(body: bytes) -> None:
    places = (
        *(place for _, _, place, _ in BY_DIGEST),
        b"var/lib/rpm/rpmdb.sqlite",
        b"var/lib/rpm/Packages",
        b"usr/lib/sysimage/rpm/Packages.db",
    )
    for place in places:
        assert published({place: body}).packages_of({b"etc/x": HASHES, b"": HASHES}) == {}
