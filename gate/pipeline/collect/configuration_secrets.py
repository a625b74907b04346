"""The secrets that stand in no file: an image's configuration, the annotations, and what hangs on the image.

Provenance by BuildKit in its default mode holds the build arguments, and an SBOM names of files (attack X02): those children of
an index are read like everything else, each hashed by whoever fetched it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from gate.model.evidence import SecretEvidence
from gate.model.finding import SecretPlace
from gate.secrets.configuration import ConfigurationSearch

if TYPE_CHECKING:
    from gate.model.finding import SecretFinding
    from gate.model.image_config import ImageConfig
    from gate.model.string_map import StringMap
    from gate.secrets.findings import Fingerprints
    from gate.secrets.rule_set import RuleSet
    from gate.secrets.statements import AttachedStatement

# An SBOM of a large image has some ten MiB; as many attachments of a digest are looked at as anywhere else.
MAX_STATEMENTS: Final = 500
MAX_STATEMENT_BYTES: Final = 64 * 1024 * 1024
MAX_TOTAL_BYTES: Final = 256 * 1024 * 1024


def collect_configuration_secrets(
    config: ImageConfig,
    content: bytes,
    annotations: StringMap,
    rules: RuleSet,
    fingerprints: Fingerprints,
    *,
    others: Iterable[StringMap] = (),
    statements: Iterable[AttachedStatement] = (),
    check_deadline: Callable[[], None] = lambda: None,
) -> SecretEvidence:
    """Return what a search of one image's configuration and annotations found.

    `content` is the configuration as bytes, whose other fields are searched too. `annotations` are the manifest's own; `others`
    those of its descriptors, and of an index that lists it. `statements` are what the builder and others attached; those over a
    limit are named as unopened. Raises what opening one raises.
    """
    search = ConfigurationSearch(rules, fingerprints, check_deadline)
    of_config = search.of_config(config, annotations)
    found = [*of_config, *search.of_other_fields(content, of_config), *search.of_annotations(others)]
    of_statements, refused = _of_statements(search, statements)
    return SecretEvidence(
        findings=(*found, *of_statements),
        unopened=(*search.unopened, *refused),
        rules_digest=rules.digest,
        key_id=fingerprints.key_id,
    )


def _of_statements(
    search: ConfigurationSearch, statements: Iterable[AttachedStatement]
) -> tuple[list[SecretFinding], list[tuple[str, str]]]:
    found: list[SecretFinding] = []
    left = MAX_TOTAL_BYTES
    for number, statement in enumerate(statements):
        place = f"{SecretPlace.ATTESTATION.value} {statement.manifest}"
        if number >= MAX_STATEMENTS:
            return found, [(place, f"more than {MAX_STATEMENTS} statements hang on the image")]
        left -= statement.size
        if statement.size > MAX_STATEMENT_BYTES or left < 0:
            mib = MAX_STATEMENT_BYTES // 1024**2, MAX_TOTAL_BYTES // 1024**2
            return found, [(place, f"a statement is larger than {mib[0]} MiB, or all together than {mib[1]} MiB")]
        found += search.of_statement(statement)
    return found, []
