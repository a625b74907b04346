"""Run Grype on one image and give what it says as evidence: vulnerabilities and packages.

One run writes two documents: Grype's own JSON, and CycloneDX, which alone names the packages without a match. Its
configuration file is the gate's own and named explicitly; its settings come from an environment that is written here
(attacks V08, V09). Whether the report is complete is judged by checks.

Specification: checks reference, sections 1.1, 1.4, 2 and 3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from gate.clock import Deadline
from gate.codec.grype import MAX_REPORT_BYTES, GrypeReport, parse_grype_matches, parse_grype_report
from gate.disk.content import disk_errors
from gate.model.evidence import Canary, Isolation, ScanReport, Unavailable
from gate.model.finding import Tool, ToolFinding
from gate.sandbox.process import ChildResult, PrivateDirectories, private_directories
from gate.scanners.advised import advised_by_grype, answered_by_grype, covered_by_grype
from gate.scanners.advisory_coverage import release_covered
from gate.scanners.canary import CanaryPlan, canary_of, plan_grype_canary
from gate.scanners.database_store import Database, DatabaseKind, DatabaseSet
from gate.scanners.lookups import ecosystems_of, lookups, mislabelled
from gate.scanners.rpm_lookups import unreached_by_grype
from gate.scanners.scanning import (
    ScanSettings,
    ScanTarget,
    failed,
    link_layout,
    raw_report,
    read_report,
    require_target,
    run_scanner,
)
from gate.scanners.tool_pins import PinnedTool

MEDIA_TYPE: Final = "application/vnd.anchore.grype.report+json"
BILL_MEDIA_TYPE: Final = "application/vnd.cyclonedx+json"
_CONFIGURATION: Final = "{}\n"
_REPORT, _BILL, _AGAIN = "grype.json", "grype.cdx.json", "grype-again.json"
# Grype's own test of the database's age is off: how old it may be is the policy's word, judged by a check for both
# scanners alike, and an old database is then reported as what it is and not as a scanner that failed.
SETTINGS: Final = MappingProxyType(
    {
        "GRYPE_DB_AUTO_UPDATE": "false",
        "GRYPE_DB_VALIDATE_AGE": "false",
        "GRYPE_CHECK_FOR_APP_UPDATE": "false",
        "GRYPE_MATCH_UPSTREAM_KERNEL_HEADERS": "true",
        "NO_COLOR": "1",
    }
)


def grype_settings() -> tuple[str, ...]:
    """Return all that the gate tells Grype, whatever the image: its environment, and what its configuration file says."""
    return (*(f"{name}={value}" for name, value in sorted(SETTINGS.items())), _CONFIGURATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrypeRun:
    """The binary and the database of a run, whatever image it is pointed at."""

    tool: PinnedTool
    database: Database
    settings: ScanSettings


def collect_grype(
    target: ScanTarget, tool: PinnedTool, databases: DatabaseSet, settings: ScanSettings, deadline: Deadline
) -> ScanReport:
    """Scan one image.

    Raises:
        ScannerError: `SCAN_BINARY`, `SCAN_FAILED`, `SCAN_TIMEOUT`, `SCAN_TARGET_MISMATCH`.
        DatabaseError: `DB_MISSING`, `DB_DIGEST`, `DB_MALFORMED`.
        StorageError: `CACHE_UNAVAILABLE`, the disk.
    """
    with disk_errors("scanning with Grype"):
        return _collect(target, tool, databases, settings, deadline)


def _collect(
    target: ScanTarget, tool: PinnedTool, databases: DatabaseSet, settings: ScanSettings, deadline: Deadline
) -> ScanReport:
    run = GrypeRun(tool=tool, database=databases.demand(DatabaseKind.GRYPE), settings=settings)
    run.database.verify(settings.memo)
    report, bill, isolation = scan_with_grype(run, target, deadline)
    main = run.database.main_file
    looked_up = lookups(
        target,
        report.packages,
        report.findings,
        advised=lambda keys: advised_by_grype(main, keys),
        answered=lambda pairs: answered_by_grype(main, target.distribution, pairs),
    )
    return ScanReport(
        tool=tool.identity,
        kind=Tool.GRYPE,
        database=run.database.identity,
        report=raw_report(_REPORT, MEDIA_TYPE, report.redacted, settings),
        package_report=raw_report(_BILL, BILL_MEDIA_TYPE, bill, settings),
        isolation=isolation,
        target_manifest=report.target_manifest,
        target_diff_ids=report.target_diff_ids,
        distribution=report.distribution,
        packages=report.packages,
        os_packages=report.os_packages,
        # Grype has no third parties among a distribution's packages.
        passed_over=mislabelled(report.packages) | unreached_by_grype(main, target.distribution, report.packages),
        unjudged=looked_up.unjudged,
        answered=looked_up.answered,
        uncovered=ecosystems_of(target, report.packages) - covered_by_grype(main),
        findings=report.findings,
        suppressed=report.suppressed,
        covered=release_covered(run.database, target.distribution, settings.cache),
        canary=_canary(run, target, deadline),
    )


def _canary(run: GrypeRun, target: ScanTarget, deadline: Deadline) -> Canary | Unavailable:
    def found(plan: CanaryPlan, layout: ScanTarget) -> frozenset[str]:
        report, _, _ = scan_with_grype(run, layout, deadline)
        return plan.found_in(report.findings)

    return canary_of(
        lambda: plan_grype_canary(run.database.main_file, target),
        found,
        settings=run.settings,
        key=(run.tool.identity.digest, run.database.identity.digest, grype_settings()),
        target=target,
        now=deadline.clock.now(),
    )


def scan_with_grype(run: GrypeRun, target: ScanTarget, deadline: Deadline) -> tuple[GrypeReport, bytes, Isolation]:
    """Run the verified binary on a layout and give its report, the package list as written, and how it was kept apart.

    Raises:
        ScannerError: as `collect_grype`.
    """
    with private_directories(run.settings.scratch) as directories:
        report, bill = directories.output / _REPORT, directories.output / _BILL
        config = directories.root / "grype.yaml"
        config.write_text(_CONFIGURATION, encoding="utf-8")
        arguments = [
            f"oci-dir:{link_layout(target, directories)}",
            *("--config", str(config)),
            *("-o", f"json={report}"),
            *("-o", f"cyclonedx-json={bill}"),
        ]
        result = _start(run, arguments, directories, deadline)
        packages = read_report(run.tool, bill, MAX_REPORT_BYTES)
        parsed = parse_grype_report(read_report(run.tool, report, MAX_REPORT_BYTES), packages)
        claimed = {path for path, _ in target.claims}
        if any(package.key.path in claimed for package in parsed.packages):
            parsed = replace(parsed, findings=_with_claimed(run, parsed, claimed, directories, deadline))
    require_target(
        run.tool,
        seen=parsed.target_manifest,
        expected=target.manifest,
        diff_ids=parsed.target_diff_ids,
        expected_ids=target.diff_ids,
    )
    if parsed.database_built.replace(microsecond=0) != run.database.identity.built_at:
        raise failed(run.tool, "opened another database than it was given", parsed.database_built.isoformat())
    return parsed, packages, result.isolation


def _start(run: GrypeRun, arguments: list[str], directories: PrivateDirectories, deadline: Deadline) -> ChildResult:
    environment = {**SETTINGS, "GRYPE_DB_CACHE_DIR": str(run.database.directory.resolve())}
    return run_scanner(
        run.tool, arguments, directories=directories, environment=environment, settings=run.settings, deadline=deadline
    )


def _with_claimed(
    run: GrypeRun, report: GrypeReport, claimed: set[str], directories: PrivateDirectories, deadline: Deadline
) -> tuple[ToolFinding, ...]:
    """Look up Grype's own list of packages again, and add what it finds in files that a package of the distribution claims.

    A package of a language whose file such a list names is dropped before it is looked up, or loses what the distribution
    calls fixed, and no report says so. CycloneDX does not carry who claims what, so that from the list nothing is dropped.
    """
    again = directories.output / _AGAIN
    arguments = [
        f"sbom:{directories.output / _BILL}",
        *("--config", str(directories.root / "grype.yaml")),
        *("-o", f"json={again}"),
    ]
    _start(run, arguments, directories, deadline)
    found = parse_grype_matches(read_report(run.tool, again, MAX_REPORT_BYTES))
    more = (finding for finding in found if finding.package.key.path in claimed)
    return tuple(dict.fromkeys((*report.findings, *more)))
