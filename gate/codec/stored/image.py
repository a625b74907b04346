"""Stored forms of the OCI objects, of what is attached to them, and of the request."""

from __future__ import annotations

from typing import Any, Final

from gate.codec.stored.forms import (
    BOOLEAN,
    BYTES,
    DIGEST,
    INTEGER,
    STRING_MAP,
    TEXT,
    TIME,
    Form,
    choice,
    either,
    field,
    many,
    row,
    table,
    text_of,
)  # fmt: skip
from gate.model.attachment import Attachment, Attachments, AttachmentSource
from gate.model.evidence import RequestFacts, Unavailable
from gate.model.image import Descriptor, ImageIndex, ImageManifest, Platform
from gate.model.image_config import HistoryEntry, ImageConfig
from gate.model.reference import Repository, parse_repository
from gate.model.string_map import StringMap
from gate.model.subject import SkippedChild, Subject

UNAVAILABLE: Final = table(
    Unavailable,
    "unavailable",
    field("code", TEXT),
    field("reason", TEXT),
    field("expected", TEXT, default=""),
    field("seen", TEXT, default=""),
    field("next", TEXT, "next_step", default=""),
)


def or_unavailable(form: Form[Any]) -> Form[Any]:
    """Return the form of evidence, or of why it is not there."""
    return either(Unavailable, "unavailable", UNAVAILABLE, form)


PLATFORM: Final = table(
    Platform,
    "platform",
    field("os", TEXT),
    field("architecture", TEXT),
    field("variant", TEXT, default=""),
    field("osVersion", TEXT, "os_version", default=""),
    field("osFeatures", many(TEXT), "os_features", default=()),
)
DESCRIPTOR: Final = table(
    Descriptor,
    "descriptor",
    field("mediaType", TEXT, "media_type"),
    field("digest", DIGEST),
    field("size", INTEGER),
    field("platform", PLATFORM, default=None),
    field("artifactType", TEXT, "artifact_type", default=""),
    field("annotations", STRING_MAP, default=StringMap()),
    field("urls", many(TEXT), default=()),
)
MANIFEST: Final = table(
    ImageManifest,
    "manifest",
    field("mediaType", TEXT, "media_type"),
    field("config", DESCRIPTOR),
    field("layers", many(DESCRIPTOR)),
    field("subject", DESCRIPTOR, default=None),
    field("artifactType", TEXT, "artifact_type", default=""),
    field("annotations", STRING_MAP, default=StringMap()),
)
INDEX: Final = table(
    ImageIndex,
    "index",
    field("mediaType", TEXT, "media_type"),
    field("manifests", many(DESCRIPTOR)),
    field("subject", DESCRIPTOR, default=None),
    field("artifactType", TEXT, "artifact_type", default=""),
    field("annotations", STRING_MAP, default=StringMap()),
)
HISTORY: Final = table(
    HistoryEntry,
    "history",
    field("createdBy", TEXT, "created_by", default=""),
    field("comment", TEXT, default=""),
    field("author", TEXT, default=""),
    field("emptyLayer", BOOLEAN, "empty_layer", default=False),
)
CONFIG: Final = table(
    ImageConfig,
    "config",
    field("platform", PLATFORM),
    field("diffIds", many(DIGEST), "diff_ids"),
    field("created", TIME, default=None),
    field("author", TEXT, default=""),
    field("user", TEXT, default=""),
    field("exposedPorts", many(TEXT), "exposed_ports", default=()),
    field("env", many(TEXT), default=()),
    field("entrypoint", many(TEXT), default=()),
    field("cmd", many(TEXT), default=()),
    field("volumes", many(TEXT), default=()),
    field("workingDir", TEXT, "working_dir", default=""),
    field("labels", STRING_MAP, default=StringMap()),
    field("stopSignal", TEXT, "stop_signal", default=""),
    field("healthcheck", many(TEXT), default=()),
    field("onBuild", many(TEXT), "on_build", default=()),
    field("shell", many(TEXT), default=()),
    field("history", many(HISTORY), default=()),
)
SUBJECT: Final = table(
    Subject,
    "subject",
    field("mediaType", TEXT, "media_type"),
    field("digest", DIGEST),
    field("size", INTEGER),
    field("platform", PLATFORM, default=None),
)
SKIPPED: Final = table(SkippedChild, "skipped", field("digest", DIGEST), field("platform", TEXT), field("reason", TEXT))
ATTACHMENT: Final = table(
    Attachment,
    "attachment",
    field("source", choice(AttachmentSource)),
    field("mediaType", TEXT, "media_type"),
    field("content", BYTES),
    field("manifest", DIGEST, default=None),
    field("annotations", STRING_MAP, default=StringMap()),
)
ATTACHMENTS: Final = table(
    Attachments,
    "attachments",
    field("digest", DIGEST),
    field("items", many(ATTACHMENT), default=()),
    field("ignored", many(row(TEXT, INTEGER)), default=()),
)
REPOSITORY: Final[Form[Repository]] = text_of(str, parse_repository)
REQUEST: Final = table(
    RequestFacts,
    "request",
    field("reference", TEXT),
    field("repository", REPOSITORY, default=None),
    field("tag", TEXT, default=None),
    field("digest", DIGEST, default=None),
    field("hint", DIGEST, default=None),
    field("local", BOOLEAN, default=False),
    field("platforms", many(PLATFORM), default=()),
)
