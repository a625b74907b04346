"""What the API server sends: an AdmissionReview, parsed strictly, and the images that the request would start.

An update is judged by the images that it brings: what stood in the old object runs already, and taking a label off it starts
nothing. The old object is the API server's own word; labels, annotations and owners of an object are its writer's and decide
nothing (attacks K05 to K08).

Specification: Kubernetes, `admission.k8s.io/v1`; formats reference, section 15; attack K11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.errors import AdmissionRequestError
from gate.webhook.pod_images import PodImage, images_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gate.codec.strict_json import JsonValue
    from gate.model.requirement import CustomResource

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"
MAX_BYTES: Final = 4 * 1024 * 1024
MOST_IMAGES: Final = 100
_FAULT: Final = Fault(AdmissionRequestError, "ADM_MALFORMED", "the admission review")
_OPERATIONS: Final = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A request: who is asked about, and the images that it would start."""

    uid: str
    operation: str
    namespace: str
    kind: str
    name: str
    images: tuple[PodImage, ...]
    dry_run: bool = False


def uid_of(data: bytes) -> str:
    """Return the request's uid where it can be read, else "": an answer that names it is understood, whatever else is wrong."""
    try:
        uid = parse_object(data, _FAULT, limit_bytes=MAX_BYTES).object("request").text("uid")
    except AdmissionRequestError:
        return ""
    return uid if len(uid) <= 100 else ""


def parse_review(data: bytes, custom: Sequence[CustomResource] = ()) -> Review:
    """Parse a review and find the images that it would start.

    Raises:
        AdmissionRequestError: `ADM_MALFORMED`, `ADM_KIND`, `ADM_IMAGE_FIELD`, `LIMIT_IMAGES`.
    """
    view = parse_object(data, _FAULT, limit_bytes=MAX_BYTES)
    for name, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        if view.text(name) != expected:
            raise view.refuse(name, "is another", expected=expected, seen=view.text(name))
    request = view.object("request")
    operation = request.text("operation")
    if operation not in _OPERATIONS:
        raise request.refuse("operation", "is not known", expected=", ".join(sorted(_OPERATIONS)), seen=operation)
    kind = request.object("kind")
    return Review(
        uid=_uid(request),
        operation=operation,
        namespace=request.optional_text("namespace") or "",
        kind=kind.text("kind"),
        name=request.optional_text("name") or "",
        images=_started(request, operation, kind, custom),
        dry_run=bool(request.optional_boolean("dryRun")),
    )


def _without_state(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: item for name, item in value.items() if name not in {"metadata", "status"}}


def _running(group: str, kind: str, value: JsonValue, custom: Sequence[CustomResource]) -> set[tuple[str, str]]:
    """Return the images of the old object; of one whose images are not known none counts as running."""
    try:
        return {(image.kind, image.reference) for image in images_of(group, kind, value, custom)}
    except AdmissionRequestError:
        return set()


def _uid(request: ObjectView) -> str:
    uid = request.text("uid")
    if not uid or len(uid) > 100:
        raise request.refuse("uid", "is no uid", expected="1 to 100 characters", seen=f"{len(uid)} characters")
    return uid


def _started(
    request: ObjectView, operation: str, kind: ObjectView, custom: Sequence[CustomResource]
) -> tuple[PodImage, ...]:
    if operation in {"DELETE", "CONNECT"}:
        return ()
    group, name = kind.optional_text("group") or "", kind.text("kind")
    value = request.fields.get("object")
    if not isinstance(value, dict) or not value:
        raise request.refuse("object", "is missing", expected="the object that is written", seen="nothing")
    before = request.fields.get("oldObject")
    if operation == "UPDATE":
        if not isinstance(before, dict) or not before:
            raise request.refuse("oldObject", "is missing", expected="the object as it was", seen="nothing")
        # A label, a finalizer that ends, a status: whatever the object is, nothing starts, and nothing may keep it from ending.
        if _without_state(value) == _without_state(before):
            return ()
    found = images_of(group, name, value, custom)
    if operation == "UPDATE":
        running = _running(group, name, before, custom)
        found = tuple(image for image in found if (image.kind, image.reference) not in running)
    distinct = {image.reference for image in found}
    if len(distinct) > MOST_IMAGES:
        raise AdmissionRequestError(
            "too many images in one object",
            code="LIMIT_IMAGES",
            expected=f"at most {MOST_IMAGES}",
            seen=str(len(distinct)),
        )
    return found
