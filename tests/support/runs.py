"""What a test asks of a run of `gate check`: its codes, its exit code, what hangs on the image, what the record holds."""

from __future__ import annotations

from datetime import timedelta

from gate.clock import Deadline
from gate.images.attachments import collect_attachments
from gate.images.open_source import open_source
from gate.model.reference import parse_reference
from gate.pipeline.options import CheckOptions, CheckRun
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from gate.report.content import ImageReport
from gate.store.record import open_record


def codes(run: CheckRun) -> set[str]:
    return {code for check in run.verdict.checks for code in check.codes}


def exit_code(run: CheckRun) -> int:
    return ImageReport(reference=run.verdict.request.reference, checked=run).exit_code


def attached(reference: str) -> int:
    """Count what hangs on the digest of a reference."""
    parsed = parse_reference(reference)
    with RegistryClient(RegistryOptions(), Deadline.after(timedelta(minutes=1))) as client:
        source = open_source(parsed, client)
        return len(collect_attachments(source, source.root().digest).items)


# Rows that stand beside the issuing of a verdict: tests of their own assert them.
BESIDE = frozenset({"policy", "given-again", "waiver-use", "checkpoint"})


def all_kinds(options: CheckOptions) -> list[str]:
    """Return the kinds of the record's rows in their order."""
    record = open_record(options.places.record, options.places.evidence)
    try:
        return [row.kind for row in tuple(record.rows())]
    finally:
        record.close()


def kinds(options: CheckOptions) -> list[str]:
    """Return the kinds of the rows by which verdicts are issued, in their order."""
    return [kind for kind in all_kinds(options) if kind not in BESIDE]
