"""Good evidence: what the collectors would bring of an image that passes `FULL_SPEC`, for tests that spoil one piece of it.

One Debian image at `signing.IMAGE`, built three days before `signing.NOW`, signed by `signing.GATE`, judged by both scanners,
which see the same packages and one finding of low severity each. And the same as an index of two platforms.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any, Final

from gate.codec.plain_manifest import plain_manifest_digest
from gate.codec.purl import key_of
from gate.model.digest import Digest
from gate.model.evidence import (
    Canary,
    DatabaseIdentity,
    Distribution,
    EvidenceSet,
    Isolation,
    LayerFacts,
    LayerSummary,
    PackageDatabase,
    RawReport,
    RequestFacts,
    RuleResult,
    ScannedDistribution,
    ScanReport,
    SecretEvidence,
    SubjectEvidence,
    ToolIdentity,
)
from gate.model.finding import FixState, Package, Tool, ToolFinding
from gate.model.image import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Descriptor, ImageIndex, ImageManifest, Platform
from gate.model.image_config import ImageConfig
from gate.model.layer_facts import PrivilegedFile
from gate.model.severity import Severity
from gate.model.string_map import StringMap
from gate.model.subject import SkippedChild, Subject
from tests.support.signing import IMAGE, NOW, REPOSITORY, attached, image_bundle

DIFF_IDS: Final = (Digest.of(b"base layer"), Digest.of(b"top layer"))
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
REVISION: Final = "0123456789abcdef0123456789abcdef01234567"

# Every check that a policy can ask for, each with something that it demands.
FULL_SPEC: Final[dict[str, Any]] = {
    "references": {"registries": ["registry.example/shop/**"]},
    "signature": [{"images": "registry.example/shop/**", "anyOf": [{"key": {"file": "keys/a.pub"}}]}],
    "vulnerabilities": {},
    "secrets": {},
    "image": {
        "user": "non-root",
        "maxAge": "60d",
        "revision": "required",
        "ports": {"deny": ["22/tcp"]},
        "setuid": {"allow": ["/usr/bin/su"]},
        "base": [{"name": "debian", "diffIds": [str(DIFF_IDS[0])]}],
    },
    "rules": [{"id": "has-entrypoint", "cel": "size(image.config.entrypoint) > 0", "message": "say what to run"}],
}


def package(kind: str, name: str, version: str, *, arch: str = "", path: str = "", namespace: str = "") -> Package:
    """Return a package as a scanner names it, with its purl."""
    vendor = "debian" if kind == "deb" else namespace
    purl = f"pkg:{kind}/{vendor + '/' if vendor else ''}{name}@{version}" + (f"?arch={arch}" if arch else "")
    return Package(key=key_of(kind, namespace, name, version, arch, path), name=name, version=version, purl=purl)


ZLIB: Final = package("deb", "zlib1g", "1:1.2.13.dfsg-1", arch="amd64")
LIBC: Final = package("deb", "libc6", "2.36-9", arch="amd64")
REQUESTS: Final = package(
    "pypi", "requests", "2.31.0", path="usr/lib/python3/dist-packages/requests-2.31.0.dist-info/METADATA"
)
PACKAGES: Final = (ZLIB, LIBC, REQUESTS)
OS_PACKAGES: Final = frozenset({("zlib1g", "1:1.2.13.dfsg-1", "amd64"), ("libc6", "2.36-9", "amd64")})


def found(tool: Tool, name: str, where: Package = ZLIB, severity: Severity = Severity.HIGH, **more: Any) -> ToolFinding:  # noqa: ANN401
    """Return one vulnerability as a scanner reports it."""
    return ToolFinding(tool=tool, id=name, package=where, severity=severity, **more)


def scan(tool: Tool, subject: SubjectEvidence, *findings: ToolFinding) -> ScanReport:
    """Return a report on this subject that meets every demand of completeness."""
    name = tool.value
    manifest = subject.manifest
    assert isinstance(manifest, ImageManifest)
    identity = Digest.of(f"{name} database".encode())
    return ScanReport(
        tool=ToolIdentity(name=name, version="1.0.0", digest=Digest.of(name.encode())),
        kind=tool,
        database=DatabaseIdentity(name=name, digest=identity, built_at=NOW - timedelta(hours=6), schema="2"),
        report=RawReport(name=name, media_type="application/json", digest=Digest.of(f"report {name}".encode()), size=9),
        isolation=Isolation.NAMESPACE,
        target_diff_ids=DIFF_IDS,
        target_config=manifest.config.digest if tool is Tool.TRIVY else None,
        target_manifest=plain_manifest_digest(manifest, layer_facts().layers) if tool is Tool.GRYPE else None,
        distribution=ScannedDistribution(name="debian", version="12.15" if tool is Tool.TRIVY else "12"),
        packages=PACKAGES,
        os_packages=OS_PACKAGES,
        passed_over=frozenset(),
        findings=findings,
        covered=True,
        canary=Canary(expected=frozenset({"CVE-2018-25032"}), found=frozenset({"CVE-2018-25032"})),
    )


def layer_facts() -> LayerFacts:
    """Return what the gate reads of the layers."""
    return LayerFacts(
        layers=tuple(
            LayerSummary(
                digest=Digest.of(str(diff_id).encode()), size=9, diff_id=diff_id, uncompressed_bytes=99, entries=9
            )
            for diff_id in DIFF_IDS
        ),
        distribution=Distribution(id="debian", version_id="12", codename="bookworm"),
        package_databases=(PackageDatabase(kind="dpkg", path="var/lib/dpkg/status", readable=True),),
        os_packages=OS_PACKAGES,
        language_packages=frozenset({REQUESTS.key}),
        privileged_files=(PrivilegedFile(path="usr/bin/su", mode=0o4755),),
        users=(("app", 10001), ("root", 0), ("toor", 0)),
        newest_file=NOW - timedelta(days=5),
        files=18,
    )


def subject_evidence(digest: Digest = IMAGE, platform: Platform = AMD64) -> SubjectEvidence:
    """Return everything about one runnable image."""
    described = Descriptor(media_type=OCI_CONFIG, digest=Digest.of(b"config of " + str(digest).encode()), size=9)
    bare = SubjectEvidence(
        subject=Subject(media_type=OCI_MANIFEST, digest=digest, size=9, platform=platform),
        manifest=ImageManifest(media_type=OCI_MANIFEST, config=described, layers=()),
        config=ImageConfig(
            platform=platform,
            diff_ids=DIFF_IDS,
            created=NOW - timedelta(days=3),
            user="10001",
            exposed_ports=("8080/tcp",),
            entrypoint=("/app",),
            labels=StringMap.of({"org.opencontainers.image.revision": REVISION}),
        ),
        layers=layer_facts(),
        secrets=SecretEvidence(),
        rules=(RuleResult(id="has-entrypoint", value=True),),
    )
    low = [
        found(tool, "CVE-2024-0001", severity=Severity.LOW, fix_state=FixState.NOT_FIXED)
        for tool in (Tool.TRIVY, Tool.GRYPE)
    ]
    return replace(bare, trivy=scan(Tool.TRIVY, bare, low[0]), grype=scan(Tool.GRYPE, bare, low[1]))


@cache
def good_evidence() -> EvidenceSet:
    """Return the evidence of one image that passes `FULL_SPEC`."""
    return EvidenceSet(
        request=RequestFacts(reference=f"{REPOSITORY}@{IMAGE}", repository=REPOSITORY, digest=IMAGE),
        root=Descriptor(media_type=OCI_MANIFEST, digest=IMAGE, size=9),
        subjects=(subject_evidence(),),
        attachments=attached(image_bundle()),
    )


@cache
def index_evidence() -> EvidenceSet:
    """Return the evidence of an index of two platforms, with BuildKit's attestation, that passes `FULL_SPEC`."""
    subjects = tuple(subject_evidence(Digest.of(str(one).encode()), one) for one in (AMD64, ARM64))
    children = tuple(
        Descriptor(media_type=OCI_MANIFEST, digest=one.subject.digest, size=9, platform=one.subject.platform)
        for one in subjects
    )
    attestation = Descriptor(
        media_type=OCI_MANIFEST, digest=Digest.of(b"attestation"), size=9, platform=Platform("unknown", "unknown")
    )
    return replace(
        good_evidence(),
        root=Descriptor(media_type=OCI_INDEX, digest=IMAGE, size=9),
        index=ImageIndex(media_type=OCI_INDEX, manifests=(*children, attestation)),
        subjects=subjects,
        skipped=(SkippedChild(digest=attestation.digest, platform="unknown/unknown", reason="attestation"),),
    )
