"""The three forms of an rpm database, written from headers."""

from __future__ import annotations

import sqlite3
import struct


def rpmdb(*blobs: bytes, wal: bool = False) -> bytes:
    """Return an SQLite database of these headers."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(blob,) for blob in blobs])
    connection.commit()
    data = bytearray(connection.serialize())
    connection.close()
    if wal:
        data[18:20] = b"\x02\x02"
    return bytes(data)


def bdb(*blobs: bytes, order: str = "<", page_bytes: int = 512) -> bytes:
    """Return a Berkeley DB hash of one bucket, each value on overflow pages of its own."""
    room = page_bytes - 26
    overflow: list[bytes] = []
    entries: list[bytes] = []
    for number, blob in enumerate(blobs):
        parts = [blob[start : start + room] for start in range(0, len(blob), room)]
        first = 2 + len(overflow)
        for place, part in enumerate(parts):
            following = first + place + 1 if place + 1 < len(parts) else 0
            head = struct.pack(f"{order}8xIIIHHBB", first + place, 0, following, 1, len(part), 0, 7)
            overflow.append((head + part).ljust(page_bytes, b"\0"))
        entries += [struct.pack(f"{order}BI", 1, number), struct.pack(f"{order}B3xII", 3, first, len(blob))]
    offsets, tail = [], b""
    for entry in entries:
        tail = entry + tail
        offsets.append(page_bytes - len(tail))
    head = struct.pack(f"{order}8xIIIHHBB", 1, 0, 0, len(entries), 0, 0, 13)
    index = b"".join(struct.pack(f"{order}H", offset) for offset in offsets)
    bucket = (head + index).ljust(page_bytes - len(tail), b"\0") + tail
    metadata = struct.pack(f"{order}8xIIIIBBxx4xI", 0, 0x00061561, 9, page_bytes, 0, 8, 1 + len(overflow))
    return metadata.ljust(page_bytes, b"\0") + bucket + b"".join(overflow)


def ndb(*blobs: bytes) -> bytes:
    """Return an ndb database of one page of slots."""
    slots, store = b"", b""
    for number, blob in enumerate(blobs, start=1):
        slots += struct.pack("<4sIII", b"Slot", number, 256 + len(store) // 16, 1)
        store += struct.pack("<4sIII", b"BlbS", number, 1, len(blob)) + blob
        store += bytes(-len(store) % 16)
    slots += struct.pack("<4sIII", b"Slot", 0, 0, 0) * (254 - len(blobs))
    return struct.pack("<4sIII16x", b"RpmP", 0, 1, 1) + slots + store
