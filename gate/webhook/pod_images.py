"""Every image in a Kubernetes object: of pods, of the workloads that make them, and of kinds that a requirement names.

A field of a pod that looks like an image and is none that is known refuses the object (attack K02): a new kind of image in a
later release of Kubernetes must not run unseen.

Specification: Kubernetes API reference, core/v1 PodSpec; formats reference, section 15.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.errors import AdmissionRequestError

if TYPE_CHECKING:
    from gate.codec.strict_json import JsonValue
    from gate.model.requirement import CustomResource

# group and kind → where the pod's specification is; "" is the core group.
_POD_SPECS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
    ("", "ReplicationController"): ("spec", "template", "spec"),
    ("apps", "DaemonSet"): ("spec", "template", "spec"),
    ("apps", "Deployment"): ("spec", "template", "spec"),
    ("apps", "ReplicaSet"): ("spec", "template", "spec"),
    ("apps", "StatefulSet"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    ("batch", "Job"): ("spec", "template", "spec"),
}
_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
# A block device of Ceph is named by `image` too, and a label may have any name.
_NO_IMAGES: Final = ("rbd", "nodeSelector", "matchLabels")
_DEEPEST: Final = 40


@dataclass(frozen=True, slots=True)
class PodImage:
    """A reference as it stands in an object, and the path of the field."""

    path: str
    reference: str

    @property
    def kind(self) -> str:
        """Say whether it is run or only mounted: one that is mounted has not been asked about as one that runs."""
        return "volume" if ".volumes[" in self.path else "container"


def images_of(group: str, kind: str, value: JsonValue, custom: Sequence[CustomResource] = ()) -> tuple[PodImage, ...]:
    """Return every image of an object, in its order.

    Raises:
        AdmissionRequestError: `ADM_KIND`, nobody knows where this kind has its images; `ADM_IMAGE_FIELD`, a container without
            an image, or a field that could be one and is not known; `ADM_MALFORMED`, a field of another type.
    """
    path = _POD_SPECS.get((group, kind))
    if path is not None:
        spec = _at(value, path)
        # A workload without a template makes no pods yet; the API server refuses a pod without a specification itself.
        return tuple(_pod(spec, ".".join(path))) if spec is not None else ()
    paths = [
        found for resource in custom if (resource.group, resource.kind) == (group, kind) for found in resource.paths
    ]
    if not paths:
        raise AdmissionRequestError(
            "nothing is known of the images of this kind",
            code="ADM_KIND",
            expected="a pod, a workload, or a kind of cluster.customResources",
            seen=f"{group or 'core'}/{kind}",
        )
    return tuple(image for found in paths for image in _custom(value, found.split("."), ""))


def _at(value: JsonValue, path: Sequence[str]) -> JsonValue:
    for name in path:
        if value is None:
            return None
        value = _mapping(value, ".".join(path)).get(name)
    return value


def _pod(value: JsonValue, path: str) -> Iterator[PodImage]:
    spec = _mapping(value, path)
    for field in _CONTAINERS:
        for number, item in enumerate(_list(spec.get(field), f"{path}.{field}")):
            place = f"{path}.{field}[{number}]"
            yield _image(_mapping(item, place), "image", place)
    for number, item in enumerate(_list(spec.get("volumes"), f"{path}.volumes")):
        place = f"{path}.volumes[{number}]"
        volume = _mapping(item, place)
        if volume.get("image") is not None:
            yield _image(_mapping(volume["image"], f"{place}.image"), "reference", f"{place}.image")
    _require_known(spec, path)


def _image(holder: Mapping[str, JsonValue], field: str, path: str) -> PodImage:
    reference = holder.get(field)
    if not isinstance(reference, str) or not reference.strip():
        raise AdmissionRequestError(
            "a container has no image", code="ADM_IMAGE_FIELD", expected=f"{path}.{field}", seen="nothing"
        )
    return PodImage(f"{path}.{field}", reference)


def _require_known(spec: Mapping[str, JsonValue], path: str) -> None:
    for name, value in spec.items():
        items = _list(value, f"{path}.{name}") if name in {*_CONTAINERS, "volumes"} else ()
        if items:
            for number, item in enumerate(items):
                inside = _mapping(item, f"{path}.{name}[{number}]")
                _refuse_unknown(
                    {key: found for key, found in inside.items() if key != "image"}, f"{path}.{name}[{number}]", 0
                )
        else:
            _refuse_unknown({name: value}, path, 0)


def _refuse_unknown(value: JsonValue, path: str, depth: int) -> None:
    """Refuse an `image` or `imageReference` at any depth of what is known to hold none."""
    if depth > _DEEPEST:
        raise AdmissionRequestError("the object is nested too deeply", expected=f"at most {_DEEPEST} levels", seen=path)
    if isinstance(value, list):
        for number, item in enumerate(value):
            _refuse_unknown(item, f"{path}[{number}]", depth + 1)
    if isinstance(value, dict):
        for name, item in value.items():
            if name in _NO_IMAGES or (name == "metadata" and depth == 0):
                continue
            if _could_be_image(name) and item is not None:
                raise AdmissionRequestError(
                    "a field that could be an image is not known",
                    code="ADM_IMAGE_FIELD",
                    expected="images of containers and of image volumes",
                    seen=f"{path}.{name}",
                )
            _refuse_unknown(item, f"{path}.{name}", depth + 1)


def _could_be_image(name: str) -> bool:
    return name.lower().endswith(("image", "images", "imagereference", "imageref", "imagename"))


def _custom(value: JsonValue, names: Sequence[str], path: str) -> Iterator[PodImage]:
    """Follow a path of `cluster.customResources`: it ends at a reference or at the specification of a pod; `[]` is each item."""
    if value is None:
        return
    if not names:
        if isinstance(value, str):
            yield PodImage(path, value)
        else:
            yield from _pod(value, path)
        return
    name = names[0]
    field = name.removesuffix("[]")
    place = f"{path}.{field}" if path else field
    found = _mapping(value, path or "the object").get(field)
    if name.endswith("[]"):
        for number, item in enumerate(_list(found, place)):
            yield from _custom(item, names[1:], f"{place}[{number}]")
    else:
        yield from _custom(found, names[1:], place)


def _mapping(value: JsonValue, path: str) -> Mapping[str, JsonValue]:
    if not isinstance(value, dict):
        raise AdmissionRequestError(
            "a field is of another type", expected=f"an object at {path}", seen=type(value).__name__
        )
    return value


def _list(value: JsonValue, path: str) -> Sequence[JsonValue]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise AdmissionRequestError(
            "a field is of another type", expected=f"a list at {path}", seen=type(value).__name__
        )
    return value
