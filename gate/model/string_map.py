"""A frozen mapping of text to text: hashable and picklable, which `MappingProxyType` is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StringMap(Mapping[str, str]):
    """Annotations, labels and the like; sorted by key, each key once."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, str]) -> StringMap:
        """Freeze a mapping."""
        return cls(tuple(sorted(values.items())))

    def __getitem__(self, key: str) -> str:
        for name, value in self.pairs:
            if name == key:
                return value
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)
