"""`gate attest`: what is attached to a digest; sign what another job scanned; remove own superseded verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gate.cli.commands import Group
from gate.cli.common import (
    Common,
    common_options,
    image_report_options,
    key_password_option,
    record_option,
    registry_options,
)
from gate.cli.demands import public_key, read_requirement
from gate.cli.environment import password_source
from gate.cli.environment import registry_options as registry_settings
from gate.cli.identities import demanded_identity, identity_options, root_demand, trusted_root_option
from gate.cli.signers import open_signer, timestamp_option
from gate.cli.types import DIGEST, PLACE, REPOSITORY
from gate.cli.verdict import environments_option, fail_key_option, judged, written_options
from gate.errors import UsageError
from gate.model.policy_signers import KeylessSigner, KeySigner
from gate.model.reference import RegistryReference, parse_reference
from gate.pipeline.attest_prune import PruneOptions, prune_verdicts
from gate.pipeline.attest_show import ShowOptions, in_words, show_attachments, signers_of_policy, signers_of_requirement
from gate.pipeline.handoff import read_unsigned
from gate.pipeline.inputs import read_input
from gate.pipeline.options import AdHoc, CheckOptions
from gate.pipeline.policies import load_policy
from gate.report.content import Cell, Listing, Report

if TYPE_CHECKING:
    from gate.model.digest import Digest
    from gate.model.evidence_demand import EvidenceDemand
    from gate.model.identity import Identity
    from gate.model.policy_signers import Signer
    from gate.model.reference import Repository
    from gate.model.trust import Trust
    from gate.pipeline.attest_show import ShownAttachment

_SHOWN: Final = (
    "state", "type", "says", "reasons", "policy", "environments", "judged", "signer", "time", "source", "digest",
    "manifest", "bytes",
)  # fmt: skip
_PRUNED: Final = ("state", "says", "time", "manifest", "subject", "problem")


@click.group(cls=Group)
def attest() -> None:
    """Show, sign and prune what is attached to a digest."""


@attest.command()
@click.argument("reference", metavar="REF")
@click.option(
    "--key",
    "keys",
    type=PLACE,
    multiple=True,
    envvar="GATE_VERIFY_KEY",
    help="A public key whose signatures are verified (repeatable).",
)
@click.option(
    "--policy", "-p", type=PLACE, envvar="GATE_POLICY", help="Verify under every signer that this policy trusts."
)
@click.option(
    "--requirement",
    type=PLACE,
    envvar="GATE_REQUIREMENT",
    help="Verify under every signer that this requirement trusts.",
)
@identity_options
@trusted_root_option
@click.option(
    "--save", type=PLACE, envvar="GATE_SAVE", help="Write each attachment into this folder, named by its digest."
)
@registry_options
@common_options
def show(
    common: Common,
    *,
    reference: str,
    keys: tuple[Path, ...],
    policy: Path | None,
    requirement: Path | None,
    identity: str | None,
    identity_pattern: str | None,
    issuer: str | None,
    issuer_pattern: str | None,
    trusted_root: Path | None,
    log: int | None,
    timestamps: int | None,
    no_sct: bool,
    save: Path | None,
    authfile: Path | None,
    plain_http: bool,
    ca_file: Path | None,
) -> None:
    """List what is attached to a digest, who signed it, what verifies, and what each verdict says.

    REF names a digest in a registry or a layout. Without --key, --policy or --requirement nothing is verified. `ok` says that the
    signature is good and about this digest; whether the image may run says `gate verify`.

    \b
    gate attest show registry.example/shop/web@sha256:... --key gate.pub
    """  # noqa: D301  click reads \b
    options = ShowOptions(
        signers=_signers(
            common,
            keys,
            policy,
            requirement,
            demanded_identity(identity, identity_pattern, issuer, issuer_pattern),
            trusted_root,
            root_demand(trusted_root, log, timestamps, no_sct=no_sct),
        ),
        save=save,
        attestations_in=_elsewhere(requirement, reference) if requirement is not None else None,
        registry=registry_settings(authfile=authfile, plain_http=plain_http, ca_file=ca_file, offline=common.offline),
    )
    found = show_attachments(reference, options if common.timeout is None else options.within(common.timeout))
    notes = tuple(f"not a signature or attestation: {count} of {kind}" for kind, count in found.ignored)
    nothing = () if found.items else (f"nothing is attached to {found.digest}",)
    rows = tuple(map(_shown, found.items))
    words = tuple(in_words(item) for item in found.items if item.verdict is not None)
    common.finish(
        Listing(kind="attachments", columns=_SHOWN, rows=rows, state="state", notes=(*nothing, *words, *notes))
    )


def _signers(
    common: Common,
    keys: tuple[Path, ...],
    policy: Path | None,
    requirement: Path | None,
    identity: Identity | None,
    trusted_root: Path | None,
    demand: EvidenceDemand | None,
) -> tuple[Signer, ...]:
    trust = _trust(trusted_root, demand, keyless=identity is not None)
    beside = trust if trusted_root is not None else None
    signers: list[Signer] = [KeySigner(key=public_key(path), trust=beside) for path in keys]
    if identity is not None and trust is not None:
        signers.append(KeylessSigner(identity=identity, trust=trust))
    if policy is not None:
        signers += signers_of_policy(load_policy(policy, AdHoc(), common.now).policy)
    if requirement is not None:
        signers += signers_of_requirement(read_requirement(requirement))
    return tuple(dict.fromkeys(signers))


def _elsewhere(requirement: Path, reference: str) -> Repository | None:
    """Return the repository that a requirement names for attestations of this image, if any."""
    parsed = parse_reference(reference)
    if not isinstance(parsed, RegistryReference):
        return None
    entries = (entry for entry in read_requirement(requirement).images if entry.match.matches(str(parsed.repository)))
    return next((entry.attestations_in for entry in entries), None)


def _trust(trusted_root: Path | None, demand: EvidenceDemand | None, *, keyless: bool) -> Trust | None:
    """Return what certificates, logs and timestamps are checked with; None where neither a root nor an identity is given."""
    if trusted_root is None and not keyless:
        return None
    # Imported where a root is asked for: keys need none.
    from gate.pipeline.trust import given_trust  # noqa: PLC0415

    return given_trust(read_input(trusted_root) if trusted_root is not None else None, demand)


def _shown(item: ShownAttachment) -> tuple[Cell, ...]:
    manifest = str(item.manifest) if item.manifest is not None else None
    return (
        item.state,
        item.type,
        item.says,
        ", ".join(item.verdict.reasons) or None if item.verdict is not None else None,
        item.verdict.policy or None if item.verdict is not None else None,
        ", ".join(item.verdict.environments) or None if item.verdict is not None else None,
        item.verdict.judged if item.verdict is not None else None,
        item.signer,
        item.trusted_time,
        item.source,
        str(item.digest),
        manifest,
        item.size_bytes,
    )


@attest.command()
@click.argument("file", type=PLACE)
@click.option(
    "--key", required=True, envvar="GATE_KEY", help="The private key that signs the verdict: a file or a key URI."
)
@fail_key_option
@timestamp_option
@key_password_option
@click.option("--policy", "-p", type=PLACE, required=True, envvar="GATE_POLICY", help="The policy that decides.")
@click.option(
    "--file-digest",
    type=DIGEST,
    required=True,
    envvar="GATE_FILE_DIGEST",
    help="The digest of FILE that the scanning job printed: another file is refused.",
)
@click.option(
    "--image",
    required=True,
    envvar="GATE_IMAGE",
    help="The image that is meant: a file about another is refused.",
)
@click.option("--as", "name", type=REPOSITORY, envvar="GATE_AS", help="The repository that a layout is judged as.")
@environments_option
@written_options
@record_option
@registry_options
@image_report_options
def sign(
    common: Common,
    *,
    file: Path,
    key: str,
    fail_key: str | None,
    timestamp: str | None,
    key_password_file: Path | None,
    policy: Path,
    file_digest: Digest,
    image: str,
    name: Repository | None,
    environments: tuple[str, ...],
    attestation: Path | None,
    dsse: Path | None,
    legacy_attestation: bool,
    attach_to: Repository | None,
    record: str | None,
    authfile: Path | None,
    plain_http: bool,
    ca_file: Path | None,
) -> None:
    """Decide again on what another job scanned, and sign the verdict.

    FILE is what `gate check --unsigned-verdict` wrote. Manifests, configurations and signatures are fetched here, every digest
    is compared, and the policy and the clock are this job's. A changed file, another image or another policy is refused.

    \b
    gate check REF -p policy.yaml --unsigned-verdict verdict.unsigned     # scans, has no key
    gate attest sign verdict.unsigned -p policy.yaml --key gate.key --file-digest sha256:... \\
      --image registry.example/shop/web@sha256:...
    """  # noqa: D301  click reads \b
    handoff = read_unsigned(file, file_digest)
    password = password_source(key_password_file)
    registry = registry_settings(authfile=authfile, plain_http=plain_http, ca_file=ca_file, offline=common.offline)
    options = CheckOptions(
        places=common.places(record=record),
        policy=policy,
        signer=open_signer(key, password, common, registry, timestamp),
        fail_signer=open_signer(fail_key, password, common, registry, timestamp) if fail_key else None,
        environments=environments or None,
        name=name,
        platforms=handoff.verdict.platforms,
        attestation_file=attestation,
        envelope_file=dsse,
        legacy_attestation=legacy_attestation,
        attach_to=attach_to,
        handoff=handoff,
        offline=common.offline,
        registry=registry,
    )
    report = judged(image, common.timed(options))
    common.finish(Report(images=(report,), exit_code=report.exit_code, now=common.now))


@attest.command()
@click.argument("reference", metavar="REF")
@click.option(
    "--key",
    "keys",
    type=PLACE,
    multiple=True,
    envvar="GATE_VERIFY_KEY",
    help="A public key of the gate's verdicts: only what it signed is removed (repeatable).",
)
@click.option(
    "--requirement",
    type=PLACE,
    envvar="GATE_REQUIREMENT",
    help="Instead of keys: what the signers of this requirement's verdicts signed is removed.",
)
@identity_options
@trusted_root_option
@click.option("--dry-run", is_flag=True, envvar="GATE_DRY_RUN", help="Only say what is superseded.")
@registry_options
@common_options
def prune(
    common: Common,
    *,
    reference: str,
    keys: tuple[Path, ...],
    requirement: Path | None,
    identity: str | None,
    identity_pattern: str | None,
    issuer: str | None,
    issuer_pattern: str | None,
    trusted_root: Path | None,
    log: int | None,
    timestamps: int | None,
    no_sct: bool,
    dry_run: bool,
    authfile: Path | None,
    plain_http: bool,
    ca_file: Path | None,
) -> None:
    """Remove own superseded verdicts where the registry can delete.

    The newest PASSED and the newest FAILED of each policy, verifier and environment stay, and everything of others. Ends with 3
    where something could not be removed.

    \b
    gate attest prune registry.example/shop/web@sha256:... --key gate.pub --dry-run
    """  # noqa: D301  click reads \b
    who = demanded_identity(identity, identity_pattern, issuer, issuer_pattern)
    demand = root_demand(trusted_root, log, timestamps, no_sct=no_sct)
    signers = _signers(common, keys, None, requirement, who, trusted_root, demand)
    if not signers:
        raise UsageError("no signer of your own verdicts is named", expected="--key, an identity, or --requirement")
    options = PruneOptions(
        signers=signers,
        dry_run=dry_run,
        registry=registry_settings(authfile=authfile, plain_http=plain_http, ca_file=ca_file, offline=common.offline),
    )
    pruned = prune_verdicts(reference, options if common.timeout is None else options.within(common.timeout))
    rows = tuple(
        (item.state, item.says, item.time, str(item.manifest), str(item.subject), item.problem) for item in pruned
    )
    left = any(item.problem for item in pruned)
    notes = () if pruned else ("no verdict is superseded",)
    common.finish(
        Listing(kind="pruned", columns=_PRUNED, rows=rows, state="state", notes=notes, exit_code=3 if left else 0)
    )
