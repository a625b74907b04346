"""What outlives one question to a registry, for a service that asks many: connections, threads, attachments in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from gate.images.kept_attachments import ContentMemory
from gate.images.windowed import Windowed
from gate.registry.pool import RegistryPool

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from gate.clock import Clock
    from gate.registry.options import RegistryOptions

_WORKERS: Final = 64
# What one image asks of a registry at once: a slow one leaves threads to the others.
_AT_ONCE: Final = 4


class Shared:
    """Made once for a service, under one set of options for registries; safe to use from several threads."""

    def __init__(self, registry: RegistryOptions, *, clock: Clock | None = None) -> None:
        self.registries = RegistryPool(registry, clock=clock)
        self.memory = ContentMemory()
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="gate-attachments")

    @property
    def executor(self) -> Executor:
        """Return one question's share of the threads."""
        return Windowed(self._workers, _AT_ONCE)

    def close(self) -> None:
        """Close all connections; what is on its way is not waited for."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        self.registries.close()
