"""Threat data is whole or refused: a catalogue that is cut off would silently know fewer exploited vulnerabilities."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import pytest

from gate.codec import threat_data
from gate.codec.strict_json import Fault
from gate.codec.threat_data import parse_epss, parse_kev
from gate.errors import PolicyError

FAULT = Fault(PolicyError, "POL_FILE", "data")
HEAD = "#model_version:v2025.03.14,score_date:2026-11-25T00:00:00+0000\ncve,epss,percentile\n"
ROWS = "CVE-2024-0001,0.5,0.9\nCVE-2024-0002,1e-05,0.1\nCVE-2024-0003,1.0,1.0\n"
SCORES = (("CVE-2024-0001", 0.5), ("CVE-2024-0002", 1e-05), ("CVE-2024-0003", 1.0))


def kev(*ids: object, **changes: object) -> bytes:
    entries = [{"cveID": one, "dateAdded": "2026-01-01", "dueDate": "2026-02-01"} for one in ids]
    document = {
        "title": "KEV",
        "dateReleased": "2026-11-24T15:00:00.0000Z",
        "count": len(ids),
        "vulnerabilities": entries,
    }
    return json.dumps(document | changes).encode()


def test_kev_gives_the_ids() -> None:
    parsed = parse_kev(kev("CVE-2024-0001", "CVE-2021-44228"), FAULT)
    assert parsed.cves == {"CVE-2024-0001", "CVE-2021-44228"}
    assert parsed.released == datetime(2026, 11, 24, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "data",
    [
        kev("CVE-2024-0001", count=2),
        kev(),
        kev("cve-2024-0001"),
        kev("CVE-2024-0001 "),
        kev(7),
        kev("CVE-2024-0001", dateReleased="2026-11-24"),
        kev("CVE-2024-0001", vulnerabilities={}),
        kev("CVE-2024-0001")[:-5],
        b"",
        b"[]",
    ],
)
def test_kev_that_is_not_whole_is_refused(data: bytes) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_kev(data, FAULT)
    assert caught.value.code == "POL_FILE"


@pytest.mark.parametrize("zone", ["+0000", "Z", "+00:00"])
@pytest.mark.parametrize("compress", [False, True])
def test_epss_gives_scores_and_their_day(*, zone: str, compress: bool) -> None:
    plain = (HEAD + ROWS).replace("+0000", zone).encode()
    parsed = parse_epss(gzip.compress(plain) if compress else plain, FAULT)
    assert parsed.scores == SCORES
    assert parsed.date == datetime(2026, 11, 25, tzinfo=UTC)


def test_epss_in_several_gzip_members_is_one_file() -> None:
    assert parse_epss(gzip.compress(HEAD.encode()) + gzip.compress(ROWS.encode()), FAULT).scores == SCORES


def test_epss_keeps_only_what_is_wanted() -> None:
    wanted = {"CVE-2024-0003", "CVE-1999-0001"}
    assert parse_epss((HEAD + ROWS).encode(), FAULT, wanted=wanted).scores == (("CVE-2024-0003", 1.0),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEAD,
        ROWS,
        HEAD + ROWS[:-1],
        HEAD + "CVE-2024-0001,1.1,0.9\n",
        HEAD + "CVE-2024-0001,-0.1,0.9\n",
        HEAD + "CVE-2024-0001,nan,0.9\n",
        HEAD + "CVE-2024-0001,--,0.9\n",
        HEAD + "CVE-2024-0001,0.5\n",
        HEAD + "GHSA-1,0.5,0.5\n",
        HEAD + "CVE-2024-0001,0.5,0.9\nCVE-2024-0001,0.1,0.9\n",
        HEAD.replace("2026-11-25T00:00:00+0000", "2026-11-25T00:00:00") + ROWS,
        HEAD.replace("2026-11-25", "2026-13-45") + ROWS,
        HEAD.replace("cve,epss", "epss,cve") + ROWS,
        HEAD + "é\n",
    ],
)
def test_epss_that_is_not_whole_is_refused(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_epss(text.encode(), FAULT)
    assert caught.value.code == "POL_FILE"


@pytest.mark.parametrize("cut", [1, 9, 20])
def test_epss_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_epss(gzip.compress((HEAD + ROWS).encode())[:-cut], FAULT)
    assert caught.value.code == "POL_FILE"


def test_epss_that_inflates_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threat_data, "MAX_EPSS_BYTES", 10_000)
    bomb = gzip.compress((HEAD + ROWS).encode() + b"x" * 1_000_000)
    for data in (bomb, gzip.compress(HEAD.encode()) + bomb, (HEAD + ROWS * 1000).encode()):
        with pytest.raises(PolicyError, match="too large") as caught:
            parse_epss(data, FAULT)
        assert caught.value.code == "POL_FILE"
    assert parse_epss(gzip.compress((HEAD + ROWS).encode()), FAULT).scores == SCORES


def test_epss_garbage_after_gzip_is_refused() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_epss(gzip.compress((HEAD + ROWS).encode()) + b"garbage", FAULT)
    assert caught.value.code == "POL_FILE"
