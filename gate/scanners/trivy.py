"""Run Trivy on one image and give what it says as evidence: vulnerabilities, packages, secrets.

The command line hides nothing (no severity left out, no unfixed left out, no file skipped) and leaves Trivy nothing to
fetch. The three configuration files are the gate's own and named explicitly, so that files in the working directory or
in the image's repository have no effect (attacks V08, V09). Whether the report is complete is judged by checks.

Specification: checks reference, sections 1.1, 1.4, 2.4 and 3; attack V15 for the cache in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gate.clock import Deadline
from gate.codec.trivy import MAX_REPORT_BYTES, TrivyReport, os_package_set, parse_trivy_report
from gate.disk.content import disk_errors
from gate.model.evidence import Canary, Isolation, ScanReport, Unavailable
from gate.model.finding import Tool
from gate.sandbox.process import PrivateDirectories, private_directories
from gate.scanners.advised import advised_by_trivy, answered_by_trivy, covered_by_trivy
from gate.scanners.advisory_coverage import advised_in_trivy, release_covered
from gate.scanners.canary import CanaryPlan, canary_of, plan_trivy_canary
from gate.scanners.database_store import Database, DatabaseKind, DatabaseSet
from gate.scanners.lookups import ecosystems_of, lookups, mislabelled
from gate.scanners.rpm_lookups import unreached_by_trivy
from gate.scanners.scanning import (
    ScanSettings,
    ScanTarget,
    link_layout,
    raw_report,
    read_report,
    require_target,
    run_scanner,
)
from gate.scanners.tool_pins import PinnedTool

MEDIA_TYPE: Final = "application/vnd.aquasec.trivy.report+json"
# Every built-in rule that lets a secret pass for where it stands (Trivy v0.72.0 `pkg/fanal/secret/builtin-allow-rules.go`).
ALLOW_RULES: Final = (
    "dist-info", "tests", "examples", "vendor", "usr-dirs", "locale-dir", "markdown", "golang", "python", "rubygems",
    "wordpress", "anaconda-log",
)  # fmt: skip
# Trivy ends itself a little before the gate would kill it, so that it can say why.
_OWN_TIMEOUT_SHARE: Final = 0.95
_REPORT: Final = "trivy.json"
_CONFIGURATION_OPTIONS: Final = ("--config", "--ignorefile", "--secret-config")
_CONFIGURATION: Final = MappingProxyType(
    {
        "trivy.yaml": "{}\n",
        "empty.ignore": "",
        "trivy-secret.yaml": f"disable-allow-rules: [{', '.join(ALLOW_RULES)}]\n",
    }
)
FLAGS: Final = (
    "--format", "json",
    "--cache-backend", "memory",
    "--list-all-pkgs", "--show-suppressed",
    # Without it, one line in the file list of any package of the distribution takes a wheel, an npm package or a jar out of
    # the report (docs/threat-model.md); where the distribution answers for such a file, the gate lets its answer stand itself.
    "--detection-priority", "comprehensive",
    "--pkg-types", "os,library",
    "--severity", "UNKNOWN,LOW,MEDIUM,HIGH,CRITICAL",
    "--exit-code", "0", "--no-progress",
    "--skip-db-update", "--skip-java-db-update", "--skip-check-update", "--skip-version-check",
    "--disable-telemetry", "--offline-scan",
)  # fmt: skip


def trivy_flags(*, secrets: bool) -> tuple[str, ...]:
    """Return the flags of every scan; Trivy looks for secrets, which is most of its work, only where that is asked."""
    return ("--scanners", "vuln,secret" if secrets else "vuln", *FLAGS)


def trivy_settings(*, secrets: bool) -> tuple[str, ...]:
    """Return all that the gate tells Trivy, whatever the image: its flags, and what its configuration files say."""
    return (*trivy_flags(secrets=secrets), *_CONFIGURATION.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class TrivyRun:
    """The binary and the databases of a run, whatever image it is pointed at."""

    tool: PinnedTool
    database: Database
    java_database: Database
    settings: ScanSettings
    secrets: bool = False

    @classmethod
    def of(cls, tool: PinnedTool, databases: DatabaseSet, settings: ScanSettings, *, secrets: bool) -> TrivyRun:
        """Take the current databases; raises DatabaseError where one is missing.

        The Java database is demanded always: without it one jar in the image ends the whole scan.
        """
        return cls(
            tool=tool,
            database=databases.demand(DatabaseKind.TRIVY),
            java_database=databases.demand(DatabaseKind.JAVA),
            settings=settings,
            secrets=secrets,
        )


def collect_trivy(
    target: ScanTarget,
    tool: PinnedTool,
    databases: DatabaseSet,
    settings: ScanSettings,
    deadline: Deadline,
    *,
    secrets: bool = False,
) -> ScanReport:
    """Scan one image; `secrets` has Trivy look for those as well.

    Raises:
        ScannerError: `SCAN_BINARY`, `SCAN_FAILED`, `SCAN_TIMEOUT`, `SCAN_TARGET_MISMATCH`.
        DatabaseError: `DB_MISSING`, `DB_DIGEST`, `DB_MALFORMED`.
        StorageError: `CACHE_UNAVAILABLE`, the disk.
    """
    with disk_errors("scanning with Trivy"):
        return _collect(target, TrivyRun.of(tool, databases, settings, secrets=secrets), deadline)


def _collect(target: ScanTarget, run: TrivyRun, deadline: Deadline) -> ScanReport:
    tool, settings = run.tool, run.settings
    for database in (run.database, run.java_database):
        database.verify(settings.memo)
    report, isolation = scan_with_trivy(run, target, deadline)
    passed_over = advised_in_trivy(run.database.main_file, target.distribution, report.third_party)
    main = run.database.main_file
    looked_up = lookups(
        target,
        report.packages,
        report.findings,
        advised=lambda keys: advised_by_trivy(main, keys),
        answered=lambda pairs: answered_by_trivy(main, target.distribution, pairs),
    )
    return ScanReport(
        tool=tool.identity,
        kind=Tool.TRIVY,
        database=run.database.identity,
        java_database=run.java_database.identity,
        report=raw_report(_REPORT, MEDIA_TYPE, report.redacted, settings),
        isolation=isolation,
        target_config=report.target_config,
        target_diff_ids=report.target_diff_ids,
        distribution=report.distribution,
        packages=report.packages,
        os_packages=report.os_packages,
        passed_over=os_package_set(passed_over)
        | mislabelled(report.packages)
        | unreached_by_trivy(main, target.distribution, report.packages),
        unjudged=looked_up.unjudged,
        answered=looked_up.answered,
        uncovered=ecosystems_of(target, report.packages) - covered_by_trivy(main),
        findings=report.findings,
        secrets=report.secrets,
        searched_secrets=run.secrets,
        suppressed=report.suppressed,
        covered=release_covered(run.database, target.distribution, settings.cache),
        canary=_canary(run, target, deadline),
    )


def _canary(run: TrivyRun, target: ScanTarget, deadline: Deadline) -> Canary | Unavailable:
    alone = replace(run, secrets=False)

    def found(plan: CanaryPlan, layout: ScanTarget) -> frozenset[str]:
        report, _ = scan_with_trivy(alone, layout, deadline)
        return plan.found_in(report.findings)

    return canary_of(
        lambda: plan_trivy_canary(run.database.main_file, target),
        found,
        settings=run.settings,
        key=(run.tool.identity.digest, run.database.identity.digest, trivy_settings(secrets=False)),
        target=target,
        now=deadline.clock.now(),
    )


def scan_with_trivy(run: TrivyRun, target: ScanTarget, deadline: Deadline) -> tuple[TrivyReport, Isolation]:
    """Run the verified binary on a layout and give its report, which is about that layout; raises ScannerError."""
    with private_directories(run.settings.scratch) as directories:
        cache = _cache_directory(run, directories)
        report = directories.output / _REPORT
        arguments = [
            "image",
            *("--input", link_layout(target, directories)),
            *("--output", str(report)),
            *("--cache-dir", str(cache)),
            *("--timeout", f"{max(1, int(deadline.remaining() * _OWN_TIMEOUT_SHARE))}s"),
            *trivy_flags(secrets=run.secrets),
            *_configuration(directories),
        ]
        result = run_scanner(
            run.tool, arguments, directories=directories, environment={}, settings=run.settings, deadline=deadline
        )
        parsed = parse_trivy_report(read_report(run.tool, report, MAX_REPORT_BYTES))
    require_target(
        run.tool,
        seen=parsed.target_config,
        expected=target.config,
        diff_ids=parsed.target_diff_ids,
        expected_ids=target.diff_ids,
    )
    return parsed, result.isolation


def _cache_directory(run: TrivyRun, directories: PrivateDirectories) -> Path:
    """Make a cache directory of this run alone, whose databases are links into the read-only store."""
    cache = directories.root / "trivy-cache"
    cache.mkdir(mode=0o700)
    (cache / "db").symlink_to(run.database.main_file.parent.resolve(), target_is_directory=True)
    (cache / "java-db").symlink_to(run.java_database.main_file.parent.resolve(), target_is_directory=True)
    return cache


def _configuration(directories: PrivateDirectories) -> list[str]:
    """Write the configuration files and give the flags that name them; a named file replaces those that lie around."""
    arguments: list[str] = []
    for option, (name, content) in zip(_CONFIGURATION_OPTIONS, _CONFIGURATION.items(), strict=True):
        place = directories.root / name
        place.write_text(content, encoding="utf-8")
        arguments += [option, str(place)]
    return arguments
