"""Load the policy of a run: the named file, or the shipped baseline with what the user laid over it.

A policy is read once; its bytes are kept with the verdict. Data files that it pins (known exploited vulnerabilities, EPSS) are
read here too, because they are evidence: their digests are compared and recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.codec.keys import parse_public_key
from gate.codec.policy.document import parse_policy, require_policy_dates
from gate.codec.strict_json import Fault
from gate.codec.threat_data import parse_epss, parse_kev
from gate.codec.vex import parse_vex
from gate.disk.named import read_named
from gate.disk.package_data import data_path
from gate.errors import KeyFileError, PolicyError, UsageError
from gate.model.digest import Digest
from gate.model.evidence import ThreatData
from gate.model.glob import Glob
from gate.model.policy import Policy, VulnerabilityPolicy
from gate.model.policy_signers import KeySigner, SignatureRule
from gate.settings.policy_folder import MAX_FILE_BYTES, PolicyFolder, read_document

if TYPE_CHECKING:
    from datetime import datetime

    from gate.codec.policy.files import ShippedRoot
    from gate.errors import GateError
    from gate.model.vex import VexDocument
    from gate.pipeline.options import AdHoc

BASELINE: Final = "policies/baseline.yaml"
_ALL_IMAGES: Final = Glob("**")


@dataclass(slots=True)
class ReadFiles:
    """The policy's folder, and all that was read of it: what a verdict depends on besides the policy's own bytes.

    `data` are files of threat data, of which only the entries that were looked up are evidence.
    """

    folder: PolicyFolder
    files: dict[str, bytes] = field(default_factory=dict)
    data: dict[str, Digest] = field(default_factory=dict)
    root: ShippedRoot | None = None

    def read(self, path: str) -> bytes:
        """Return the bytes of a file; raises as the folder does."""
        self.files[path] = self.folder.read(path)
        return self.files[path]

    def digest(self, path: str) -> Digest:
        """Return the digest of a file of data; raises as the folder does."""
        self.data[path] = self.folder.digest(path)
        return self.data[path]

    def public_root(self) -> ShippedRoot:
        """Return the trusted root of the public Sigstore instance; raises as the folder does."""
        self.root = self.folder.public_root()
        return self.root


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPolicy:
    """A policy with its bytes, its folder and what was read there; `obstacle` says why no verdict may be signed under it, or "".

    `obstacle_code` is the code of the reason that a run which was to sign ends with. `overridden` says that settings of the
    command line were laid over it.
    """

    policy: Policy
    content: bytes
    folder: PolicyFolder
    read: ReadFiles | None = None
    overridden: bool = False
    obstacle: str = ""
    obstacle_code: str = "USAGE"


def load_policy(path: Path | None, ad_hoc: AdHoc, now: datetime) -> LoadedPolicy:
    """Load and check a policy.

    Raises:
        PolicyError: one of `POL_*`; KeyFileError for a key that it points to.
    """
    place = path if path is not None else data_path(BASELINE)
    folder = PolicyFolder.of(place)
    content = folder.read(place.name) if path is None else read_document(path)
    read = ReadFiles(folder)
    policy = parse_policy(content, name=place.name if path is None else str(path), files=read)
    require_policy_dates(policy, now)
    if not ad_hoc.is_given:
        code = "POL_UNPINNED" if policy.unpinned else "USAGE"
        obstacle = _obstacle(policy)
        return LoadedPolicy(
            policy=policy, content=content, folder=folder, read=read, obstacle=obstacle, obstacle_code=code
        )
    if path is not None:
        raise PolicyError(
            "settings on the command line cannot be mixed with a policy", code="USAGE", expected="one of the two"
        )
    overridden = _lay_over(policy, ad_hoc)
    return LoadedPolicy(
        policy=overridden,
        content=content,
        folder=folder,
        read=read,
        overridden=True,
        obstacle="it was made with settings on the command line",
    )


def _obstacle(policy: Policy) -> str:
    if policy.unpinned:
        return f"the policy points to files without a digest ({', '.join(policy.unpinned)})"
    return ""


def _lay_over(policy: Policy, ad_hoc: AdHoc) -> Policy:
    """Return the baseline with the user's settings; its name says so, and nothing made with it is signed."""
    wanted = policy.vulnerabilities or VulnerabilityPolicy()
    # The flags say whether unfixed findings count, as they do for the scanners: baseline's own word would make one do nothing.
    wanted = replace(wanted, fail_on=ad_hoc.fail_on or wanted.fail_on, ignore_unfixed=ad_hoc.ignore_unfixed)
    documents = tuple(_vex_document(path) for path in ad_hoc.vex)
    signature = policy.signature
    if ad_hoc.signature_key is not None:
        key = parse_public_key(_read(ad_hoc.signature_key, "key file", KeyFileError))
        signature = (SignatureRule(images=_ALL_IMAGES, any_of=(KeySigner(key=key),)),)
    vulnerabilities = replace(wanted, vex=(*wanted.vex, *documents))
    return replace(policy, name=f"{policy.name}+command-line", vulnerabilities=vulnerabilities, signature=signature)


def _vex_document(path: Path) -> VexDocument:
    return parse_vex(
        _read(path, "VEX file", UsageError),
        Fault(PolicyError, "POL_FILE", f"the VEX file {path.name!a}"),
        source="named on the command line",
    )


def _read(path: Path, what: str, fault: type[GateError]) -> bytes:
    return read_named(path, f"the {what} {path}", limit_bytes=MAX_FILE_BYTES, fault=fault)


def read_threat_data(loaded: LoadedPolicy) -> ThreatData:
    """Read the data files that the policy pins; their digests were given by the policy and are compared again.

    Raises:
        PolicyError: `POL_FILE`, a file is missing, is another, or cannot be parsed.
    """
    data = ThreatData()
    if loaded.policy.kev_file is not None:
        content, digest = _pinned(loaded, *loaded.policy.kev_file)
        catalogue = parse_kev(content, Fault(PolicyError, "POL_FILE", "the catalogue of exploited vulnerabilities"))
        data = replace(data, kev=catalogue.cves, kev_digest=digest, kev_date=catalogue.released)
    if loaded.policy.epss_file is not None:
        content, digest = _pinned(loaded, *loaded.policy.epss_file)
        scores = parse_epss(content, Fault(PolicyError, "POL_FILE", "the EPSS scores"))
        data = replace(data, epss=scores.scores, epss_digest=digest, epss_date=scores.date)
    return data


def _pinned(loaded: LoadedPolicy, path: str, digest: Digest) -> tuple[bytes, Digest]:
    content = loaded.folder.read(path)
    if Digest.of(content) != digest:
        raise PolicyError(
            "a file of the policy was changed", code="POL_FILE", expected=str(digest), seen=str(Digest.of(content))
        )
    return content, digest
