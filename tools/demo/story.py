"""What the demo shows, as data: each command with the exit code and the reason codes that it must answer with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tools.demo.registry import attached_count
from tools.images.catalog import WRONG

if TYPE_CHECKING:
    from tools.demo.workspace import Answer

SUMMARY_TYPE: Final = "https://slsa.dev/verification_summary/v1"
# Each image with exactly the codes that the demo's policy finds in it.
REFUSED: Final[Mapping[str, frozenset[str]]] = {
    "vulnerable-python": frozenset({"VULN_FOUND", "VULN_SEVERITY_UNKNOWN"}),
    "vulnerable-npm": frozenset({"VULN_FOUND"}),
    "vulnerable-maven": frozenset({"VULN_FOUND"}),
    "vulnerable-debian": frozenset({"VULN_FOUND", "VULN_KEV", "VULN_SEVERITY_UNKNOWN"}),
    "secret-deleted": frozenset({"SECRET_LAYER"}),
    "secret-env": frozenset({"SECRET_CONFIG"}),
    "secret-history": frozenset({"SECRET_CONFIG"}),
    "unsigned": frozenset({"SIG_MISSING"}),
    "root-user": frozenset({"IMG_USER_ROOT"}),
    "setuid": frozenset({"IMG_SETUID"}),
    "exposed-ssh": frozenset({"IMG_PORT"}),
    "old-packagedb-removed": frozenset({"IMG_PKGDB_REMOVED"}),
    "unknown-os": frozenset({"SCAN_OS_UNKNOWN"}),
    "index-bad-child": frozenset({"SECRET_FOUND"}),
}
# The end of a distribution is a matter of the calendar, which nothing here may depend on.
LEFT_OUT: Final = frozenset({"end-of-life"})
NEVER_JUDGED: Final = "alpine-clean"
_CHECK: Final = ("-p", "policy.yaml", "--key", "keys/gate.key")
_DEMAND: Final = ("--key", "keys/gate.pub", "--policy", "policy.yaml", "--environment", "production")

Proof = Callable[["Answer"], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What the steps are about: the registry, and each pushed image's digest by its name."""

    host: str
    digests: Mapping[str, str]

    def repository(self, name: str) -> str:
        """Return `shop/NAME`; the clean image is the shop's web."""
        return f"shop/{'web' if name == 'clean' else name}"

    def reference(self, name: str) -> str:
        """Return the reference of an image by digest."""
        return f"{self.host}/{self.repository(name)}@{self.digests[name]}"

    def attached(self, name: str) -> int:
        """Count what hangs on the image's digest."""
        return attached_count(self.host, self.repository(name), self.digests[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command and its expected answer. `brief` shows it as one line; `proofs` look at more than code and codes."""

    command: tuple[str, ...]
    title: str = ""
    exit_code: int = 0
    codes: frozenset[str] = frozenset()
    not_zero: bool = False
    lines: int = 8
    brief: bool = False
    picture: bool = False
    proofs: tuple[Proof, ...] = ()

    def faults(self, answer: Answer) -> list[str]:
        """Say in what the answer differs from what is expected; empty when in nothing."""
        found = []
        if answer.exit_code != self.exit_code and not (self.not_zero and answer.exit_code > 0):
            expected = "another exit code than 0" if self.not_zero else f"exit code {self.exit_code}"
            found.append(f"expected {expected}, saw {answer.exit_code}")
        if answer.codes != self.codes:
            found.append(f"expected the codes {sorted(self.codes)}, saw {sorted(answer.codes)}")
        return found + [fault for proof in self.proofs if (fault := proof(answer)) is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """Some steps under one title; `together` where none changes what another sees, so that they need not wait."""

    title: str
    steps: Iterable[Step]
    together: bool = False


def chapters(shop: Shop) -> Iterator[Chapter]:
    """Return the story in order. What a step's proof counts first is counted when its chapter is asked for."""
    refused = f"3  {len(REFUSED)} images that are refused, each for its own reason"
    deploy = "5  The deploy stage lets only passing digests through"
    demands = "6  What the deploy stage demands of a good verdict"
    yield Chapter(title="1  A layout of a build, not pushed anywhere", steps=_layout(shop))
    yield Chapter(title="2  Images in the registry that pass", steps=_passing(shop))
    yield Chapter(title=refused, steps=_refused(shop), together=True)
    yield Chapter(title="4  A tag is no image", steps=_tag(shop))
    yield Chapter(title=deploy, steps=_deploy(shop), together=True)
    yield Chapter(title=demands, steps=_demands(shop), together=True)
    yield Chapter(title="7  Other tools read the same verdicts", steps=_cosign(shop))
    yield Chapter(title="8  A repository's references are found, pinned and verified", steps=_references())
    yield Chapter(title="9  A stale database is no clean bill of health", steps=_stale(shop))


def _references() -> Sequence[Step]:
    return (
        Step(
            title="Every image of a repository's files, with its place: a tag can move",
            command=("gate", "refs", "repository"),
            exit_code=1,
            codes=frozenset({"REF_NOT_DIGEST"}),
            lines=12,
        ),
        Step(
            title="Pinned in place: no other byte changes",
            command=("gate", "refs", "repository", "--fix"),
            lines=12,
        ),
        Step(
            title="What is pinned has a valid verdict for production",
            command=("gate", "refs", "repository", "--all", "--verify", "--requirement", "requirement.yaml"),
            lines=12,
        ),
    )


def _layout(shop: Shop) -> Sequence[Step]:
    layout = f"oci:images/clean@{shop.digests['clean']}"
    name = f"{shop.host}/shop/web"
    written = ("oci:", "verdict.json")
    return (
        Step(
            title="The build signs its layout, as `cosign sign` would",
            command=("gate", "sign", layout, "--key", "keys/build.key"),
        ),
        Step(
            title="It passes: the verdict is attached in the layout and written as a file",
            command=("gate", "check", "oci:images/clean", "--as", name, *_CHECK, "--attestation", "verdict.json"),
            lines=30,
            proofs=(lambda answer: _expect_places(answer, written),),
        ),
        Step(
            title="The next stage demands it from the layout",
            command=("gate", "verify", "oci:images/clean", "--as", name, *_DEMAND),
        ),
    )


def _passing(shop: Shop) -> Sequence[Step]:
    web = shop.reference("clean")
    before = shop.attached("clean")
    command = ("gate", "check", web, *_CHECK)

    def attached(more: int) -> Proof:
        return lambda _: _differs("attachments in the registry", before + more, shop.attached("clean"))

    return (
        Step(
            title="By digest: scanned by both scanners, judged, signed, attached as a referrer and read back",
            command=command,
            lines=10,
            picture=True,
            # The verdict, and the evidence that it names.
            proofs=(attached(2), lambda answer: _differs("reused", expected=False, seen=_reused(answer))),
        ),
        Step(
            title="Again, with nothing changed: the same verdict, nothing scanned, nothing pushed",
            command=command,
            lines=7,
            proofs=(attached(2), lambda answer: _differs("reused", expected=True, seen=_reused(answer))),
        ),
        Step(
            title="An index passes because each of its platforms does",
            command=("gate", "check", shop.reference("index-good"), *_CHECK),
            lines=7,
        ),
    )


def _refused(shop: Shop) -> Sequence[Step]:
    return tuple(
        Step(
            title=f"{name}: {WRONG[name]}",
            command=("gate", "check", shop.reference(name), *_CHECK),
            exit_code=1,
            codes=codes,
            lines=6,
            picture=name == "secret-deleted",
            proofs=(lambda answer: _expect_places(answer, (shop.host,)),),
        )
        for name, codes in REFUSED.items()
    )


def _tag(shop: Shop) -> Sequence[Step]:
    before = shop.attached("clean")
    return (
        Step(
            title="A tag can name another image tomorrow: refused before anything is fetched, nothing attached",
            command=("gate", "check", f"{shop.host}/shop/web:latest", *_CHECK),
            exit_code=1,
            # Every other check says that there was nothing to judge.
            codes=frozenset({"REF_NOT_DIGEST", "REF_REFUSED"}),
            proofs=(lambda _: _differs("attachments in the registry", before, shop.attached("clean")),),
        ),
        Step(
            title="What it names at this moment, as a reference that can be judged",
            command=("gate", "resolve", f"{shop.host}/shop/web:latest"),
        ),
    )


def _deploy(shop: Shop) -> Iterator[Step]:
    for name in ("clean", "index-good"):
        picture = name == "clean"
        yield Step(command=("gate", "verify", shop.reference(name), *_DEMAND), picture=picture, title="Let through")
    yield Step(
        title="Refused: the verdict says FAILED",
        command=("gate", "verify", shop.reference("secret-deleted"), *_DEMAND),
        exit_code=1,
        codes=frozenset({"ATT_VERDICT_FAIL"}),
        picture=True,
    )
    for name in REFUSED:
        if name != "secret-deleted":
            yield Step(
                command=("gate", "verify", shop.reference(name), *_DEMAND),
                exit_code=1,
                codes=frozenset({"ATT_VERDICT_FAIL"}),
                brief=True,
            )
    yield Step(
        title=f"Refused: nobody ever judged this one ({NEVER_JUDGED}, a good image)",
        command=("gate", "verify", shop.reference(NEVER_JUDGED), *_DEMAND),
        exit_code=1,
        codes=frozenset({"ATT_MISSING"}),
    )


def _demands(shop: Shop) -> Iterator[Step]:
    web, other = shop.reference("clean"), shop.reference("unsigned")
    file = ("--attestation", "verdict.json")
    yield Step(
        title="By a requirement file, as a cluster would keep it",
        command=("gate", "verify", web, "--requirement", "requirement.yaml"),
    )
    yield Step(
        title="Offline, from the file alone: no connection is opened",
        command=("gate", "verify", web, *_DEMAND, *file, "--offline"),
    )
    yield Step(
        title="The same verdict refused: another stage, another policy, another key, too old, another image, another name",
        command=("gate", "verify", web, *_DEMAND[:-1], "development"),
        exit_code=1,
        codes=frozenset({"ATT_ENVIRONMENT"}),
    )
    stricter = (*_DEMAND[:2], "--policy", "stricter.yaml", *_DEMAND[4:])
    copied = web.replace("/shop/web@", "/shop/copy@")
    for code, words in {
        "ATT_POLICY_STALE": ("gate", "verify", web, *stricter),
        "ID_MISMATCH": ("gate", "verify", web, "--key", "keys/build.pub", *_DEMAND[2:]),
        "ATT_EXPIRED": ("gate", "verify", web, *_DEMAND, "--max-age", "1s"),
        "ATT_SUBJECT_MISMATCH": ("gate", "verify", other, *_DEMAND, *file),
        "ATT_RESOURCE_MISMATCH": ("gate", "verify", copied, *_DEMAND, *file),
    }.items():
        yield Step(command=words, exit_code=1, codes=frozenset({code}), brief=True)


def _cosign(shop: Shop) -> Sequence[Step]:
    key = ("--key", "keys/gate.pub", "--insecure-ignore-tlog")
    return (
        Step(
            title="Cosign verifies the PASSED verdict: an in-toto statement with a SLSA predicate",
            command=("cosign", "verify-attestation", *key, "--type", SUMMARY_TYPE, shop.reference("clean")),
            lines=5,
        ),
        Step(
            title="Cosign takes any attestation of a key for a signature; a FAILED verdict must not pass for one",
            command=("cosign", "verify", *key, shop.reference("unsigned")),
            exit_code=1,
            not_zero=True,
            lines=3,
        ),
    )


def _stale(shop: Shop) -> Sequence[Step]:
    command = ("gate", "check", shop.reference("clean"), "--db-dir", "databases-of-last-month", *_CHECK)
    before = shop.attached("clean")
    return (
        Step(
            title="The image that passed, with databases of 30 days ago: not judged, and nothing is signed",
            command=command,
            exit_code=3,
            codes=frozenset({"SCAN_DB_STALE"}),
            proofs=(lambda _: _differs("attachments in the registry", before, shop.attached("clean")),),
        ),
        Step(title="What a code means and what to do", command=("gate", "explain", "SCAN_DB_STALE")),
    )


def _reused(answer: Answer) -> bool:
    return bool(answer.report["images"][0]["evidence"]["reused"])


def _expect_places(answer: Answer, places: Sequence[str]) -> str | None:
    """Say that a verdict did not reach one of the places: each must begin the place of an attestation."""
    issued = [item["place"] for image in answer.report.get("images", ()) for item in image["attestations"]]
    missing = [place for place in places if not any(found.startswith(place) for found in issued)]
    return f"expected attestations in {', '.join(places)}, saw {issued}" if missing else None


def _differs(what: str, expected: object, seen: object) -> str | None:
    return None if expected == seen else f"expected {what}: {expected}, saw {seen}"
