"""`gate secrets scan`: folders, files and images; what it prints, how it ends, and that nothing is sent (attacks X10, X12)."""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate.secrets.examples import ExampleMaker
from tests.cli.conftest import Run
from tools.images.archive import file, hardlink, whiteout
from tools.images.layout import ImageConfig, Json, attestation_child, image, index, layer, write_layout

TOKEN = ExampleMaker("cli").fill("ghp_{{base62-crc32:30}}")
RULE = "github-personal-token"
FILE = {"place": "file", "confidence": "certain"}
PROVENANCE = "https://slsa.dev/provenance/v0.2"


def rows(output: str) -> list[tuple[str, str | None, str, bool | None]]:
    found = json.loads(output)["secrets"]
    return [(row["state"], row["rule"], row["location"], row["hidden"]) for row in found]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a search for secrets opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_x12_a_folder_is_searched_without_a_connection(run: Run) -> None:
    Path("app").mkdir()
    Path("app/deploy.sh").write_text(f"push --token {TOKEN}\n", encoding="utf-8")
    Path("app/link").symlink_to("/etc/passwd")
    result = run("secrets", "scan", "app", "-f", "json")
    assert (result.exit_code, rows(result.stdout)) == (1, [("found", RULE, "deploy.sh", False)])
    Path("app/deploy.sh").write_text("push\n", encoding="utf-8")
    clean = run("secrets", "scan", "app", "-f", "json")
    assert (clean.exit_code, rows(clean.stdout)) == (0, [])


def test_what_cannot_be_opened_is_no_pass(run: Run) -> None:
    Path("a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(64))
    result = run("secrets", "scan", "a.7z", "-f", "json")
    assert (result.exit_code, rows(result.stdout)) == (3, [("unopened", None, "a.7z", None)])


def test_x01_an_image_with_a_deleted_file(run: Run) -> None:
    layers = [layer([file("srv/a", TOKEN)], mtime=0), layer([whiteout("srv/a")], mtime=0)]
    write_layout(Path("image"), image(layers, ImageConfig(created=datetime(2026, 1, 1, tzinfo=UTC))))
    result = run("secrets", "scan", "oci:image", "-f", "json")
    assert (result.exit_code, rows(result.stdout)) == (1, [("found", RULE, "srv/a", True)])


def test_x04_a_forged_history_makes_no_layer_a_base(run: Run) -> None:
    """Trivy takes what stands before an empty `CMD` of the history for a base image, and skips its secrets."""
    layers = [layer([file("srv/a", TOKEN)], mtime=0, created_by="ADD rootfs.tar / # buildkit"), layer([], mtime=0)]
    config = ImageConfig(
        created=datetime(2026, 1, 1, tzinfo=UTC),
        extra_history=('CMD ["bash"]', 'CMD ["/app"]'),
        labels=(("org.opencontainers.image.base.name", "docker.io/library/debian:12"),),
    )
    write_layout(Path("image"), image(layers, config))
    result = run("secrets", "scan", "oci:image", "-f", "json")
    assert (result.exit_code, rows(result.stdout)) == (1, [("found", RULE, "srv/a", False)])


def test_a_row_names_the_layer_whole_and_each_name_of_the_file(run: Run) -> None:
    entries = [file("srv/a", TOKEN), hardlink("srv/b", "srv/a")]
    write_layout(Path("image"), image([layer(entries, mtime=0)], ImageConfig(created=datetime(2026, 1, 1, tzinfo=UTC))))
    (row,) = json.loads(run("secrets", "scan", "oci:image", "-f", "json").stdout)["secrets"]
    assert (row["location"], row["paths"]) == ("srv/a", ["srv/a", "srv/b"])
    assert re.fullmatch("sha256:[0-9a-f]{64}", row["layer"])


def test_x02_an_index_whose_build_attached_its_arguments(run: Run) -> None:
    def write(folder: str, token: str) -> None:
        child = image([layer([file("srv/a", "a")], mtime=0)], ImageConfig(created=datetime(2026, 1, 1, tzinfo=UTC)))
        args = {"build-arg:NPM_TOKEN": token, "build-arg:VERSION": "1.2.3"}
        provenance: Json = {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": PROVENANCE,
            "predicate": {"invocation": {"parameters": {"frontend": "dockerfile.v0", "args": args}}},
        }
        write_layout(Path(folder), index([child, attestation_child(child, [(PROVENANCE, provenance)])]))

    write("leaking", TOKEN)
    result = run("secrets", "scan", "oci:leaking", "-f", "json")
    ((state, rule, location, hidden),) = rows(result.stdout)
    assert (result.exit_code, state, rule, hidden) == (1, "found", RULE, False)
    assert location.startswith("sha256:")
    write("plain", "$NPM_TOKEN")
    plain = run("secrets", "scan", "oci:plain", "-f", "json")
    assert (plain.exit_code, rows(plain.stdout)) == (0, [])


def test_the_whole_way_to_a_secret_is_told(run: Run) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("config.yml", f"a: 1\npush: {base64.b64encode(TOKEN.encode()).decode()}\n")
    Path("app").mkdir()
    Path("app/app.jar").write_bytes(archive.getvalue())
    Path("app/data.bin").write_bytes(bytes(600) + TOKEN.encode() + bytes(600))
    result = run("secrets", "scan", "app", "-f", "json")
    told = [
        {name: row[name] for name in ("place", "location", "chain", "line", "offset", "confidence")}
        for row in json.loads(result.stdout)["secrets"]
    ]
    assert told == [
        {**FILE, "location": "app.jar", "chain": "config.yml > base64", "line": 2, "offset": None},
        {**FILE, "location": "data.bin", "chain": None, "line": None, "offset": 600},
    ]
    assert json.loads(result.stdout)["notes"][1].startswith("fingerprints are of the key ")
    table = run("secrets", "scan", "app/app.jar", "-f", "table")
    assert "config.yml > base64" in table.stdout


OWN_RULES = """
apiVersion: gate/v1
kind: SecretRules
metadata: {name: shop}
spec:
  rules:
    - id: shop-token
      title: Token of the shop
      pattern: '\\bshop_[A-Za-z0-9]{16}\\b'
      severity: high
      examples: {match: ['shop_{{alnum:16}}'], noMatch: ['shop_short']}
      source: https://shop.example/tokens
"""


def test_own_rules_find_what_the_shipped_ones_do_not(run: Run) -> None:
    Path("app").mkdir()
    Path("app/a").write_text(ExampleMaker("own").fill("shop_{{alnum:16}}"), encoding="utf-8")
    Path("rules.yaml").write_text(OWN_RULES, encoding="utf-8")
    without = run("secrets", "scan", "app", "-f", "json")
    assert (without.exit_code, rows(without.stdout)) == (0, [])
    found = run("secrets", "scan", "app", "--rules", "rules.yaml", "-f", "json")
    assert (found.exit_code, rows(found.stdout)) == (1, [("found", "shop-token", "a", False)])
    Path("rules.yaml").write_text(OWN_RULES.replace("shop_short", "shop_{{alnum:16}}"), encoding="utf-8")
    unproven = run("secrets", "scan", "app", "--rules", "rules.yaml")
    assert (unproven.exit_code, unproven.stderr.startswith("gate: POL_")) == (2, True)


@pytest.mark.parametrize("form", ["table", "json"])
def test_x10_no_part_of_a_secret_is_printed_or_kept(form: str, run: Run, tmp_path: Path) -> None:
    password = "tr0ub4dor-and-three"
    Path("app").mkdir()
    Path(f"app/{TOKEN}.env").write_text(f"DB_PASSWORD={password}\nK={TOKEN}\n", encoding="utf-8")
    result = run("secrets", "scan", "app", "-f", form, "--debug", "--cache-dir", str(tmp_path / "cache"))
    assert result.exit_code == 1
    kept = [
        path.read_bytes() for folder in ("cache", "state") for path in (tmp_path / folder).rglob("*") if path.is_file()
    ]
    assert kept
    for text in (result.stdout, result.stderr, *(content.decode("latin-1") for content in kept)):
        assert password not in text
        assert TOKEN[4:14] not in text


def test_the_fingerprints_of_a_shared_key_are_the_same_everywhere(run: Run, tmp_path: Path) -> None:
    Path("a").write_text(TOKEN, encoding="utf-8")
    shared = tmp_path / "shared.key"
    shared.write_bytes(bytes(range(32)))

    def fingerprint(*options: str, state: str) -> str:
        result = run("secrets", "scan", "a", "-f", "json", *options, env={"XDG_STATE_HOME": str(tmp_path / state)})
        (row,) = json.loads(result.stdout)["secrets"]
        return str(row["fingerprint"])

    key = ("--fingerprint-key", str(shared))
    assert fingerprint(*key, state="one") == fingerprint(*key, state="two")
    assert fingerprint(state="one") != fingerprint(state="two")
    shared.write_bytes(b"short")
    assert run("secrets", "scan", "a", *key).exit_code == 2
