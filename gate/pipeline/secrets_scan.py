"""`secrets scan`: only the search for plaintext secrets, in a folder, a file or an image; no policy, no verdict, no record.

The same engine, rules and fingerprints as in `check`. Files of a folder are opened without following links, and what is no plain
file is passed over. An image is read layer by layer as it streams; nothing of it is kept.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.clock import Deadline
from gate.codec.strict_json import printable
from gate.disk.named import PATH_STEP, read_named
from gate.errors import EvidenceError, UsageError
from gate.images.open_source import open_source
from gate.model.digest import Digest
from gate.model.evidence import SecretEvidence
from gate.model.finding import SecretPlace
from gate.model.limits import LayerLimits
from gate.model.policy import SecretRuleFile
from gate.model.reference import RegistryReference, parse_reference
from gate.pipeline.collect.context import fingerprint_key
from gate.pipeline.collect.image_metadata import surroundings_of
from gate.pipeline.collect.layer_secrets import MAX_FINDINGS, MAX_UNOPENED, LayerSecrets
from gate.pipeline.collect.layers import collect_layers
from gate.pipeline.collect.platforms import resolve_platforms
from gate.pipeline.collect.read_image import read_image, read_manifest, search_metadata
from gate.pipeline.collect.secret_rules import load_rule_set, shipped_known
from gate.registry.client import RegistryClient
from gate.secrets.budget import Budget
from gate.secrets.findings import Fingerprints, Mask, finding_of
from gate.secrets.search import Search

if TYPE_CHECKING:
    from gate.images.image_source import ImageSource
    from gate.model.finding import SecretFinding
    from gate.model.image import Descriptor
    from gate.model.reference import Reference
    from gate.pipeline.collect.image_metadata import ImageMetadata
    from gate.registry.options import RegistryOptions
    from gate.secrets.hit import Hit, Where
    from gate.secrets.known import KnownSecrets
    from gate.secrets.rule_set import RuleSet
    from gate.settings.locations import Places

_CHUNK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedPart:
    """What was searched: one image of an index by its digest, or a folder or file (`image` is None).

    `files` were read to their end, `size_bytes` of them all together, before anything was unpacked.
    """

    evidence: SecretEvidence
    files: int
    size_bytes: int
    image: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tools:
    rules: RuleSet
    known: KnownSecrets
    fingerprints: Fingerprints
    check_deadline: Callable[[], None]


def scan_secrets(
    subject: str,
    *,
    places: Places,
    registry: RegistryOptions,
    rules: tuple[Path, ...] = (),
    timeout: timedelta = timedelta(minutes=15),
) -> tuple[ScannedPart, ...]:
    """Search a path that is there, or else what a reference names; `rules` are files beside the shipped ones.

    Raises:
        UsageError: it is neither; PolicyError: `POL_*`, a rule file; EvidenceError, ImageError: it cannot be read.
    """
    deadline = Deadline.after(timeout)
    tools = _Tools(
        rules=load_rule_set(map(_rule_file, rules), places.cache / "automata"),
        known=shipped_known(),
        fingerprints=Fingerprints(fingerprint_key(places)),
        check_deadline=lambda: deadline.check("it was searched for secrets"),
    )
    path = Path(subject)
    if os.path.lexists(path):
        return (_PathSearch(tools).run(path),)
    with ExitStack() as opened:
        client = opened.enter_context(RegistryClient(registry, deadline))
        source = open_source(_image_reference(subject), client)
        family = resolve_platforms(source, source.root(), ())
        return tuple(
            _scan_image(source, child, surroundings_of(family, child, source.blob), tools) for child in family.judged
        )


def _image_reference(text: str) -> Reference:
    """Return what a text names that is no path here; a word that could be both is taken for a path."""
    reference = parse_reference(text)
    if isinstance(reference, RegistryReference) and reference.tag is None and reference.digest is None:
        expected = "a folder, a file, or an image by digest"
        raise UsageError(
            "there is nothing at this path",
            code="REF_PATH",
            expected=expected,
            seen=printable(text, 200),
            next_step=PATH_STEP,
        )
    return reference


def _rule_file(path: Path) -> SecretRuleFile:
    content = read_named(path, f"the rule file {path}")
    return SecretRuleFile(path=path.name, content=content, digest=Digest.of(content))


def _unreadable(path: Path, error: OSError) -> EvidenceError:
    seen = error.strerror or "an input/output error"
    return EvidenceError(f"{str(path)!a} cannot be read", code="IMG_UNREADABLE", expected="a readable file", seen=seen)


def _scan_image(source: ImageSource, child: Descriptor, around: ImageMetadata, tools: _Tools) -> ScannedPart:
    image = read_image(source, child, read_manifest(source, child))
    own = search_metadata(image, around, tools.rules, tools.fingerprints, tools.check_deadline)
    layers = [layer.digest for layer in image.manifest.layers]
    observer = LayerSecrets(tools.rules, tools.known, tools.fingerprints, layers, tools.check_deadline)
    collect_layers(
        source.blob,
        image.manifest,
        image.config,
        LayerLimits(),
        now=datetime.now(UTC),
        check_deadline=tools.check_deadline,
        observers=(observer,),
    )
    found = observer.evidence
    evidence = replace(
        found,
        findings=(*own.findings, *found.findings),
        unopened=tuple(dict.fromkeys((*own.unopened, *found.unopened))),
    )
    return ScannedPart(evidence=evidence, files=observer.files, size_bytes=observer.size_bytes, image=child.digest)


class _PathSearch:
    """Search the files of a folder, or one file."""

    def __init__(self, tools: _Tools) -> None:
        self._tools = tools
        self._search = Search(tools.rules, Budget(tools.check_deadline), self._found, self._not_opened)
        self._hits: list[Hit] = []
        self._unopened: dict[tuple[str, str], None] = {}
        self._known = 0
        self._is_subject = False
        self._files = 0
        self._size_bytes = 0

    def run(self, path: Path) -> ScannedPart:
        """Return what was found; locations are relative to the folder."""
        for name, file in self._files_of(path):
            self._tools.check_deadline()
            self._search.whole_text(name, os.fsencode(name))
            self._read(name, file)
        mask = Mask(self._hits)
        evidence = SecretEvidence(
            findings=tuple(self._finding(hit, mask) for hit in self._hits),
            unopened=tuple((mask.of(place), reason) for place, reason in self._unopened),
            rules_digest=self._tools.rules.digest,
            key_id=self._tools.fingerprints.key_id,
            known=self._known,
        )
        return ScannedPart(evidence=evidence, files=self._files, size_bytes=self._size_bytes)

    def _read(self, name: str, path: Path) -> None:
        try:
            if path.is_symlink():
                # Its target is text of its author; what it leads to is searched where it stands, or is not of the folder.
                self._search.whole_text(name, os.fsencode(path.readlink()))
                if name == path.name and self._is_subject:
                    self._unopened[name, "a symbolic link is not followed: name what it leads to"] = None
                return
            # Not blocking and not following: a pipe or a link that came meanwhile must not hold or lead the gate.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                seen = os.fstat(descriptor)
                if not stat.S_ISREG(seen.st_mode):
                    if self._is_subject:
                        self._unopened[name, "no plain file"] = None
                    return
                self._files += 1
                if not seen.st_size:
                    return
                body = self._search.begin(name, seen.st_size)
                while chunk := file.read(_CHUNK_BYTES):
                    self._tools.check_deadline()
                    body.feed(memoryview(chunk))
                    self._size_bytes += len(chunk)
                body.finish()
        except OSError as error:
            self._unopened[name, error.strerror or "it cannot be read"] = None

    def _found(self, hit: Hit) -> None:
        if self._tools.known.holds(hit):
            self._known += 1
        elif len(self._hits) < MAX_FINDINGS:
            self._hits.append(hit)
        else:
            self._unopened["", f"more than {MAX_FINDINGS} findings"] = None

    def _not_opened(self, where: Where, reason: str) -> None:
        if len(self._unopened) < MAX_UNOPENED:
            self._unopened[where.path, reason] = None

    def _finding(self, hit: Hit, mask: Mask) -> SecretFinding:
        return finding_of(hit, self._tools.fingerprints, SecretPlace.FILE, hit.where.name, mask)

    def _files_of(self, path: Path) -> Iterator[tuple[str, Path]]:
        """Yield name and path of what is to be read: the subject itself, or all that is in it; what cannot be listed is noted."""
        if not path.is_dir() or path.is_symlink():
            self._is_subject = True
            yield path.name, path
            return

        def unlisted(error: OSError) -> None:
            name = os.path.relpath(os.fsdecode(error.filename or path), path)
            self._unopened[name, error.strerror or "it cannot be listed"] = None

        for folder, folders, names in os.walk(path, onerror=unlisted):
            folders.sort()
            # A link to a folder is listed with the folders and never entered: its target is read as text.
            for name in sorted((*names, *(one for one in folders if (Path(folder) / one).is_symlink()))):
                file = Path(folder) / name
                yield str(file.relative_to(path)), file
