"""The image configuration: bytes whose digest was checked, into the values that a runtime obeys.

Refuses a key that equals a known one only when case is ignored: Go's reader would let it set the user or the command
that the gate did not see (attack D05). The configuration is the author's own word; nothing here believes it.

Specification: OCI image-spec 1.1, `config.md`; Docker's additions; formats reference, section 2.2.
"""

from __future__ import annotations

from typing import Final

from gate.codec.oci import refuse_folded
from gate.codec.platforms import normal_platform
from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.codec.times import parse_time
from gate.errors import ImageError
from gate.model.digest import Digest
from gate.model.image import ImageManifest, Platform
from gate.model.image_config import HistoryEntry, ImageConfig

MAX_CONFIG_BYTES: Final = 8 * 1024 * 1024

CONFIG_FAULT: Final = Fault(ImageError, "IMG_MALFORMED", "the image configuration", ambiguous_code="IMG_AMBIGUOUS")

_TOP: Final = frozenset(
    {"architecture", "os", "variant", "os.version", "os.features", "created", "author", "config", "rootfs", "history"}
)
_RUNTIME: Final = frozenset(
    {
        "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal",
        "Healthcheck", "OnBuild", "Shell", "ArgsEscaped",
    }
)  # fmt: skip
_ROOT: Final = frozenset({"type", "diff_ids"})
_HISTORY: Final = frozenset({"created", "created_by", "author", "comment", "empty_layer"})
_HEALTH: Final = frozenset({"Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"})


def parse_config(data: bytes) -> ImageConfig:
    """Parse a configuration; absent lists are empty, ports and volumes are sorted.

    Raises:
        ImageError: `IMG_MALFORMED`, `IMG_AMBIGUOUS`; `LIMIT_BLOB` over 8 MiB.
    """
    view = parse_object(data, CONFIG_FAULT, limit_bytes=MAX_CONFIG_BYTES, limit_code="LIMIT_BLOB")
    refuse_folded(view, _TOP)
    runtime = view.optional_object("config") or ObjectView({}, CONFIG_FAULT, "config")
    refuse_folded(runtime, _RUNTIME)
    created = view.optional_text("created")
    return ImageConfig(
        platform=_platform(view),
        diff_ids=_diff_ids(view.object("rootfs")),
        created=parse_time(created, CONFIG_FAULT, "created") if created else None,
        author=view.optional_text("author"),
        user=runtime.optional_text("User"),
        exposed_ports=_keys(runtime, "ExposedPorts"),
        env=runtime.optional_texts("Env"),
        entrypoint=runtime.optional_texts("Entrypoint"),
        cmd=runtime.optional_texts("Cmd"),
        volumes=_keys(runtime, "Volumes"),
        working_dir=runtime.optional_text("WorkingDir"),
        labels=runtime.optional_text_map("Labels"),
        stop_signal=runtime.optional_text("StopSignal"),
        healthcheck=_healthcheck(runtime),
        on_build=runtime.optional_texts("OnBuild"),
        shell=runtime.optional_texts("Shell"),
        history=tuple(_history(entry) for entry in view.optional_objects("history")),
    )


def require_config(config: ImageConfig, manifest: ImageManifest, platform: Platform | None) -> None:
    """Hold a configuration against its manifest and against the platform that the index gives it, if any.

    Raises:
        ImageError: `IMG_DIFFID` for another number of layers, `IMG_AMBIGUOUS` for another platform.
    """
    if len(config.diff_ids) != len(manifest.layers):
        # Runtimes refuse it or mount what the manifest lists; scanners go by the shorter of the two (attack D11).
        raise CONFIG_FAULT.refuse(
            "and the manifest have different numbers of layers",
            code="IMG_DIFFID",
            expected=f"{len(manifest.layers)} diff_ids",
            seen=str(len(config.diff_ids)),
        )
    if platform is not None and not _agree(config.platform, platform):
        # A runtime goes by the index, and `docker run` of a manifest by the configuration.
        raise CONFIG_FAULT.refuse(
            "is for another platform than the index says",
            code="IMG_AMBIGUOUS",
            expected=str(platform),
            seen=str(config.platform),
        )


def _agree(own: Platform, listed: Platform) -> bool:
    """Builders often leave the variant out of one of the two; where both have one, they are equal."""
    left, right = normal_platform(own), normal_platform(listed)
    variants = {left.variant, right.variant}
    silent = not own.variant or not listed.variant
    return (left.os, left.architecture) == (right.os, right.architecture) and (silent or len(variants) == 1)


def _platform(view: ObjectView) -> Platform:
    return Platform(
        os=view.text("os"),
        architecture=view.text("architecture"),
        variant=view.optional_text("variant"),
        os_version=view.optional_text("os.version"),
        os_features=view.optional_texts("os.features"),
    )


def _diff_ids(root: ObjectView) -> tuple[Digest, ...]:
    refuse_folded(root, _ROOT)
    if root.text("type") != "layers":
        # The only type there is; a reader that knows another would read other layers.
        raise root.refuse("type", "has a root file system of no known type", expected="layers", seen=root.text("type"))
    texts = ObjectView({str(place): text for place, text in enumerate(root.optional_texts("diff_ids"))}, root.fault)
    return tuple(texts.digest(place) for place in texts.fields)


def _keys(view: ObjectView, key: str) -> tuple[str, ...]:
    names = view.optional_object(key)
    return tuple(sorted(names.fields)) if names else ()


def _healthcheck(runtime: ObjectView) -> tuple[str, ...]:
    view = runtime.optional_object("Healthcheck")
    if view is None:
        return ()
    refuse_folded(view, _HEALTH)
    return view.optional_texts("Test")


def _history(view: ObjectView) -> HistoryEntry:
    refuse_folded(view, _HISTORY)
    return HistoryEntry(
        created_by=view.optional_text("created_by"),
        comment=view.optional_text("comment"),
        author=view.optional_text("author"),
        empty_layer=view.optional_boolean("empty_layer"),
    )
