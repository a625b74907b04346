"""`gate trust` as it is used: what it prints, what it refuses, what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from gate.model.digest import Digest
from tests.cli.conftest import Run
from tests.support.file_server import serve_files
from tests.support.tuf_repository import PAST, TufRepository
from tests.support.virtual_sigstore import VirtualSigstore, certificate_pem

ROOT = VirtualSigstore().trusted_root()


@dataclass(frozen=True)
class Served:
    repository: TufRepository
    url: str


@pytest.fixture
def served(run: Run) -> Iterator[Served]:
    del run
    repository = TufRepository(targets={"trusted_root.json": ROOT})
    repository.publish()
    Path("root.json").write_bytes(repository.anchor)
    with serve_files(repository.files) as url:
        yield Served(repository, url)


def rows(output: str) -> dict[str, Any]:
    return {row["name"]: row for row in json.loads(output)["trustedRoots"]}


def test_the_public_root_is_shown_offline(run: Run) -> None:
    shown = run("trust", "show", "--offline", "-f", "json")
    assert shown.exit_code == 0
    row = rows(shown.stdout)["public"]
    assert (row["state"], row["source"], row["signing"]) == ("ok", "shipped", True)
    assert row["logs"] >= 2


def test_an_update_then_works_without_the_repository(run: Run, served: Served) -> None:
    updated = run("trust", "update", "company", "--tuf-url", served.url, "--root", "root.json", "-f", "json")
    assert updated.exit_code == 0, updated.stderr
    served.repository.files.clear()
    row = rows(run("trust", "show", "--offline", "-f", "json").stdout)["company"]
    assert (row["state"], row["source"], row["root"]) == ("ok", "tuf", str(Digest.of(ROOT)))
    assert row["expires"].startswith("2099-01-01")


def test_an_update_that_is_refused_leaves_what_was_there(run: Run, served: Served) -> None:
    assert run("trust", "update", "company", "--tuf-url", served.url, "--root", "root.json").exit_code == 0
    served.repository.expires["timestamp"] = PAST
    served.repository.publish()
    refused = run("trust", "update", "company")
    assert (refused.exit_code, refused.stderr.count("ROOT_EXPIRED")) == (3, 1)
    assert rows(run("trust", "show", "-f", "json").stdout)["company"]["state"] == "ok"


def test_offline_an_update_asks_nobody(run: Run, served: Served) -> None:
    refused = run("trust", "update", "company", "--tuf-url", served.url, "--root", "root.json", "--offline")
    assert refused.exit_code == 3
    assert "ROOT_SOURCE" in refused.stderr


@pytest.mark.parametrize("url", ["http://tuf.example", "ftp://tuf.example", "tuf.example", "https://u:p@tuf.example"])
def test_an_address_that_is_not_encrypted_or_none_is_a_usage_error(run: Run, served: Served, url: str) -> None:
    del served
    refused = run("trust", "update", "company", "--tuf-url", url, "--root", "root.json")
    assert refused.exit_code == 2
    assert "USAGE" in refused.stderr


def test_a_private_repository_needs_root_metadata_first(run: Run, served: Served) -> None:
    refused = run("trust", "update", "company", "--tuf-url", served.url)
    assert refused.exit_code == 2
    assert "--root" in refused.stderr


def test_a_file_is_imported_and_a_damaged_one_shows(run: Run) -> None:
    Path("root.json").write_bytes(ROOT)
    assert run("trust", "import", "company", "root.json", "--digest", str(Digest.of(ROOT))).exit_code == 0
    kept = next(Path.home().rglob(f"{Digest.of(ROOT).hex}.json"))
    kept.write_bytes(ROOT + b" ")
    shown = run("trust", "show", "-f", "json")
    assert (shown.exit_code, rows(shown.stdout)["company"]["state"]) == (3, "ROOT_DIGEST")


def test_parts_are_imported_with_the_window_that_is_said(run: Run) -> None:
    sigstore = VirtualSigstore()
    Path("ca.pem").write_bytes(b"".join(map(certificate_pem, sigstore.chain())))
    Path("log.pem").write_bytes(
        sigstore.rekor1.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    parts = ("--certificate-chain", "ca.pem", "--log-key", f"{sigstore.rekor1.uri}=log.pem")
    missing = run("trust", "import", "company", *parts)
    assert missing.exit_code == 2
    assert "--valid-from" in missing.stderr
    done = run("trust", "import", "company", *parts, "--valid-from", "2026-01-01T00:00:00Z", "-f", "json")
    assert done.exit_code == 0, done.stderr
    assert (rows(done.stdout)["company"]["logs"], rows(done.stdout)["company"]["authorities"]) == (1, 1)


@pytest.mark.parametrize("arguments", [(), ("root.json", "--ct-key", "root.json")])
def test_a_file_or_parts_and_not_both(run: Run, arguments: tuple[str, ...]) -> None:
    Path("root.json").write_bytes(ROOT)
    refused = run("trust", "import", "company", *arguments)
    assert refused.exit_code == 2
    assert "not one trusted root" in refused.stderr


@pytest.mark.parametrize("moment", ["2026-01-01", "yesterday", "2026-01-01T00:00:00"])
def test_a_moment_without_zone_is_a_usage_error(run: Run, moment: str) -> None:
    refused = run("trust", "import", "company", "--ct-key", "ct.pem", "--valid-from", moment)
    assert refused.exit_code == 2


def test_a_root_is_saved_as_it_is_for_a_policy_to_pin(run: Run) -> None:
    Path("root.json").write_bytes(ROOT)
    assert run("trust", "import", "company", "root.json").exit_code == 0
    shown = run("trust", "show", "company", "--save", "saved.json", "-f", "json")
    assert shown.exit_code == 0, shown.stderr
    assert list(rows(shown.stdout)) == ["company"]
    assert Path("saved.json").read_bytes() == ROOT
    assert run("trust", "show", "--save", "saved.json").exit_code == 2
    missing = run("trust", "show", "nobody")
    assert (missing.exit_code, "ROOT_MISSING" in missing.stderr) == (3, True)
