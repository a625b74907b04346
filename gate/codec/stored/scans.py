"""Stored forms of what scanners and the pass over the layers found."""

from __future__ import annotations

from typing import Final

from gate.codec.stored.forms import (
    BOOLEAN,
    DIGEST,
    INTEGER,
    NUMBER,
    TEXT,
    TIME,
    choice,
    field,
    many,
    row,
    set_of,
    table,
)  # fmt: skip
from gate.codec.stored.image import or_unavailable
from gate.model.evidence import (
    Canary,
    DatabaseIdentity,
    Distribution,
    Isolation,
    LayerFacts,
    LayerSummary,
    PackageDatabase,
    RawReport,
    ScannedDistribution,
    ScanReport,
    SecretEvidence,
    ToolIdentity,
)  # fmt: skip
from gate.model.finding import (
    Confidence,
    Epss,
    FixState,
    Package,
    PackageKey,
    SecretFinding,
    SecretPlace,
    Tool,
    ToolFinding,
)  # fmt: skip
from gate.model.layer_facts import DroppedEntry, FormSeen, NestedDatabase, PrivilegedFile, Redirect
from gate.model.severity import Severity

PACKAGE_KEY: Final = table(
    PackageKey,
    "packageKey",
    field("type", TEXT),
    field("namespace", TEXT),
    field("name", TEXT),
    field("version", TEXT),
    field("arch", TEXT, default=""),
    field("path", TEXT, default=""),
)
PACKAGE: Final = table(
    Package,
    "package",
    field("key", PACKAGE_KEY),
    field("name", TEXT),
    field("version", TEXT),
    field("purl", TEXT, default=""),
    field("sourceName", TEXT, "source_name", default=""),
    field("module", TEXT, default=""),
)
EPSS: Final = table(Epss, "epss", field("cve", TEXT), field("score", NUMBER), field("percentile", NUMBER))
TOOL_FINDING: Final = table(
    ToolFinding,
    "finding",
    field("tool", choice(Tool)),
    field("id", TEXT),
    field("package", PACKAGE),
    field("severity", choice(Severity)),
    field("severityText", TEXT, "severity_text", default=""),
    field("severitySource", TEXT, "severity_source", default=""),
    field("aliases", set_of(TEXT), default=frozenset()),
    field("advisories", set_of(TEXT), default=frozenset()),
    field("fixState", choice(FixState), "fix_state", default=FixState.UNKNOWN),
    field("fixedVersions", many(TEXT), "fixed_versions", default=()),
    field("published", TIME, default=None),
    field("fixAvailable", TIME, "fix_available", default=None),
    field("kev", set_of(TEXT), default=frozenset()),
    field("epss", many(EPSS), default=()),
    field("title", TEXT, default=""),
    field("url", TEXT, default=""),
    field("guessed", BOOLEAN, default=False),
)
SECRET_FINDING: Final = table(
    SecretFinding,
    "secret",
    field("rule", TEXT),
    field("title", TEXT),
    field("place", choice(SecretPlace)),
    field("location", TEXT),
    field("fingerprint", TEXT),
    field("severity", choice(Severity), default=Severity.HIGH),
    field("tool", choice(Tool), default=Tool.GATE),
    field("layer", DIGEST, default=None),
    field("line", INTEGER, default=None),
    field("hidden", BOOLEAN, default=False),
    field("paths", many(TEXT), default=()),
    field("chain", many(TEXT), default=()),
    field("offset", INTEGER, default=None),
    field("keyPath", TEXT, "key_path", default=""),
    field("prefix", TEXT, default=""),
    field("confidence", choice(Confidence), default=None),
    field("fileDigest", DIGEST, "file_digest", default=None),
    field("package", TEXT, default=""),
)
OS_PACKAGE: Final = row(TEXT, TEXT, TEXT)
TOOL: Final = table(ToolIdentity, "tool", field("name", TEXT), field("version", TEXT), field("digest", DIGEST))
DATABASE: Final = table(
    DatabaseIdentity,
    "database",
    field("name", TEXT),
    field("digest", DIGEST),
    field("builtAt", TIME, "built_at"),
    field("schema", TEXT),
    field("source", TEXT, default=""),
    field("demonstration", BOOLEAN, default=False),
)
RAW_REPORT: Final = table(
    RawReport,
    "report",
    field("name", TEXT),
    field("mediaType", TEXT, "media_type"),
    field("digest", DIGEST),
    field("size", INTEGER),
)
SCANNED_DISTRIBUTION: Final = table(
    ScannedDistribution,
    "scannedDistribution",
    field("name", TEXT),
    field("version", TEXT),
    field("endOfLife", BOOLEAN, "end_of_life", default=None),
)
CANARY: Final = table(Canary, "canary", field("expected", set_of(TEXT)), field("found", set_of(TEXT)))
SCAN_REPORT: Final = table(
    ScanReport,
    "scan",
    field("tool", TOOL),
    field("kind", choice(Tool)),
    field("database", DATABASE),
    field("javaDatabase", DATABASE, "java_database", default=None),
    field("report", RAW_REPORT),
    field("packageReport", RAW_REPORT, "package_report", default=None),
    field("isolation", choice(Isolation)),
    field("targetDiffIds", many(DIGEST), "target_diff_ids"),
    field("targetConfig", DIGEST, "target_config", default=None),
    field("targetManifest", DIGEST, "target_manifest", default=None),
    field("distribution", SCANNED_DISTRIBUTION, default=None),
    field("packages", many(PACKAGE), default=()),
    field("osPackages", set_of(OS_PACKAGE), "os_packages", default=frozenset()),
    field("notLookedUp", set_of(OS_PACKAGE), "passed_over", default=frozenset()),
    field("unjudged", set_of(PACKAGE_KEY), default=frozenset()),
    field("answered", set_of(row(OS_PACKAGE, TEXT)), default=frozenset()),
    field("uncovered", set_of(TEXT), default=frozenset()),
    field("findings", many(TOOL_FINDING), default=()),
    field("secrets", many(SECRET_FINDING), default=()),
    field("searchedSecrets", BOOLEAN, "searched_secrets", default=False),
    field("suppressed", many(TEXT), default=()),
    field("covered", BOOLEAN, default=None),
    field("canary", or_unavailable(CANARY), default=None),
)
DISTRIBUTION: Final = table(
    Distribution,
    "distribution",
    field("id", TEXT),
    field("versionId", TEXT, "version_id"),
    field("codename", TEXT, default=""),
    field("prettyName", TEXT, "pretty_name", default=""),
    field("conflicts", many(TEXT), default=()),
)
PACKAGE_DATABASE: Final = table(
    PackageDatabase,
    "packageDatabase",
    field("kind", TEXT),
    field("path", TEXT),
    field("readable", BOOLEAN),
    field("linked", BOOLEAN, default=False),
    field("problem", TEXT, default=""),
    field("packages", INTEGER, default=0),
)
LAYER: Final = table(
    LayerSummary,
    "layer",
    field("digest", DIGEST),
    field("size", INTEGER),
    field("diffId", DIGEST, "diff_id"),
    field("uncompressedBytes", INTEGER, "uncompressed_bytes"),
    field("entries", INTEGER),
)
NESTED: Final = table(
    NestedDatabase,
    "nestedDatabase",
    field("kind", TEXT),
    field("path", TEXT),
    field("packages", set_of(OS_PACKAGE), default=frozenset()),
)
PRIVILEGED: Final = table(
    PrivilegedFile,
    "privilegedFile",
    field("path", TEXT),
    field("mode", INTEGER),
    field("capabilities", BOOLEAN, default=False),
    field("device", TEXT, default=""),
    field("isDirectory", BOOLEAN, "is_directory", default=False),
)
DROPPED: Final = table(
    DroppedEntry,
    "droppedEntry",
    field("name", TEXT),
    field("version", TEXT),
    field("now", TEXT),
    field("path", TEXT),
    field("database", TEXT),
)
REDIRECT: Final = table(Redirect, "redirect", field("path", TEXT), field("what", TEXT))
FORM_SEEN: Final = table(
    FormSeen,
    "packageForm",
    field("form", TEXT),
    field("path", TEXT),
    field("count", INTEGER, default=1),
    field("owner", TEXT, default=""),
)
LAYERS: Final = table(
    LayerFacts,
    "layers",
    field("layers", many(LAYER)),
    field("distribution", DISTRIBUTION, default=None),
    field("packageDatabases", many(PACKAGE_DATABASE), "package_databases", default=()),
    field("removedDatabases", many(TEXT), "removed_databases", default=()),
    field("osPackages", set_of(OS_PACKAGE), "os_packages", default=frozenset()),
    field("languagePackages", set_of(PACKAGE_KEY), "language_packages", default=frozenset()),
    field("unversioned", set_of(PACKAGE_KEY), default=frozenset()),
    field("packageForms", many(FORM_SEEN), "package_forms", default=()),
    field("nestedDatabases", many(NESTED), "nested_databases", default=()),
    field("claims", set_of(row(TEXT, OS_PACKAGE)), default=frozenset()),
    field("redirects", many(REDIRECT), default=()),
    field("droppedEntries", many(DROPPED), "dropped_entries", default=()),
    field("privilegedFiles", many(PRIVILEGED), "privileged_files", default=()),
    field("embeddedSboms", many(TEXT), "embedded_sboms", default=()),
    field("users", many(row(TEXT, INTEGER)), default=()),
    field("newestFile", TIME, "newest_file", default=None),
    field("files", INTEGER, default=0),
)
SECRETS: Final = table(
    SecretEvidence,
    "secrets",
    field("findings", many(SECRET_FINDING), default=()),
    field("unopened", many(row(TEXT, TEXT)), default=()),
    field("rulesDigest", DIGEST, "rules_digest", default=None),
    field("keyId", TEXT, "key_id", default=""),
    field("known", INTEGER, default=0),
)
