"""`registries:` of a configuration file: read for each registry, refused where it was only found or is malformed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from gate.cli.config_file import apply_config
from gate.cli.environment import registry_options
from gate.cli.session import Session
from gate.errors import PolicyError
from gate.model.reference import parse_repository
from gate.registry.options import HostSettings, RegistryOptions
from tests.cli.conftest import Run

HOST = "registry.example:5000"


def read(folder: Path, document: Any, *, found: bool = False) -> RegistryOptions:  # noqa: ANN401 - any YAML
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    with click.Context(click.Command("check"), obj=Session()) as context:
        apply_config(context, path, found=found)
        return registry_options(authfile=None, plain_http=False, ca_file=None, offline=False)


def test_every_key_is_read_for_its_registry(tmp_path: Path) -> None:
    said = {
        "mirrors": ["mirror.example:5000", "mirror.example/hub"],
        "tokenHosts": ["login.example"],
        "blobHosts": ["10.0.0.1:9000", "minio.example"],
        "plainHttp": True,
        "caFile": "authority.pem",
        "clientCertificate": "client.pem",
        "attestationsIn": "registry.example/verdicts",
    }
    options = read(tmp_path, {"registries": {HOST: said, "other.example": {}}})
    assert options.hosts == {
        HOST: HostSettings(
            mirrors=("mirror.example:5000", "mirror.example/hub"),
            token_hosts=frozenset({"login.example"}),
            blob_hosts=frozenset({"10.0.0.1:9000", "minio.example"}),
            plain_http=True,
            ca_file=tmp_path / "authority.pem",
            client_certificate=tmp_path / "client.pem",
            attestations_in=parse_repository("registry.example/verdicts"),
        ),
        "other.example": HostSettings(),
    }


@pytest.mark.parametrize(
    ("section", "code"),
    [
        ({HOST: {"blobHost": ["x.example"]}}, "POL_UNKNOWN_KEY"),
        ({HOST: {"blobHosts": "x.example"}}, "POL_MALFORMED"),
        ({HOST: {"blobHosts": ["https://x.example"]}}, "POL_MALFORMED"),
        ({HOST: {"mirrors": "mirror.example"}}, "POL_MALFORMED"),
        ({HOST: {"mirrors": ["https://mirror.example"]}}, "POL_MALFORMED"),
        ({HOST: {"mirrors": ["mirror.example/hub:tag"]}}, "POL_MALFORMED"),
        ({HOST: {"plainHttp": "yes"}}, "POL_MALFORMED"),
        ({HOST: {"attestationsIn": "registry.example/verdicts:tag"}}, "POL_MALFORMED"),
        ({"https://registry.example": {}}, "POL_MALFORMED"),
        ({"Registry.example": {}}, "POL_MALFORMED"),
        ([], "POL_MALFORMED"),
    ],
)
def test_what_is_malformed_is_refused(section: object, code: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as refused:
        read(tmp_path, {"registries": section})
    assert refused.value.code == code


def test_a_file_that_was_only_found_may_not_say_it(tmp_path: Path, run: Run) -> None:
    with pytest.raises(PolicyError) as refused:
        read(tmp_path, {"registries": {}}, found=True)
    assert refused.value.code == "POL_UNTRUSTED"
    Path(".gate.yaml").write_text("registries: {}\n", encoding="utf-8")
    result = run("explain", "VULN_FOUND")
    assert (result.exit_code, "POL_UNTRUSTED" in result.output) == (2, True)
