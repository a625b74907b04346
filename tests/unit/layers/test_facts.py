"""Facts of the merged view: languages, rights, SBOMs, users, times, bodies for other readers."""

from __future__ import annotations

import io
import itertools
import pickle
import zipfile
from datetime import UTC, datetime

import pytest

from gate.errors import ImageError
from gate.layers.entry import BodySink
from gate.layers.entry import Entry as LayerEntry
from gate.layers.jar import parse_jar
from gate.layers.language_files import parse_gemspec, parse_metadata, parse_package_json
from gate.layers.passwd import parse_passwd
from gate.model.digest import Digest
from gate.model.finding import PackageKey
from gate.model.image import OCI_CONFIG, OCI_MANIFEST, ImageManifest, Platform
from gate.model.image_config import ImageConfig
from gate.model.limits import LayerLimits
from gate.pipeline.collect.layers import collect_layers
from tests.support.layers import NOW, PLAIN, descriptor, facts_of
from tools.images.archive import Entry, Kind, directory, file, hardlink, symlink, tar, whiteout

METADATA = "Metadata-Version: 2.1\nName: Flask_Cors\nVersion: 4.0.0\nRequires-Dist: Flask\n\nName: not a header\n"
WHEEL = "usr/lib/python3/dist-packages/Flask_Cors-4.0.0.dist-info/METADATA"
GEM = 'Gem::Specification.new do |s|\n  s.name = "rack".freeze\n  s.version = "2.2.3"\n  s.authors = ["x"]\nend\n'


def properties(group: str, artifact: str, version: str) -> str:
    return f"#Created by Maven\nversion={version}\ngroupId={group}\nartifactId={artifact}\n"


def jar(*coordinates: tuple[str, str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, one in enumerate(coordinates):
            archive.writestr(f"META-INF/maven/g{number}/a/pom.properties", properties(*one))
        archive.writestr("pom.properties", properties("not", "there", "1"))
    return out.getvalue()


LOG4J = ("org.apache.logging.log4j", "log4j-core", "2.14.1")


@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        (WHEEL, METADATA, PackageKey("pypi", "", "flask-cors", "4.0.0", path=WHEEL)),
        (
            "opt/x.egg-info/PKG-INFO",
            METADATA,
            PackageKey("pypi", "", "flask-cors", "4.0.0", path="opt/x.egg-info/PKG-INFO"),
        ),
        (
            "app/node_modules/@babel/core/package.json",
            '{"name": "@babel/core", "version": "7.1.0"}',
            PackageKey("npm", "@babel", "core", "7.1.0", path="app/node_modules/@babel/core/package.json"),
        ),
        (
            "specifications/rack.gemspec",
            GEM,
            PackageKey("gem", "", "rack", "2.2.3", path="specifications/rack.gemspec"),
        ),
        ("app/log4j.jar", jar(LOG4J), PackageKey("maven", *LOG4J, path="app/log4j.jar")),
    ],
)
def test_language_packages_are_read_and_follow_the_merged_view(path: str, body: str | bytes, key: PackageKey) -> None:
    base = tar([file(path, body)])
    assert facts_of(base).language_packages == {key}
    assert facts_of(base, tar([whiteout(path)])).language_packages == frozenset()
    assert facts_of(base, tar([file(path, b"other")])).language_packages == frozenset()
    linked = facts_of(base, tar([whiteout(path), file("x", body), hardlink(path + "2", "x")], sort=False))
    assert linked.language_packages == frozenset()


@pytest.mark.parametrize(
    "body",
    [
        METADATA.replace("Name: Flask_Cors\n", ""),
        METADATA.replace("Name: Flask", "Name: a\nName: Flask"),
        METADATA.replace("4.0.0", ""),
        METADATA.replace("4.0.0", "4 0"),
        METADATA.replace("Flask_Cors", "-x"),
        "\n" + METADATA,
    ],
)
def test_metadata_that_leaves_a_doubt_is_not_taken(body: str) -> None:
    assert parse_metadata(METADATA.encode(), "p")
    assert parse_metadata(body.encode(), "p") == ()


@pytest.mark.parametrize(
    ("body", "name", "version"),
    [
        ('{"name": "b", "version": "1"}', "b", "1"),  # an alias
        ('\ufeff{"name": "a", "version": "1"}', "a", "1"),
        ('{"name": "a"}', "a", ""),
        ('{"name": "a", "version": 1}', "a", ""),
        ('{"name": "a", "version": "*"}', "a", ""),
        ('{"name": 7, "version": "1"}', "a", ""),
    ],
)
def test_a_package_json_without_a_version_is_named_without_one(body: str, name: str, version: str) -> None:
    path = "node_modules/a/package.json"
    assert parse_package_json(body.encode(), path) == (PackageKey("npm", "", name, version, path=path),)
    facts = facts_of(tar([file(path, body)]))
    assert (len(facts.language_packages), len(facts.unversioned)) == ((1, 0) if version else (0, 1))


@pytest.mark.parametrize("spoilt", ["Version: 4.0.0\n .1", "Version: 4.0.0\nVersion: 5", "Versio: 4.0.0"])
def test_metadata_that_two_readers_read_differently_is_named_without_a_version(spoilt: str) -> None:
    facts = facts_of(tar([file(WHEEL, METADATA.replace("Version: 4.0.0", spoilt))]))
    assert facts.language_packages == frozenset()
    assert facts.unversioned == {PackageKey("pypi", "", "flask-cors", "", path=WHEEL)}


@pytest.mark.parametrize("first", ["a/store/file", "z/store/file"])
@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        (WHEEL, METADATA, ("pypi", "flask-cors", "4.0.0")),
        (
            "app/node_modules/lodash/package.json",
            '{"name": "lodash", "version": "4.17.11"}',
            ("npm", "lodash", "4.17.11"),
        ),
        ("app/log4j.jar", jar(LOG4J), ("maven", LOG4J[1], LOG4J[2])),
    ],
)
def test_a_package_behind_a_link_of_any_kind_is_there(
    path: str, body: str | bytes, key: tuple[str, str, str], first: str
) -> None:
    """As uv and pnpm install: the store's file and the package's are one; a symbolic link leads to the same bytes."""
    links = ([file(first, body), hardlink(path, first)], [file(first, body), symlink(path, f"/{first}")])
    for entries in links:
        for facts in (facts_of(tar(entries, sort=False)), facts_of(tar(entries[:1]), tar(entries[1:]))):
            assert {(found.type, found.name, found.version) for found in facts.language_packages} == {key}
            assert {found.path for found in facts.language_packages} == {path}
    # The bytes stay those of the link, whatever becomes of the name that they came under.
    replaced = facts_of(tar(links[0], sort=False), tar([file(first, b"other")]))
    assert {found.name for found in replaced.language_packages} == {key[1]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("node_modules/a/package.json", '["a"]'),
        ("node_modules/a/package.json", "{"),
        ("node_modules/a/package.json", "[" * 100_000),
        ("node_modules/a/test/package.json", '{"name": "a", "version": "1"}'),
        ("package.json", '{"name": "a", "version": "1"}'),
        ("node_modules/A B/package.json", '{"name": "A B", "version": "1"}'),
    ],
)
def test_a_package_json_that_leaves_a_doubt_is_not_taken(path: str, body: str) -> None:
    assert parse_package_json(b'{"name": "a", "version": "1"}', "node_modules/a/package.json")
    assert parse_package_json(body.encode(), path) == ()


@pytest.mark.parametrize(
    "body", [GEM.replace('"2.2.3"', "VERSION"), GEM + 's.name = "b"\n', GEM.replace("s.name", "#s.name")]
)
def test_a_gemspec_that_leaves_a_doubt_is_not_taken(body: str) -> None:
    assert parse_gemspec(GEM.encode(), "p")
    assert parse_gemspec(body.encode(), "p") == ()


def test_a_shaded_jar_names_all_that_it_holds() -> None:
    other = ("com.example", "shaded", "1.0")
    assert {key.name for key in parse_jar(jar(LOG4J, other), "p")} == {"log4j-core", "shaded"}


@pytest.mark.parametrize(
    "body", [b"", b"PK\x03\x04", jar(LOG4J)[:-30], jar(("g", "a", "${project.version}")), jar(("g", "", "1")), jar()]
)
def test_a_jar_that_leaves_a_doubt_is_not_taken(body: bytes) -> None:
    assert parse_jar(body, "p") == ()


def test_a_jar_with_more_entries_than_a_jar_can_have_is_not_opened() -> None:
    assert parse_jar(b"PK\x01\x02" * 60_000 + jar(LOG4J), "p")
    assert parse_jar(b"PK\x01\x02" * 65_536 + jar(LOG4J), "p") == ()


def test_a_jar_bomb_is_not_unfolded() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/maven/g/a/pom.properties", properties("g", "a", "1") + "#" * 50_000_000)
    assert parse_jar(out.getvalue(), "p") == ()


def device(name: str, kind: Kind, major: int, minor: int) -> Entry:
    return Entry(name=name, kind=kind, device=(major, minor))


def test_devices_that_give_rights() -> None:
    facts = facts_of(
        tar(
            [
                device("opt/disk", Kind.BLOCK_DEVICE, 8, 1),
                device("opt/memory", Kind.CHARACTER_DEVICE, 1, 1),
                device("dev/null", Kind.CHARACTER_DEVICE, 1, 3),
                Entry(name="run/pipe", kind=Kind.FIFO),
                hardlink("opt/twin", "opt/disk"),
            ],
            sort=False,
        )
    )
    assert [(one.path, one.device) for one in facts.privileged_files] == [
        ("opt/disk", "block 8:1"),
        ("opt/memory", "character 1:1"),
        ("opt/twin", "block 8:1"),
    ]


@pytest.mark.parametrize(
    "path",
    [
        "opt/app.spdx.json",
        "a.cdx",
        "a.cdx.json",
        "x/bom.json",
        "sbom",
        "a.sbom.xml",
        "img.syft.json",
        "var/lib/db/sbom/p.spdx.json",
    ],
)
def test_l09_embedded_sboms_are_named(path: str) -> None:
    assert facts_of(tar([file(path, b"{}")])).embedded_sboms == (path,)
    assert facts_of(tar([file(path, b"{}")]), tar([whiteout(path)])).embedded_sboms == ()


@pytest.mark.parametrize("path", ["opt/bomb", "a.json", "aplomb.txt", "spdx/licences.txt"])
def test_other_names_are_no_sboms(path: str) -> None:
    assert facts_of(tar([file(path, b"{}")])).embedded_sboms == ()


PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:10001:10001::/:/bin/false\n\n"


def test_users_are_those_of_the_merged_view() -> None:
    base = tar([file("etc/passwd", PASSWD)])
    assert facts_of(base).users == (("app", 10001), ("root", 0))
    assert facts_of(base, tar([file("etc/passwd", "app:x:0:0:::\n")])).users == (("app", 0),)
    assert facts_of(base, tar([whiteout("etc/passwd")])).users == ()
    assert facts_of(base, tar([whiteout("etc/passwd"), file("x", PASSWD)])).users == ()


@pytest.mark.parametrize(
    ("text", "users"),
    [
        ("app:x:0:0:::\napp:x:1000:0:::\n", (("app", 0),)),
        ("app:x:abc:0:::\napp:x:1000:0:::\n", ()),
        ("app\napp:x:1000:0:::\n", ()),
        ("app:x:2147483648:0:::\n", ()),
        ("app:x:+0:0:::\n", ()),
        ("  app:x:5:0::: \r\n", (("app", 5),)),
        ("\x1capp:x:1000:0:::\napp:x:0:0:::\n", ()),
        ("\u2003app:x:0:0:::\napp:x:1000:0:::\n", ()),
        (":x:0:0:::\n", ()),
    ],
)
def test_users_are_read_as_a_runtime_reads_them_or_not_at_all(text: str, users: tuple[tuple[str, int], ...]) -> None:
    assert parse_passwd(text.encode()) == users


def test_the_newest_believable_time() -> None:
    seconds = int(datetime(2026, 5, 1, tzinfo=UTC).timestamp())
    future = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp())
    entries = [Entry(name="a", mtime=seconds), Entry(name="b", mtime=1), Entry(name="c", mtime=future)]
    assert facts_of(tar(entries)).newest_file == datetime(2026, 5, 1, tzinfo=UTC)
    assert facts_of(tar([Entry(name="a", mtime=0)])).newest_file is None


def test_files_are_counted_in_the_merged_view() -> None:
    base = tar([file("a", b""), file("b", b""), directory("d"), hardlink("e", "a")])
    assert facts_of(base, tar([whiteout("b"), file("c", b"")])).files == 3


class Search:
    """A reader like a search for secrets: every body of every layer, in pieces."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, bytes, int]] = []

    def begin(self, entry: LayerEntry, layer: int) -> BodySink:
        return Counting(self.seen, layer, entry.path)


class Counting:
    def __init__(self, seen: list[tuple[int, bytes, int]], layer: int, path: bytes) -> None:
        self._seen, self._layer, self._path, self._size = seen, layer, path, 0

    def feed(self, piece: memoryview) -> None:
        self._size += len(piece)

    def finish(self) -> None:
        self._seen.append((self._layer, self._path, self._size))


def test_x01_a_reader_of_bodies_sees_what_later_layers_hide() -> None:
    search = Search()
    facts_of(
        tar([file("a", b"123"), file("etc/passwd", PASSWD)]), tar([whiteout("a"), file("b", b"")]), readers=[search]
    )
    assert search.seen == [(0, b"a", 3), (0, b"etc/passwd", len(PASSWD)), (1, b"b", 0)]


def test_facts_are_the_same_after_a_trip_between_processes() -> None:
    facts = facts_of(
        tar([file("etc/os-release", "ID=debian\n"), file("bin/su", b"", mode=0o4755), file(WHEEL, METADATA)])
    )
    assert pickle.loads(pickle.dumps(facts)) == facts  # noqa: S301 - bytes of this test


def collect(seconds_a_look: float) -> int:
    body = tar([file("a", bytes(6_000_000))])
    manifest = ImageManifest(
        media_type=OCI_MANIFEST, config=descriptor(b"{}", OCI_CONFIG), layers=(descriptor(body, PLAIN),)
    )
    config = ImageConfig(platform=Platform("linux", "amd64"), diff_ids=(Digest.of(body),))
    now = itertools.count(0.0, seconds_a_look)
    return collect_layers(
        lambda _: iter([body]),
        manifest,
        config,
        LayerLimits(),
        now=NOW,
        check_deadline=lambda: None,
        clock=lambda: next(now),
    ).files


def test_l14_a_layer_that_takes_too_much_processor_time() -> None:
    assert collect(0.5) == 1
    with pytest.raises(ImageError) as caught:
        collect(10.0)
    assert caught.value.code == "LIMIT_LAYER"


def test_the_deadline_of_the_run_ends_the_reading() -> None:
    body = tar([file("a", b"")])
    manifest = ImageManifest(
        media_type=OCI_MANIFEST, config=descriptor(b"{}", OCI_CONFIG), layers=(descriptor(body, PLAIN),)
    )
    config = ImageConfig(platform=Platform("linux", "amd64"), diff_ids=(Digest.of(body),))

    def over() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        collect_layers(lambda _: iter([body]), manifest, config, LayerLimits(), now=NOW, check_deadline=over)
