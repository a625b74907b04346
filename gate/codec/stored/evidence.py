"""The stored form of all that a verdict was decided from: one document, and pieces of their own for what verdicts share.

    document, pieces = encode_collected(collected)        # each is kept by its digest
    collected = decode_collected(document, store.get)

Version 1.0, published as `schemas/stored-evidence.schema.json`. A later version has a reader of its own beside this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gate.codec.stored.forms import (
    BOOLEAN,
    DEFINITIONS,
    DIGEST,
    INTEGER,
    NUMBER,
    TEXT,
    TIME,
    Form,
    Keep,
    field,
    load,
    many,
    piece,
    row,
    set_of,
    table,
)  # fmt: skip
from gate.codec.stored.image import (
    ATTACHMENTS,
    CONFIG,
    DESCRIPTOR,
    INDEX,
    MANIFEST,
    PLATFORM,
    REQUEST,
    SKIPPED,
    SUBJECT,
    UNAVAILABLE,
    or_unavailable,
)  # fmt: skip
from gate.codec.stored.scans import LAYERS, SCAN_REPORT, SECRETS
from gate.codec.strict_json import JsonValue, canonical_json, printable
from gate.errors import GateError, StorageError
from gate.model.collected import Collected, Conditions
from gate.model.digest import Digest
from gate.model.evidence import (
    DocumentAnswer,
    EvidenceOrigin,
    EvidenceSet,
    FirstSeen,
    RuleResult,
    SubjectEvidence,
    ThreatData,
)  # fmt: skip
from gate.model.limits import LayerLimits

if TYPE_CHECKING:
    from gate.codec.stored.forms import Get

SCHEMA: Final = "1.0"
_ID: Final = "https://gate.example/schemas/stored-evidence-1.0.json"
_VERSION: Final = "schemaVersion"


def _boolean_or_none() -> Form[Any]:
    schema: dict[str, JsonValue] = {"type": ["boolean", "null"]}
    return Form(lambda value, _: value, lambda plain, get: None if plain is None else BOOLEAN.read(plain, get), schema)


RULE_RESULT: Final = table(
    RuleResult, "ruleResult", field("id", TEXT), field("value", _boolean_or_none()), field("error", TEXT, default="")
)
SUBJECT_EVIDENCE: Final = table(
    SubjectEvidence,
    "subjectEvidence",
    field("subject", SUBJECT),
    field("manifest", or_unavailable(MANIFEST)),
    field("config", or_unavailable(CONFIG), default=None),
    field("layers", or_unavailable(piece(LAYERS, "what the pass over the layers found")), default=None),
    field("trivy", or_unavailable(piece(SCAN_REPORT, "what Trivy's report says")), default=None),
    field("grype", or_unavailable(piece(SCAN_REPORT, "what Grype's report says")), default=None),
    field("secrets", or_unavailable(SECRETS), default=None),
    field("rules", or_unavailable(many(RULE_RESULT)), default=None),
)
DOCUMENT_ANSWER: Final = table(
    DocumentAnswer,
    "documentAnswer",
    field("payload", DIGEST),
    field("violation", TEXT, default=""),
    field("unavailable", UNAVAILABLE, default=None),
)
FIRST_SEEN: Final = table(
    FirstSeen, "firstSeen", field("since", many(row(TEXT, TIME)), default=()), field("kept", BOOLEAN, default=False)
)
THREAT_DATA: Final = table(
    ThreatData,
    "threatData",
    field("kev", set_of(TEXT), default=frozenset()),
    field("epss", many(row(TEXT, NUMBER)), default=()),
    field("kevDigest", DIGEST, "kev_digest", default=None),
    field("epssDigest", DIGEST, "epss_digest", default=None),
    field("epssDate", TIME, "epss_date", default=None),
    field("kevDate", TIME, "kev_date", default=None),
)
ORIGIN: Final = table(
    EvidenceOrigin, "origin", field("file", DIGEST), field("gatheredAt", TIME, "gathered_at"), field("gate", TEXT)
)
EVIDENCE: Final = table(
    EvidenceSet,
    "evidence",
    field("request", REQUEST),
    field("root", DESCRIPTOR, default=None),
    field("index", piece(INDEX, "the index"), default=None),
    field("subjects", many(SUBJECT_EVIDENCE), default=()),
    field("skipped", many(SKIPPED), default=()),
    field("attachments", or_unavailable(ATTACHMENTS), default=None),
    field("documents", many(DOCUMENT_ANSWER), default=()),
    field("fault", UNAVAILABLE, default=None),
    field("firstSeen", FIRST_SEEN, "first_seen", default=FirstSeen()),
    field("threatData", THREAT_DATA, "threat_data", default=ThreatData()),
    field("origin", ORIGIN, default=None),
)
LIMITS: Final = table(
    LayerLimits,
    "limits",
    field("layers", INTEGER),
    field("uncompressedBytes", INTEGER, "uncompressed_bytes"),
    field("entries", INTEGER),
    field("ratio", INTEGER),
    field("ratioWindowBytes", INTEGER, "ratio_window_bytes"),
    field("secondsPerGib", NUMBER, "seconds_per_gib"),
)
CONDITIONS: Final = table(
    Conditions,
    "conditions",
    field("policy", DIGEST, default=None),
    field("answeredAt", TIME, "answered_at", default=None),
    field("overridden", BOOLEAN, default=False),
    field("platforms", many(PLATFORM), default=()),
    field("limits", LIMITS),
    field("secretRules", many(DIGEST), "secret_rules", default=()),
    field("environments", many(TEXT), default=None),
    field("withheld", BOOLEAN, default=False),
)
COLLECTED: Final = table(Collected, "collected", field("evidence", EVIDENCE), field("conditions", CONDITIONS))


def encode_collected(collected: Collected) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the document, and the pieces that it names by digest; equal values give equal bytes."""
    pieces: dict[Digest, bytes] = {}

    def keep(content: bytes) -> Digest:
        digest = Digest.of(content)
        pieces[digest] = content
        return digest

    document = _written(collected, keep)
    return canonical_json(document), tuple(pieces[digest] for digest in sorted(pieces))


def _written(collected: Collected, keep: Keep) -> JsonValue:
    document = COLLECTED.write(collected, keep)
    return {_VERSION: SCHEMA, **document} if isinstance(document, dict) else document


def decode_collected(document: bytes, get: Get) -> Collected:
    """Return the evidence of a document; `get` returns the piece with a digest, whole, or raises.

    Raises:
        StorageError: `STORE_SCHEMA`, a later release wrote it; `STORE_CORRUPT`, it is no such document, or a piece is gone.
    """
    try:
        plain = load(document)
        version = plain.pop(_VERSION)
        if version != SCHEMA:
            raise StorageError(
                "the evidence was kept by a later release",
                code="STORE_SCHEMA",
                expected=f"version {SCHEMA}",
                seen=f"version {printable(str(version), 20)}",
            )
        return COLLECTED.read(plain, get)
    except StorageError:
        raise
    except (GateError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StorageError(
            "kept evidence is not of its form", code="STORE_CORRUPT", seen=printable(str(error))
        ) from error


def schema() -> dict[str, JsonValue]:
    """Return the published JSON schema of the document and of its pieces."""
    whole = DEFINITIONS["collected"]
    if not isinstance(whole, dict) or not isinstance(whole["properties"], dict):
        raise TypeError("the form of a document is an object")
    properties: dict[str, JsonValue] = {_VERSION: {"const": SCHEMA}, **whole["properties"]}
    required: list[JsonValue] = [_VERSION, "evidence", "conditions"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _ID,
        "title": "Evidence as the record keeps it, version 1.0",
        "description": (
            "All that a verdict was decided from. A text that is the digest of a piece names bytes that are kept beside the"
            " document; `contentSchema` says of which form they are. A field that is left out has its empty value."
        ),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        "$defs": {name: DEFINITIONS[name] for name in sorted(DEFINITIONS) if name != "collected"},
    }
