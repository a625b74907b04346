"""Secrets in layers: hidden ones, every name of a file, words of the archive itself (attacks X01, X03, X04, X09, X10, L06)."""

from __future__ import annotations

import base64
import gzip
import hashlib

import pytest

from gate.codec.values import encode_value
from gate.errors import InternalError
from gate.model.digest import Digest
from gate.model.evidence import SecretEvidence
from gate.model.finding import SecretFinding
from gate.model.image import OCI_CONFIG, OCI_MANIFEST, ImageManifest, Platform
from gate.model.image_config import ImageConfig
from gate.model.limits import LayerLimits
from gate.pipeline.collect.layer_secrets import LayerSecrets
from gate.pipeline.collect.layers import collect_layers
from gate.pipeline.collect.secret_rules import load_rule_set
from gate.secrets.examples import ExampleMaker
from gate.secrets.findings import Fingerprints
from gate.secrets.known import KnownSecrets, parse_known, value_digest
from tests.support.layers import NOW, PLAIN, descriptor
from tools.images.archive import Entry, directory, file, hardlink, opaque, symlink, tar, whiteout

RULES = load_rule_set((), None)
FINGERPRINTS = Fingerprints(bytes(range(32)))
MAKER = ExampleMaker("layers")
TOKEN = MAKER.fill("ghp_{{base62-crc32:30}}")
RULE = "github-personal-token"


def evidence(*layers: list[Entry], known: KnownSecrets | None = None) -> SecretEvidence:
    tars = [tar(entries, sort=False) for entries in layers]
    described = tuple(descriptor(blob, PLAIN) for blob in tars)
    served = {one.digest: blob for one, blob in zip(described, tars, strict=True)}
    observer = LayerSecrets(
        RULES, known or KnownSecrets(), FINGERPRINTS, [one.digest for one in described], lambda: None
    )
    collect_layers(
        lambda wanted: iter([served[wanted.digest]]),
        ImageManifest(media_type=OCI_MANIFEST, config=descriptor(b"{}", OCI_CONFIG), layers=described),
        ImageConfig(platform=Platform("linux", "amd64"), diff_ids=tuple(Digest.of(blob) for blob in tars)),
        LayerLimits(),
        now=NOW,
        check_deadline=lambda: None,
        observers=[observer],
    )
    return observer.evidence


def found(*layers: list[Entry]) -> tuple[SecretFinding, ...]:
    return evidence(*layers).findings


SECRET = file("srv/deploy", f"token {TOKEN}\n")
HIDING: list[tuple[str, list[Entry]]] = [
    ("whiteout", [whiteout("srv/deploy")]),
    ("overwritten", [file("srv/deploy", "nothing\n")]),
    ("opaque directory", [opaque("srv")]),
    ("directory that became a file", [file("srv", "nothing\n")]),
    ("link in its place", [symlink("srv/deploy", "/dev/null")]),
]


@pytest.mark.parametrize("upper", [pytest.param(entries, id=name) for name, entries in HIDING])
def test_x01_what_a_later_layer_hides_is_found_and_marked(upper: list[Entry]) -> None:
    (hidden,) = found([SECRET], upper, [file("other", "x")])
    assert (hidden.rule, hidden.location, hidden.hidden) == (RULE, "srv/deploy", True)
    (live,) = found([SECRET], [file("other", "x")])
    assert (live.rule, live.location, live.hidden) == (RULE, "srv/deploy", False)
    assert live.layer == hidden.layer is not None


def test_l06_a_finding_names_every_hard_link_and_lives_while_one_does() -> None:
    names = [SECRET, hardlink("app/.env", "srv/deploy"), hardlink("app/two", "app/.env")]
    (finding,) = found(names)
    assert finding.paths == ("srv/deploy", "app/.env", "app/two")
    (kept,) = found([SECRET], [hardlink("app/.env", "srv/deploy")], [whiteout("srv/deploy")])
    assert (kept.paths, kept.hidden) == (("srv/deploy", "app/.env"), False)
    (gone,) = found([SECRET], [hardlink("app/.env", "srv/deploy")], [whiteout("srv/deploy"), whiteout("app/.env")])
    assert gone.hidden


EXEMPT_ELSEWHERE = [
    "app/test.env", "opt/README.md", "usr/share/k", "usr/include/k", "usr/lib/python3/dist-packages/k.py", "srv/vendor/k",
    "usr/local/lib/python3.12/site-packages/a-1.dist-info/RECORD", "srv/example/k", "opt/yarn-v1/k", "srv/locales/de.json",
]  # fmt: skip


@pytest.mark.parametrize("path", EXEMPT_ELSEWHERE)
def test_x03_no_path_is_exempt(path: str) -> None:
    assert [one.location for one in found([file(path, f"{TOKEN}\n")])] == [path]


def test_x04_the_lowest_layer_is_searched_like_every_other() -> None:
    assert [one.layer for one in found([SECRET], [], [])] == [descriptor(tar([SECRET], sort=False), PLAIN).digest]


WORDS: list[tuple[Entry, str, str]] = [
    (file(f"srv/{TOKEN}.txt", "x"), "srv/***.txt", "file name"),
    (symlink("srv/link", f"/run/{TOKEN}"), "srv/link", "link target"),
    (Entry(name="srv/a", data=b"x", xattrs=(("user.note", TOKEN.encode()),)), "srv/a", "tar record"),
    (Entry(name="srv/b", data=b"x", pax=(("comment", TOKEN),)), "srv/b", "tar record"),
]


@pytest.mark.parametrize(("entry", "location", "chain"), WORDS)
def test_x09_words_of_the_archive_itself(entry: Entry, location: str, chain: str) -> None:
    (finding,) = found([directory("srv"), file("srv/0", "x"), entry, file("srv/z", "x")])
    assert (finding.rule, finding.location, finding.chain) == (RULE, location, (chain,))


def test_x09_the_comment_of_a_gzip_header() -> None:
    body = gzip.compress(b"x", mtime=0)
    named = body[:3] + b"\x08" + body[4:10] + TOKEN.encode() + b"\0" + body[10:]
    assert [one.chain for one in found([file("a.gz", named)])] == [()]


def test_x10_no_part_of_a_secret_is_in_the_evidence() -> None:
    password = "tr0ub4dor-and-three"
    entries = [
        SECRET,
        file("app.env", f"DB_PASSWORD={password}\n"),
        file(f"n-{TOKEN}", f'k = "{MAKER.fill("{{jwt}}")}"'),
        file("k.7z", b"7z\xbc\xaf\x27\x1c"),
    ]
    seen = evidence(entries, [whiteout("app.env")])
    assert {one.rule for one in seen.findings} == {RULE, "password-assignment", "jwt"}
    for text in (encode_value(seen).decode(), repr(seen)):
        assert password not in text
        assert TOKEN[4:12] not in text
    assert [reason for _, reason in seen.unopened] == ["a 7z archive is not opened"]


def test_the_same_secret_has_the_same_fingerprint_wherever_it_is() -> None:
    one, two = found([SECRET, file("other", f'x = "{TOKEN}"')])
    assert one.fingerprint == two.fingerprint == FINGERPRINTS.of(TOKEN.encode())
    assert one.fingerprint != Fingerprints(bytes(32)).of(TOKEN.encode())


def known(**entry: str) -> KnownSecrets:
    keys = "\n".join(f"      {key}: {value}" for key, value in {**entry, "package": "p", "reason": "r"}.items())
    text = f"apiVersion: gate/v1\nkind: KnownSecrets\nmetadata: {{name: k}}\nspec:\n  known:\n    -\n{keys}\n"
    return parse_known(text.encode(), name="known.yaml")


def test_a_public_key_of_tests_is_left_out_by_digest_and_counted() -> None:
    content = MAKER.fill("{{pem:rsa}}").encode()
    by_value = known(value=str(value_digest(content)))
    by_file = known(file=str(Digest.of(content)))
    for allowed in (by_value, by_file):
        seen = evidence([file("usr/share/k.pem", content)], known=allowed)
        assert (seen.findings, seen.known) == ((), 1)
    changed = content + b"\n"
    assert evidence([file("usr/share/k.pem", changed)], known=by_value).findings == ()
    assert [one.rule for one in evidence([file("usr/share/k.pem", changed)], known=by_file).findings] == ["private-key"]


def test_x03_a_short_value_is_public_in_its_file_alone() -> None:
    short, long = "tr0ub4dor-and-3", "tr0ub4dor-and-three-more"
    for password, is_public in ((short, False), (long, True)):
        content = f"DB_PASSWORD={password}\n"
        by_value = known(value=str(value_digest(password.encode())))
        assert (evidence([file("srv/.env", content)], known=by_value).findings == ()) is is_public
        by_file = known(file=str(Digest.of(content.encode())))
        assert evidence([file("srv/.env", content)], known=by_file).findings == ()


def test_x03_what_a_package_database_claims_makes_nothing_public() -> None:
    """The checksums in an image are its author's words: neither owner nor digest there takes a finding away."""
    content = MAKER.fill("{{pem:rsa}}")
    md5 = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
    sha = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
    entries = [
        file("usr/share/doc/a/examples/test.key", content),
        file("var/lib/dpkg/info/a.md5sums", f"{md5}  usr/share/doc/a/examples/test.key\n"),
        file("var/lib/dpkg/info/a.list", "/usr/share/doc/a/examples/test.key\n"),
        file("usr/lib/python3/dist-packages/a.dist-info/RECORD", f"examples/test.key,sha256={sha},{len(content)}\n"),
    ]
    assert [one.location for one in found(entries)] == ["usr/share/doc/a/examples/test.key"]


def test_x03_many_public_keys_before_a_secret_one_do_not_hide_it() -> None:
    public = MAKER.fill("{{pem:ec}}")
    # The same letters, and each time another value: blanks at the end of a line are none of its letters.
    varied = "\n".join(public.replace("\n", " " * number + "\n") for number in range(1, 220))
    secret = MAKER.fill("{{pem:ec}}")
    listed = known(value=str(value_digest(public.encode())))
    alone = evidence([file("srv/keys", public)], known=listed)
    assert (alone.findings, alone.unopened) == ((), ())
    seen = evidence([file("srv/keys", f"{varied}\n{secret}")], known=listed)
    assert (seen.findings, seen.known) == ((), 200)
    assert [reason for _, reason in seen.unopened] == ["it has more findings than are kept"]


@pytest.mark.parametrize("folder", ["usr/share", "srv", "app/lib", "home/me", "data", "", "nix/store/a"])
@pytest.mark.parametrize("megabytes", [0, 1, 3])
def test_a_file_of_any_size_and_place_is_packaged_where_its_package_lists_it(folder: str, megabytes: int) -> None:
    content = f"{'x' * 1023}\n" * 1024 * megabytes + "DB_PASSWORD=tr0ub4dor-and-three\n"
    path = f"{folder}/a.env".lstrip("/")
    md5 = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
    listed = file("var/lib/dpkg/info/a.md5sums", f"{md5}  {path}\n")
    (one,) = found([file(path, content), listed])
    assert one.package == "dpkg a"
    assert one.file_digest == Digest.of(content.encode())
    (changed,) = found([file(path, content + "\n"), listed])
    assert changed.package == ""


def test_evidence_of_layers_that_were_not_read_is_none() -> None:
    observer = LayerSecrets(RULES, KnownSecrets(), FINGERPRINTS, [], lambda: None)
    with pytest.raises(InternalError) as caught:
        _ = observer.evidence
    assert caught.value.code == "INTERNAL"
