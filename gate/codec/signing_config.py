"""`signing_config.json`: which services of a Sigstore instance sign, chosen for one moment.

Only services of a known version that are valid at that moment count, the newest version first and one an operator; too few
of them for what the configuration itself demands is refused, never made do with.

Specification: protobuf-specs `sigstore_trustroot.proto`, in protobuf JSON; formats reference, section 9.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.codec.times import format_time, parse_time
from gate.errors import UsageError
from gate.model.signing import LogService, SigningServices

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

MAX_CONFIG_BYTES: Final = 1024 * 1024
MAX_SERVICES: Final = 64
CONFIG_TYPE: Final = "application/vnd.dev.sigstore.signingconfig.v0.2+json"
CLIENT_TYPE: Final = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
_FAULT: Final = Fault(UsageError, "ROOT_MALFORMED", "the signing configuration")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    url: str
    version: int
    operator: str
    start: datetime
    end: datetime | None

    def serves(self, now: datetime) -> bool:
        return self.start <= now and (self.end is None or now <= self.end)


def parse_signing_config(data: bytes, now: datetime) -> SigningServices:
    """Choose the services for this moment from a signing configuration, or from the one in a `ClientTrustConfig`.

    Raises:
        UsageError: `ROOT_MALFORMED`; also where no service of a needed kind is valid now.
    """
    view = parse_object(data, _FAULT, limit_bytes=MAX_CONFIG_BYTES)
    if view.optional_text("mediaType") == CLIENT_TYPE:
        view = view.object("signingConfig")
    if view.optional_text("mediaType") != CONFIG_TYPE:
        raise view.refuse(
            "mediaType", "is of no known version", expected=CONFIG_TYPE, seen=view.optional_text("mediaType")
        )
    authorities = _chosen(view, "caUrls", "", versions=(1,), now=now)
    issuers = _chosen(view, "oidcUrls", "", versions=(1,), now=now, needed=False)
    return SigningServices(
        authority=authorities[0].url,
        logs=tuple(
            LogService(url=log.url, version=log.version)
            for log in _chosen(view, "rekorTlogUrls", "rekorTlogConfig", versions=(2, 1), now=now, needed=False)
        ),
        timestamps=tuple(
            service.url for service in _chosen(view, "tsaUrls", "tsaConfig", versions=(1,), now=now, needed=False)
        ),
        issuer=issuers[0].url if issuers else "",
    )


def _chosen(
    view: ObjectView, field: str, rule: str, *, versions: Sequence[int], now: datetime, needed: bool = True
) -> list[_Service]:
    """Return the services that are used; `rule` names the field that says how many, "" for one."""
    items = view.optional_objects(field)
    if len(items) > MAX_SERVICES:
        raise view.refuse(field, "has too many items", expected=f"at most {MAX_SERVICES}", seen=str(len(items)))
    serving = [service for service in map(_service, items) if service.version in versions and service.serves(now)]
    # Stable: among those of one version the configuration's own order, which puts the newest first.
    serving.sort(key=lambda service: versions.index(service.version))
    by_operator = {service.operator or service.url: service for service in reversed(serving)}
    distinct = [service for service in serving if by_operator[service.operator or service.url] is service]
    wanted = _count(view, rule, len(distinct)) if rule else 1
    if len(distinct) < wanted and (needed or items):
        raise view.refuse(
            field, "has too few services", expected=f"{wanted} valid at {format_time(now)}", seen=str(len(distinct))
        )
    return distinct[:wanted]


def _count(view: ObjectView, rule: str, available: int) -> int:
    config = view.optional_object(rule)
    selector = config.optional_text("selector") if config is not None else ""
    match selector:
        case "ALL":
            return max(available, 1)
        case "EXACT" if config is not None:
            return config.integer("count", minimum=1)
        case "ANY" | "":
            return 1
        case _:
            raise view.refuse(rule, "has an unknown selector", expected="ANY, ALL or EXACT", seen=selector)


def _service(view: ObjectView) -> _Service:
    window = view.object("validFor")
    return _Service(
        url=view.text("url"),
        version=view.integer("majorApiVersion"),
        operator=view.optional_text("operator"),
        start=parse_time(window.text("start"), _FAULT, "validFor.start"),
        end=parse_time(window.text("end"), _FAULT, "validFor.end") if window.has("end") else None,
    )
