"""Answer about images, from memory or by asking the registry, for every requirement that a service was started with.

Every document that is about an image must be met; where none is, the image is refused. Several requests for one digest wait
for one look-up, and each wait ends before the API server stops waiting.

Specification: DESIGN, section 6; attacks K09, K14, K16 to K18.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from gate.clock import Clock, Deadline
from gate.errors import (
    AdmissionRequestError,
    EvidenceError,
    GateError,
    InternalError,
    ReferenceRefusedError,
    RefusedError,
)
from gate.model.reference import RegistryReference, parse_reference
from gate.model.requirement import ImageRequirement, Mode, Requirement
from gate.pipeline.demand import requirement_for
from gate.pipeline.shared import Shared
from gate.pipeline.verify import admit
from gate.webhook.answers import Answers, KeptAnswer, key_of, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gate.model.reference import Repository
    from gate.pipeline.demand import Admission
    from gate.pipeline.verify_options import VerifyOptions

# Look-ups at once, and of one repository: one that is slow leaves threads to the others (attack K17).
WORKERS: Final = 48
AT_ONCE: Final = 4
# How long an answer counts before it is looked at again, so that a newer FAILED verdict is seen.
LOOK_AGAIN: Final = timedelta(minutes=5)
# How long a registry may be away before what was right is no longer believed; bounds also what could end meanwhile.
OUTAGE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAnswer:
    """What was answered about one image of an object, and by which entry of which requirement."""

    reference: str
    mode: Mode = Mode.ENFORCE
    refusal: GateError | None = None
    exempt: str = ""
    verdict: str = ""

    @property
    def refuses(self) -> bool:
        """Say whether the object is refused because of it."""
        return self.refusal is not None and self.mode is Mode.ENFORCE


@dataclass(slots=True)
class _Turns:
    """The look-ups of one repository: how many run, and those that wait for one to end."""

    running: int = 0
    waiting: deque[Callable[[], None]] = field(default_factory=deque)


@dataclass(slots=True, kw_only=True)
class Judge:
    """Answers about images; `options` say how registries are talked to, `look_again` how old an answer may be."""

    requirements: tuple[Requirement, ...]
    options: VerifyOptions
    clock: Clock = field(default_factory=Clock)
    look_again: timedelta = LOOK_AGAIN
    answers: Answers = field(default_factory=Answers)
    lookups: int = 0
    shared: Shared | None = None
    _flights: dict[bytes, Future[KeptAnswer]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _turns: dict[Repository, _Turns] = field(default_factory=dict)
    workers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="gate-admission")
    )

    def __post_init__(self) -> None:
        """Make what outlives a request, unless another judge's is taken over."""
        if self.shared is None:
            registry = replace(self.options.registry, offline=self.options.offline)
            self.shared = Shared(registry, clock=self.clock)

    def close(self) -> None:
        """End the look-ups; those that run end with their own deadlines."""
        self.workers.shutdown(wait=False, cancel_futures=True)
        if self.shared is not None:
            self.shared.close()

    def judge(self, references: Sequence[str], namespace: str, deadline: Deadline) -> tuple[ImageAnswer, ...]:
        """Answer about each distinct reference, in order; asks about all of them at the same time."""
        distinct = tuple(dict.fromkeys(references))
        plans = [self._plan(reference, namespace) for reference in distinct]
        waiting = [plan if isinstance(plan, ImageAnswer) else self._start(plan, deadline) for plan in plans]
        return tuple(item if isinstance(item, ImageAnswer) else self._finish(item, deadline) for item in waiting)

    def _plan(self, reference: str, namespace: str) -> ImageAnswer | _Plan:
        """Return what is to be asked about an image, or the answer that needs nobody; no registry is asked before (K18)."""
        try:
            parsed = parse_reference(reference)
            if not isinstance(parsed, RegistryReference):
                raise AdmissionRequestError(
                    "not an image of a registry", expected="registry/repository@sha256:...", seen="a path"
                )
            entries = self._entries(parsed.repository)
            mode = _strictest(entry for _, entry in entries)
            exempt = self._exemption(namespace, parsed.repository)
            if exempt:
                return ImageAnswer(reference=reference, exempt=exempt)
            if parsed.digest is None:
                return ImageAnswer(reference=reference, mode=mode, refusal=_tag(parsed))
        except GateError as error:
            return ImageAnswer(reference=reference, refusal=error)
        return _Plan(reference=reference, parsed=parsed, mode=mode, entries=entries)

    def _entries(self, repository: Repository) -> list[tuple[Requirement, ImageRequirement]]:
        found, last = [], None
        for requirement in self.requirements:
            try:
                found.append((requirement, requirement_for(requirement, repository)))
            except ReferenceRefusedError as error:
                last = error
        if not found and last is not None:
            raise last
        return found

    def _exemption(self, namespace: str, repository: Repository) -> str:
        """Return who exempts the image until when; each requirement must, and labels and users never do (K08)."""
        now = self.clock.now()
        held = [
            next((item for item in requirement.cluster.exempt if item.holds(namespace, repository, now)), None)
            for requirement in self.requirements
        ]
        if not held or any(item is None for item in held):
            return ""
        return "; ".join(
            f"{item.owner} until {item.ends.isoformat()}: {item.reason}" for item in held if item is not None
        )

    def _start(self, plan: _Plan, deadline: Deadline) -> _Flight:
        futures = [(self._key(plan, demanded[0]), self._future(plan, demanded, deadline)) for demanded in plan.entries]
        return _Flight(plan=plan, futures=futures)

    def _key(self, plan: _Plan, requirement: Requirement) -> bytes:
        if plan.parsed.digest is None:
            raise InternalError("a tag was to be looked up")
        return key_of(plan.parsed.digest, plan.parsed.repository, requirement.digest)

    def _future(
        self, plan: _Plan, demanded: tuple[Requirement, ImageRequirement], deadline: Deadline
    ) -> Future[KeptAnswer]:
        key = self._key(plan, demanded[0])
        now = self.clock.now()
        kept = self.answers.find(key, now)
        if kept is not None and now < kept.again:
            return _done(kept)
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = Future()
                look_up = partial(self._look_up, key, plan, demanded, kept, deadline)
                turns = self._turns.setdefault(plan.parsed.repository, _Turns())
                turns.waiting.append(partial(self._fly, key, plan.parsed.repository, flight, look_up))
                self._begin(turns)
        return flight

    def _begin(self, turns: _Turns) -> None:
        """Begin what waits for a repository, at most so many at once; the lock is held."""
        while turns.waiting and turns.running < AT_ONCE:
            turns.running += 1
            self.workers.submit(turns.waiting.popleft())

    def _fly(
        self, key: bytes, repository: Repository, flight: Future[KeptAnswer], look_up: Callable[[], KeptAnswer]
    ) -> None:
        """Answer a flight's waiters with what the look-up says or raises, and let the next one begin."""
        try:
            flight.set_result(look_up())
        except BaseException as error:
            flight.set_exception(error)
            raise
        finally:
            with self._lock:
                self._flights.pop(key, None)
                turns = self._turns[repository]
                turns.running -= 1
                self._begin(turns)
                if not turns.running:
                    del self._turns[repository]

    def _look_up(
        self,
        key: bytes,
        plan: _Plan,
        demanded: tuple[Requirement, ImageRequirement],
        kept: KeptAnswer | None,
        deadline: Deadline,
    ) -> KeptAnswer:
        self.lookups += 1
        requirement, entry = demanded
        options = replace(
            self.options, requirement=requirement, timeout=timedelta(seconds=max(deadline.remaining(), 0.05))
        )
        now = self.clock.now()
        try:
            admission = admit(
                f"{plan.parsed.repository}@{plan.parsed.digest}", options, clock=self.clock, shared=self.shared
            )
            answer = self._answer(admission, entry, now)
        except RefusedError as error:
            answer = refused(error, now)
        except EvidenceError as error:
            # Nobody could be asked: what was right before holds until its own end, and nothing new is kept.
            if kept is not None and kept.refusal is None and now < kept.until:
                return kept
            return refused(error, now - timedelta(days=1))
        self.answers.keep(key, answer)
        return answer

    def _answer(self, admission: Admission, entry: ImageRequirement, now: datetime) -> KeptAnswer:
        if admission.refusal is not None:
            if isinstance(admission.refusal, EvidenceError):
                raise admission.refusal
            return refused(admission.refusal, now)
        verdict, end = admission.verdict, now + OUTAGE
        if verdict is None:
            return KeptAnswer(until=end, again=min(now + self.look_again, end))
        if entry.verdict is not None:
            end = min(end, verdict.at + entry.verdict.max_age)
        if verdict.summary.expires is not None:
            end = min(end, verdict.summary.expires)
        named = str(verdict.signature.manifest) if verdict.signature.manifest is not None else ""
        return KeptAnswer(until=end, again=min(now + self.look_again, end), verdict=named)

    def _finish(self, flight: _Flight, deadline: Deadline) -> ImageAnswer:
        """Wait for every document's answer: the first refusal decides."""
        plan, verdicts = flight.plan, []
        for key, future in flight.futures:
            try:
                kept = future.result(timeout=max(deadline.remaining(), 0.0))
            except FutureTimeoutError:
                # A registry that hangs is away: what was right before holds until its own end.
                known = self.answers.find(key, self.clock.now())
                if known is None or known.refusal is not None:
                    return replace(plan.answer(), refusal=_too_late())
                kept = known
            except GateError as error:
                return replace(plan.answer(), refusal=error)
            if kept.refusal is not None:
                return replace(plan.answer(), refusal=kept.refusal)
            verdicts.append(kept.verdict)
        return replace(plan.answer(), verdict=",".join(filter(None, verdicts)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    reference: str
    parsed: RegistryReference
    mode: Mode
    entries: list[tuple[Requirement, ImageRequirement]]

    def answer(self) -> ImageAnswer:
        return ImageAnswer(reference=self.reference, mode=self.mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flight:
    plan: _Plan
    futures: list[tuple[bytes, Future[KeptAnswer]]]


def _strictest(entries: Iterable[ImageRequirement]) -> Mode:
    modes = {entry.mode for entry in entries}
    return next(mode for mode in Mode if mode in modes)


def _tag(parsed: RegistryReference) -> ReferenceRefusedError:
    return ReferenceRefusedError(
        "the image is named by a tag, and a tag can be moved",
        expected=f"{parsed.repository}@sha256:...",
        seen=str(parsed),
        next_step=f"Pin it: gate resolve {parsed}",
    )


def _too_late() -> EvidenceError:
    return EvidenceError("the registry did not answer in time", code="ADM_TIMEOUT")


def _done(answer: KeptAnswer) -> Future[KeptAnswer]:
    future: Future[KeptAnswer] = Future()
    future.set_result(answer)
    return future
