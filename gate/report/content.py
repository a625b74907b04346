"""What a report shows: images that were asked for, or rows of a listing; values only.

The reports know the pipeline's results by their shape, because the arrow of imports points the other way: `CheckRun` and
`VerifyRun` fit `CheckedImage` and `VerifiedImage` as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from gate.model.decision import Decision
from gate.report.codes import exit_code_of

if TYPE_CHECKING:
    from gate.errors import GateError
    from gate.model.digest import Digest
    from gate.model.identity import VerifiedIdentity
    from gate.model.severity import Severity
    from gate.model.verdict import Verdict

SCHEMA_VERSION: Final = "1.0"
_EXIT_DECISIONS: Final = {0: Decision.PASSED, 1: Decision.REFUSED}


class Issued(Protocol):
    """An attestation that was published and read back; `manifest` is None where it is only a file."""

    @property
    def manifest(self) -> Digest | None:
        """The digest of the attestation's manifest."""

    @property
    def subject(self) -> Digest:
        """The digest that it is about."""

    @property
    def place(self) -> str:
        """Where it is: a repository, a layout, a file."""

    @property
    def predicate_type(self) -> str:
        """The type of its predicate."""


class CheckedImage(Protocol):
    """What one check came to."""

    @property
    def verdict(self) -> Verdict:
        """The verdict."""

    @property
    def attestations(self) -> Sequence[Issued]:
        """What was attached, in order."""

    @property
    def reused(self) -> bool:
        """Whether an earlier verdict on unchanged inputs was given again."""

    @property
    def notices(self) -> Sequence[str]:
        """Single lines for people."""


class VerifiedImage(Protocol):
    """The verdict that let an image in, or the signatures where only those are demanded (`policy` is then None)."""

    @property
    def digest(self) -> Digest:
        """The digest that was demanded."""

    @property
    def key_id(self) -> str:
        """The key that signed."""

    @property
    def identity(self) -> VerifiedIdentity | None:
        """Who signed with a certificate; None where a key is the signer."""

    @property
    def policy(self) -> Digest | None:
        """The digest of the policy under which it was judged."""

    @property
    def verifier_id(self) -> str:
        """Who judged it."""

    @property
    def environments(self) -> tuple[str, ...]:
        """Where it may be deployed."""

    @property
    def time_verified(self) -> datetime | None:
        """When it was judged, by the signer's clock."""

    @property
    def trusted_time(self) -> datetime | None:
        """When it was signed, by an authority that is trusted."""

    @property
    def expires(self) -> datetime | None:
        """When this stage stops accepting it."""

    @property
    def attachment(self) -> Digest | None:
        """The manifest that carries it."""


class UncountedCandidate(Protocol):
    """A candidate that does not let an image in."""

    @property
    def code(self) -> str:
        """The code of the reason."""

    @property
    def message(self) -> str:
        """The reason in words."""

    @property
    def place(self) -> Digest:
        """The manifest that holds it, or its own bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedAt:
    """Where a repository names an image: a relative path with `/`, and the number of the line, from 1."""

    file: str
    line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReport:
    """One image that was asked for, as text (untrusted), and what came of it: exactly one of the three is given.

    `set_aside` are the candidates of a demand that do not let it in, whatever came of it. `named_at` is what reports for
    reviewers of code point at.
    """

    reference: str
    checked: CheckedImage | None = None
    verified: VerifiedImage | None = None
    error: GateError | None = None
    set_aside: Sequence[UncountedCandidate] = ()
    named_at: NamedAt | None = None

    @property
    def decision(self) -> Decision:
        """Return the decision; an error that is the image's own fault refuses it, any other left it unjudged."""
        if self.checked is not None:
            return self.checked.verdict.decision
        return _EXIT_DECISIONS.get(self.exit_code, Decision.ERROR)

    @property
    def exit_code(self) -> int:
        """Return the exit code that this image alone would end with."""
        if self.checked is not None:
            return self.checked.verdict.exit_code
        return 0 if self.error is None else exit_code_of(self.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All images of a request, in the order in which they were asked for.

    `exit_code` is what the run ends with. `severities` narrows which findings are shown (None: all); it never changes
    what was decided. `now` is the moment that ages are counted to.
    """

    images: tuple[ImageReport, ...]
    exit_code: int
    now: datetime
    severities: frozenset[Severity] | None = None


Cell: TypeAlias = str | int | bool | datetime | tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Rows for people and for programs: `kind` names them in JSON, `columns` are the keys, in order.

    `state` names the column that says in one word how a row stands (`ok`, `missing` ...); "" where there is none. `notes`
    are sentences below the rows. `bare` prints only the first column for people, one value a line: what scripts read.
    `detail` are columns, and `accepted` states of rows, that only programs are shown.
    """

    kind: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    exit_code: int = 0
    state: str = ""
    notes: tuple[str, ...] = ()
    bare: bool = False
    detail: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()

    def for_people(self) -> Listing:
        """Return the listing without the columns and rows that only programs are shown."""
        if not self.detail and not self.accepted:
            return self
        kept = [place for place, column in enumerate(self.columns) if column not in self.detail]
        state = self.columns.index(self.state) if self.accepted else 0
        return replace(
            self,
            columns=tuple(self.columns[place] for place in kept),
            rows=tuple(tuple(row[place] for place in kept) for row in self.rows if row[state] not in self.accepted),
            detail=frozenset(),
            accepted=frozenset(),
        )


@dataclass(frozen=True, slots=True)
class Document:
    """A text that is asked for as it is (a schema, a policy, a script), the same in every format; it ends with a newline."""

    text: str


Content: TypeAlias = Report | Listing | Document
