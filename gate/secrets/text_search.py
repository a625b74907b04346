"""Secrets in one block of bytes: what the automaton points at, judged exactly; text in other encodings, one or two deep.

The work is linear in the block: each rule reads it at most once, each encoding decodes it at most once.
Specification: checks reference, sections 8.2 to 8.5.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from gate.model.finding import Confidence
from gate.model.severity import Severity
from gate.secrets.assigned import MAX_ASSIGNED, find_assigned
from gate.secrets.candidate import Candidate, Judgement
from gate.secrets.file_names import is_for_readers, is_settings_by_form
from gate.secrets.hit import Hit, Where, line_of
from gate.secrets.judging import judge
from gate.secrets.patterns import Found
from gate.secrets.rule import Rule
from gate.secrets.rule_set import Occurrences, RuleSet
from gate.secrets.settings_form import holds_settings
from gate.secrets.validators import is_words

# The longest match that is seen: a private key of 16,384 bits in PEM has 13 KiB.
MAX_MATCH_BYTES: Final = 16 * 1024
# Encodings within each other: `base64` of JSON with escapes is two.
MAX_ENCODINGS: Final = 3
# One refuses; so many that a file full of them costs no memory.
_MAX_HITS_OF_RULE: Final = 200
_KEYWORD_REACH: Final = 256
_MIN_DECODED: Final = 8
# A name's end, what assigns, and a quote: enough to tell one assignment from another.
_ASSIGNING_BYTES: Final = 12
_OF_BYTES: Final = frozenset({"base64", "hex"})
# Opens what was decoded, where it is a container by its first bytes; None where it is none.
OpenDecoded = Callable[[bytes, Where], bool]
# Takes a place with more findings than are kept: behind many that are public could be one that is not (attack X03).
NoteFull = Callable[[Where], None]


class TextSearch:
    """Search blocks with one set of rules; `open_decoded` takes containers that an encoding held."""

    def __init__(self, rules: RuleSet, open_decoded: OpenDecoded, note_full: NoteFull) -> None:
        self._rules = rules
        self._open_decoded = open_decoded
        self._note_full = note_full

    def search(
        self,
        block: bytes,
        where: Where,
        *,
        low: int = 0,
        high: int | None = None,
        note_embedded: Callable[[], None] | None = None,
    ) -> Iterator[Hit]:
        """Yield the secrets that begin from `low` to before `high`; offsets and lines count from the block's beginning.

        `note_embedded` is called where a container may begin inside the block.
        """
        seen = self._rules.scan(block)
        if note_embedded is not None and seen.has_embedded():
            note_embedded()
        yield from self._of(seen, block, where, low, len(block) if high is None else high, 0)

    def _search(self, block: bytes, where: Where, low: int, high: int, encodings: int) -> Iterator[Hit]:
        yield from self._of(self._rules.scan(block), block, where, low, high, encodings)

    def _of(self, seen: Occurrences, block: bytes, where: Where, low: int, high: int, encodings: int) -> Iterator[Hit]:
        needs_names = _needs_names(where, seen, block)
        if not seen and not needs_names:
            return
        hits = [hit for hit in self._by_rule(block, where, seen) if low <= hit.offset < high]
        if needs_names:
            assigned = tuple(find_assigned(block, where, seen))
            if len(assigned) >= MAX_ASSIGNED:
                self._note_full(where)
            hits += [hit for hit in assigned if low <= hit.offset < high and not _is_explained(hit, hits)]
        yield from hits
        if encodings < MAX_ENCODINGS:
            yield from self._decoded(block, where, seen, low, high, encodings)

    def _by_rule(self, block: bytes, where: Where, seen: Occurrences) -> list[Hit]:
        hits: list[Hit] = []
        for number, first_end in sorted(seen.rules()):
            rule, pattern, paths = self._rules.rule(number)
            if paths is not None and not paths.fits(where.path.encode("utf-8", "surrogateescape")):
                continue
            count = 0
            for found in pattern.find(block, max(0, first_end - MAX_MATCH_BYTES)):
                hit = _judged(rule, found, block, where)
                if hit is not None:
                    hits.append(hit)
                    count += 1
                    if count >= _MAX_HITS_OF_RULE:
                        self._note_full(where)
                        break
        return _strongest(hits)

    def _decoded(
        self, block: bytes, where: Where, seen: Occurrences, low: int, high: int, encodings: int
    ) -> Iterator[Hit]:
        for encoding in seen.encodings():
            inside = where.encoded(encoding.name)
            runs = [
                (start, text)
                for start, text in encoding.decode(block)
                if low <= start < high
                and len(text) >= _MIN_DECODED
                and text != block
                # Only these two can hold bytes of a container.
                and not (encoding.name in _OF_BYTES and self._open_decoded(text, inside))
            ]
            if not runs:
                continue
            # As one text: a table of short texts would cost a scan for each.
            begins = [0, *accumulate(len(text) + 1 for _, text in runs)]
            joined = b"\n".join(text for _, text in runs)
            for hit in self._search(joined, inside, 0, len(joined), encodings + 1):
                number = bisect.bisect_right(begins, hit.offset) - 1
                if _stands_in_clear(hit, joined, begins[number], block):
                    continue
                start = runs[number][0]
                # Counted for a finding alone: for each of many runs it would be quadratic in the block.
                yield _moved(hit, start, block.count(b"\n", 0, start) + 1)


def _needs_names(where: Where, seen: Occurrences, block: bytes) -> bool:
    """Say whether assignments have to be looked for: where nothing quoted stands, only in files of settings."""
    is_by_form = is_settings_by_form(where.innermost)
    return bool(seen.quoted() or is_by_form or (seen.settings() and holds_settings(where, block)))


def _judged(rule: Rule, found: Found, block: bytes, where: Where) -> Hit | None:
    value = block[found.value[0] : found.value[1]]
    if not value or len(value) > MAX_MATCH_BYTES or not _has_keyword(rule, found, block):
        return None
    candidate = Candidate(
        value=value, text=block, start=found.start, end=found.end, path=where.path, groups=found.groups,
        has_proven_checksum=bool(rule.checksum_source),
    )  # fmt: skip
    said = judge(candidate, rule.validators)
    if said is Judgement.REJECT:
        return None
    # A word in a text for readers is a sample likelier than somebody's password.
    is_sample = rule.id.endswith("-password") and is_for_readers(where.innermost) and is_words(value.decode("latin-1"))
    is_doubtful = said is Judgement.DOUBTFUL or is_sample
    confidence = Confidence.CERTAIN if said is Judgement.CERTAIN else rule.confidence
    shown = rule.prefix if rule.prefix and value.startswith(rule.prefix.encode()) else ""
    return Hit(
        rule=rule.id,
        title=rule.title,
        severity=Severity.LOW if is_doubtful else rule.severity,
        confidence=Confidence.LOW if is_doubtful else confidence,
        value=value,
        where=where,
        offset=found.value[0],
        line=line_of(block, found.value[0]),
        prefix=shown,
    )


def _stands_in_clear(hit: Hit, decoded: bytes, begin: int, block: bytes) -> bool:
    """Say whether an assignment is the same without its encoding: then it was judged with what stands around it."""
    low = max(begin, hit.offset - _ASSIGNING_BYTES)
    return bool(hit.key_path) and decoded[low : hit.offset + len(hit.value)] in block


def _has_keyword(rule: Rule, found: Found, block: bytes) -> bool:
    if not rule.keywords:
        return True
    near = block[max(0, found.end - _KEYWORD_REACH - (found.end - found.start)) : found.end].lower()
    return any(word.encode() in near for word in rule.keywords)


def _moved(hit: Hit, start: int, line: int) -> Hit:
    """Return a hit in decoded text the place of the encoded text: that is where a person finds it."""
    return Hit(
        rule=hit.rule, title=hit.title, severity=hit.severity, confidence=hit.confidence, value=hit.value,
        where=hit.where, offset=start, line=line, prefix=hit.prefix, key_path=hit.key_path,
    )  # fmt: skip


def _strongest(hits: list[Hit]) -> list[Hit]:
    """Keep of several hits over the same bytes the surest one: what one rule explains, no second one tells again."""
    ranks = list(Confidence)
    ordered = sorted(
        hits, key=lambda hit: (hit.offset, -ranks.index(hit.confidence), -hit.severity.rank, -len(hit.value), hit.rule)
    )
    kept: list[Hit] = []
    for hit in ordered:
        over = kept[-1] if kept and hit.offset < kept[-1].offset + len(kept[-1].value) else None
        if over is None:
            kept.append(hit)
        elif ranks.index(hit.confidence) > ranks.index(over.confidence):
            kept[-1] = hit
    return kept


def _is_explained(assigned: Hit, hits: list[Hit]) -> bool:
    return any(
        one.value in assigned.value or assigned.value in one.value
        for one in hits
        if abs(one.offset - assigned.offset) <= MAX_MATCH_BYTES
    )
