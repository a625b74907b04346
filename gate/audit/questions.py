"""Questions to the record that its rows alone answer: which rows, what one says, what differs between two."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gate.errors import StorageError, UsageError
from gate.model.digest import Digest
from gate.store.rows import read_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gate.store.record import Record, Row

_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows are wanted; an empty field wants all. Times are RFC 3339 in UTC, compared as text, `until` excluded."""

    kind: str = ""
    repository: str = ""
    digest: str = ""
    since: str = ""
    until: str = ""
    decision: str = ""
    code: str = ""
    policy: str = ""
    waiver: str = ""
    environment: str = ""
    actor: str = ""
    commit: str = ""

    def wants(self, said: Mapping[str, Any]) -> bool:
        """Return whether what a row says is wanted."""
        at = str(said.get("at", ""))
        actor = said.get("actor") if isinstance(said.get("actor"), dict) else {}
        return all(
            (
                not self.repository or _repository(said) == self.repository,
                not self.digest or self.digest in (said.get("digest"), *said.get("subjects", ())),
                not self.since or at >= self.since,
                not self.until or at < self.until,
                not self.decision or said.get("decision") == self.decision,
                not self.code or self.code in codes_of(said),
                not self.policy or self.policy in _policies(said),
                not self.waiver or self.waiver in (said.get("waiver"), *said.get("waivers", ())),
                not self.environment or self.environment in (said.get("environment"), *said.get("environments", ())),
                not self.actor or self.actor in (actor or {}).values(),
                not self.commit or (actor or {}).get("commit") == self.commit,
            )
        )


def codes_of(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Return every reason code that a row names, each once."""
    checks = (check.get("codes", ()) for check in said.get("checks", ()))
    own = [said.get(name) for name in ("code", "unsigned", "reason")]
    return tuple(dict.fromkeys(str(code) for code in (*(code for codes in checks for code in codes), *own) if code))


def _repository(said: Mapping[str, Any]) -> str:
    return str(said.get("repository") or str(said.get("subject", "")).partition("@")[0])


def _policies(said: Mapping[str, Any]) -> tuple[str, ...]:
    policy = said.get("policy")
    return (str(policy.get("name")), str(policy.get("digest"))) if isinstance(policy, dict) else (str(policy),)


def find_rows(record: Record, wanted: Filter, limit: int = 0) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Yield the rows that are wanted, newest first, at most `limit` (0: all), each with what it says."""
    found = 0
    for row in _newest_first(record, wanted):
        said = said_of(row)
        if not wanted.wants(said):
            continue
        yield row, said
        found += 1
        if found == limit:
            return


def said_of(row: Row) -> dict[str, Any]:
    """Return what a row says, as plain values; raises StorageError `STORE_CORRUPT`."""
    try:
        said = json.loads(row.content)
    except (ValueError, RecursionError) as error:
        raise StorageError("a row of the record is not JSON", code="STORE_CORRUPT", seen=f"row {row.number}") from error
    return said if isinstance(said, dict) else {}


def _newest_first(record: Record, wanted: Filter) -> Iterator[Row]:
    """Yield rows a page at a time, over the index of subjects where a repository is named."""
    conditions, values = ["number < ?"], list[object]()
    if wanted.kind:
        conditions.append("kind = ?")
        values.append(wanted.kind)
    if wanted.repository:
        # "A" follows "@": a range that the index serves.
        conditions.append("subject >= ? AND subject < ?")
        values += [f"{wanted.repository}@", f"{wanted.repository}A"]
    below = 1 << 62
    while page := record.backend.select(" AND ".join(conditions), (below, *values), "number DESC", _PAGE):
        yield from map(read_row, page)
        last = page[-1][0]
        if not isinstance(last, int):
            return
        below = last


def named_rows(record: Record, name: str) -> tuple[Row, ...]:
    """Return the row with this number, or every row about this digest, oldest first.

    Raises:
        UsageError: it is neither, or `STORE_NO_ROW`, there is none.
    """
    if name.isdecimal() and len(name) < 19:
        found = tuple(map(read_row, record.backend.select("number = ?", (int(name),))))
    else:
        digest = str(Digest(name))
        found = tuple(reversed([row for row, _ in find_rows(record, Filter(digest=digest))]))
    if not found:
        raise UsageError(
            "the record has no such row",
            code="STORE_NO_ROW",
            expected="a row's number or the digest of an image",
            seen=ascii(name[:100]),
        )
    return found


def one_row(record: Record, name: str) -> Row:
    """Return one row: that number, or the newest verdict about that digest, or else the newest row. Raises as `named_rows`."""
    found = named_rows(record, name)
    return next((row for row in reversed(found) if row.kind == "verdict"), found[-1])


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield each field in which two rows differ: its path, and both values as JSON."""
    for name in sorted(one.keys() | other.keys()):
        left, right = one.get(name), other.get(name)
        if left == right or name in {"number", "previous", "run"}:
            continue
        if isinstance(left, dict) and isinstance(right, dict):
            yield from ((f"{name}.{path}", first, second) for path, first, second in differences(left, right))
        elif isinstance(left, list) and isinstance(right, list):
            gone = [item for item in left if item not in right]
            come = [item for item in right if item not in left]
            yield name, json.dumps(gone, sort_keys=True), json.dumps(come, sort_keys=True)
        else:
            yield name, json.dumps(left, sort_keys=True), json.dumps(right, sort_keys=True)
