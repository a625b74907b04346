"""Blobs and manifests into a registry, by digest or under a tag.

Specification: distribution-spec 1.1, "Pushing".
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gate.errors import RegistryError
from gate.model.digest import Digest
from gate.model.reference import Repository
from gate.registry.addresses import Target, parse_derived
from gate.registry.api import Call, RegistryApi
from gate.registry.auth import DELETE, PUSH, with_login_step
from gate.registry.faults import TransientError, status_fault
from gate.registry.transport import Answer

_KEEPS_CODE: Final = frozenset({401, 403, 404, 408, 429, 500, 502, 503, 504})
_ENTITY_TOO_LARGE: Final = 413
_TOO_LARGE: Final = "Raise the limit on the size of a request at the registry, or at the proxy in front of it."
_SMALL_BYTES: Final = 64 * 1024


def push_blob(api: RegistryApi, repository: Repository, digest: Digest, content: bytes | Path) -> None:
    """Store bytes, or a file's bytes, under their digest; nothing is sent that is there already.

    Raises:
        RegistryError: `REG_PUSH`, `REG_AUTH`, `REG_DENIED` and others.
    """
    head = Call(
        method="HEAD", repository=repository, path=f"blobs/{digest}", doing=f"looking for a blob in {repository}",
        actions=PUSH,
    )  # fmt: skip
    answer, _ = api.read(head, _SMALL_BYTES)
    if answer.status == 200:
        return
    # A broken upload cannot go on in its session; a new session is a new try of the whole.
    api.transport(repository).retrying(lambda: _upload(api, repository, digest, content))


def push_manifest(
    api: RegistryApi, repository: Repository, content: bytes, media_type: str, reference: str | Digest | None = None
) -> bool:
    """Store a manifest under its digest, or under a tag; say whether the registry says that it listed its subject."""
    digest = Digest.of(content)
    call = Call(
        method="PUT", repository=repository, path=f"manifests/{reference or digest}",
        doing=f"pushing a manifest to {repository}", actions=PUSH, headers={"Content-Type": media_type}, body=content,
    )  # fmt: skip
    answer, body = api.read(call, _SMALL_BYTES)
    _demand(answer, body, call.doing, 201, 200, 202)
    return bool(answer.header("OCI-Subject"))


def delete_manifest(api: RegistryApi, repository: Repository, digest: Digest) -> None:
    """Remove a manifest; one that is not there is removed already.

    Raises:
        RegistryError: `REG_PUSH` where the registry does not delete.
    """
    call = Call(
        method="DELETE", repository=repository, path=f"manifests/{digest}", doing=f"deleting from {repository}",
        actions=DELETE, idempotent=False,
    )  # fmt: skip
    answer, body = api.read(call, _SMALL_BYTES)
    _demand(answer, body, call.doing, 202, 200, 204, 404)


def _upload(api: RegistryApi, repository: Repository, digest: Digest, content: bytes | Path) -> None:
    start = Call(
        method="POST", repository=repository, path="blobs/uploads/", doing=f"starting an upload to {repository}",
        actions=PUSH, headers={"Content-Length": "0"}, idempotent=False,
    )  # fmt: skip
    answer, body = _once(api, start)
    _demand(answer, body, start.doing, 202)
    target = _upload_target(api, repository, answer, digest)
    finish = Call(
        method="PUT", repository=repository, path="", doing=f"uploading to {repository}", actions=PUSH, target=target,
        headers={"Content-Type": "application/octet-stream"}, body=content, idempotent=False,
    )  # fmt: skip
    answer, body = _once(api, finish)
    if answer.status == 404:
        # The session is gone (a restart, another replica): a new one is a new try of the whole.
        raise TransientError(status_fault(404, body, answer.request.target.origin, finish.doing))
    _demand(answer, body, finish.doing, 201)


def _once(api: RegistryApi, call: Call) -> tuple[Answer, bytes]:
    try:
        return api.read(call, _SMALL_BYTES)
    except RegistryError as error:
        if isinstance(error.__cause__, TransientError):
            raise TransientError(error, error.__cause__.retry_after) from error
        raise


def _upload_target(api: RegistryApi, repository: Repository, answer: Answer, digest: Digest) -> Target:
    named = api.transport(repository).named
    target = parse_derived(answer.header("Location"), answer.request.target, named)
    if target.origin != named:
        raise RegistryError(
            "the registry wants an upload at another host",
            code="REG_AUTH_LEAK",
            expected=str(named),
            seen=str(target.origin),
        )
    return Target(target.origin, f"{target.path}{'&' if '?' in target.path else '?'}digest={digest}")


def _demand(answer: Answer, body: bytes, doing: str, *statuses: int) -> None:
    if answer.status in statuses:
        return
    fault = status_fault(answer.status, body, answer.request.target.origin, doing)
    code = fault.code if answer.status in _KEEPS_CODE else "REG_PUSH"
    step = _TOO_LARGE if answer.status == _ENTITY_TOO_LARGE else fault.next_step
    raise with_login_step(RegistryError(fault.message, code=code, seen=fault.seen, next_step=step), PUSH)
