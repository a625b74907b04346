"""In-toto statements: Statement v1, and v0.1 where somebody else wrote it.

Refuses what is not a statement before it looks at what it says, and long lists before their items. The predicate stays
plain JSON that the codec of its type reads. Only payloads whose signature was verified, or bytes equal to a digest
where nothing but the choice between two refusals hangs on them, come here.

Specification: in-toto attestation framework v1; formats reference, section 6.2; attacks A05, A07, A16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.dsse import MAX_ENVELOPE_BYTES
from gate.codec.strict_json import Fault, JsonValue, ObjectView, canonical_json, parse_object
from gate.errors import AttestationError, UsageError
from gate.model.digest import Digest
from gate.model.statement import COSIGN_SIGNATURE, STATEMENT_V01, STATEMENT_V1, NamedSubject, StatementSubject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_FOREIGN_SUBJECTS: Final = 1024
# An index and all children that it may have (`gate.codec.oci.MAX_CHILDREN`; attack A05).
MAX_OWN_SUBJECTS: Final = 129
_FAULT: Final = Fault(AttestationError, "ATT_MALFORMED", "the statement")
_TYPES: Final = frozenset({STATEMENT_V1, STATEMENT_V01})


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement as it was written; `view` is the whole object, for the codec of the predicate's type."""

    type: str
    predicate_type: str
    subjects: tuple[StatementSubject, ...]
    view: ObjectView

    def names(self, digest: Digest) -> bool:
        """Say whether this digest is one of the subjects."""
        return any(subject.digest == digest for subject in self.subjects)


def parse_statement(payload: bytes) -> Statement:
    """Parse a statement that anybody may have written.

    Raises:
        AttestationError: `ATT_MALFORMED`; `ATT_TYPE` for another `_type`; `ATT_SUBJECT` for no subjects, or one that
        names
            no SHA-256; `LIMIT_BUNDLE` for too many subjects or bytes.
    """
    view = parse_object(payload, _FAULT, limit_bytes=MAX_ENVELOPE_BYTES, limit_code="LIMIT_BUNDLE")
    kind = view.text("_type")
    if kind not in _TYPES:
        raise view.refuse("_type", "is of another type", code="ATT_TYPE", expected=STATEMENT_V1, seen=kind)
    return Statement(type=kind, predicate_type=view.text("predicateType"), subjects=_subjects(view), view=view)


def _subjects(view: ObjectView) -> tuple[StatementSubject, ...]:
    items = view.optional_objects("subject")
    if len(items) > MAX_FOREIGN_SUBJECTS:
        raise view.refuse(
            "subject",
            "has too many items",
            code="LIMIT_BUNDLE",
            expected=f"at most {MAX_FOREIGN_SUBJECTS}",
            seen=str(len(items)),
        )
    if not items:
        raise view.refuse("subject", "names nothing", code="ATT_SUBJECT", expected="at least one subject")
    return tuple(_subject(item) for item in items)


def _subject(view: ObjectView) -> StatementSubject:
    digests = view.optional_text_map("digest")
    if "sha256" not in digests:
        raise view.refuse(
            "digest", "names no SHA-256", code="ATT_SUBJECT", expected="sha256", seen=", ".join(digests) or "nothing"
        )
    return StatementSubject(
        name=view.optional_text("name"),
        digest=_binding_digest(digests["sha256"]),
        annotations=view.optional_text_map("annotations"),
    )


def _binding_digest(digits: str) -> Digest | None:
    try:
        return Digest.from_hex(digits)
    except UsageError:
        return None


def own_subjects(statement: Statement) -> tuple[NamedSubject, ...]:
    """Return the subjects of a statement of the gate's own, which are narrower than anybody else's.

    Raises:
        AttestationError: `ATT_TYPE` for v0.1; `ATT_SUBJECT` for more than 33, one twice, one without name, a malformed
            SHA-256, or another algorithm beside it.
    """
    if statement.type != STATEMENT_V1:
        raise statement.view.refuse(
            "_type", "is of another type", code="ATT_TYPE", expected=STATEMENT_V1, seen=statement.type
        )
    views = statement.view.objects("subject")
    subjects = tuple(_own_subject(view, subject) for view, subject in zip(views, statement.subjects, strict=True))
    if len({subject.digest for subject in subjects}) != len(subjects) or len(subjects) > MAX_OWN_SUBJECTS:
        raise statement.view.refuse(
            "subject",
            "has a digest twice or too many of them",
            code="ATT_SUBJECT",
            expected=f"at most {MAX_OWN_SUBJECTS}, each once",
            seen=str(len(subjects)),
        )
    return subjects


def _own_subject(view: ObjectView, subject: StatementSubject) -> NamedSubject:
    algorithms = ", ".join(view.optional_text_map("digest"))
    if subject.digest is None or algorithms != "sha256" or not subject.name:
        raise view.refuse(
            "", "is not a subject of the gate", code="ATT_SUBJECT", expected="name and sha256 alone", seen=algorithms
        )
    return NamedSubject(name=subject.name, digest=subject.digest)


def render_statement(
    subjects: Sequence[NamedSubject], predicate_type: str, predicate: Mapping[str, JsonValue]
) -> bytes:
    """Write a Statement v1 in the gate's canonical form: the payload that is signed."""
    return canonical_json(
        {
            "_type": STATEMENT_V1,
            "predicate": dict(predicate),
            "predicateType": predicate_type,
            "subject": [{"digest": {"sha256": subject.digest.hex}, "name": subject.name} for subject in subjects],
        }
    )


def render_cosign_statement(digest: Digest, annotations: Mapping[str, str]) -> bytes:
    """Write the statement that `cosign sign` writes: no name, an empty predicate, annotations in the subject."""
    subject: dict[str, JsonValue] = {"digest": {"sha256": digest.hex}}
    if annotations:
        subject["annotations"] = dict(annotations)
    return canonical_json(
        {"_type": STATEMENT_V1, "predicate": {}, "predicateType": COSIGN_SIGNATURE, "subject": [subject]}
    )
