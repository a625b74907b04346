"""A Sigstore on loopback for the tests of signers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.sigstore_server import SigstoreServer, run_sigstore


@pytest.fixture
def server() -> Iterator[SigstoreServer]:
    with run_sigstore() as running:
        yield running
