"""Seal the record at the end of a run: a signed checkpoint over every row, where this machine keeps the record and its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.errors import GateError
from gate.store.evidence_folder import EvidenceFolder

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from gate.store.record import Record


def seal_record(record: Record, evidence_folder: Path, now: datetime) -> tuple[str, ...]:
    """Append a checkpoint; return a notice where that failed, because the verdict stands all the same.

    A record on a server has jobs on many machines, and none of them holds its key: its owner runs `gate audit checkpoint`.
    """
    if not isinstance(record.evidence, EvidenceFolder):
        return ()
    # Late: signing is needed at the end of a run alone.
    from gate.store.checkpoint_key import checkpoint_key_file, open_checkpoint_key  # noqa: PLC0415
    from gate.store.checkpoints import append_checkpoint  # noqa: PLC0415

    try:
        append_checkpoint(record, open_checkpoint_key(checkpoint_key_file(evidence_folder)), now)
    except GateError as error:
        return (f"the record has no new checkpoint: {error.code}: {error.message}",)
    return ()
