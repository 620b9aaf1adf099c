"""Fields of TIFF and EXIF data that hold metadata (TIFF 6.0, section 2; CIPA DC-008), read with bounds."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from watermark.containers import METADATA_MAX
from watermark.errors import ContainerError

XMP, EXIF, USER_COMMENT = 0x02BC, 0x8769, 0x9286
_DIRECTORIES_MAX, _FIELDS_MAX = 32, 4096
_WIDTH = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of a directory: its tag and its octets."""

    tag: int
    data: bytes


def entries(data: bytes) -> list[Entry]:
    """The fields of every directory, those of EXIF too, that are wanted here.

    Raises:
        ContainerError: it is no TIFF data, cut off, has a loop or a field that is too large.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        raise ContainerError("The EXIF data is cut off or malformed.")
    found: list[Entry] = []
    todo, seen = [int(struct.unpack_from(f"{order}I", data, 4)[0])], set[int]()
    while todo:
        at = todo.pop()
        if at == 0:
            continue
        if at in seen or len(seen) >= _DIRECTORIES_MAX:
            raise ContainerError("The EXIF data has a loop, or too many directories.")
        seen.add(at)
        found += _directory(data, at, order, todo)
    return found


def _directory(data: bytes, at: int, order: str, todo: list[int]) -> Iterator[Entry]:
    count = _unpack(data, at, f"{order}H")[0]
    if count > _FIELDS_MAX:
        raise ContainerError(f"The EXIF data has a directory of {count} fields.")
    for number in range(count):
        place = at + 2 + 12 * number
        tag, kind, length = _unpack(data, place, f"{order}HHI")
        if tag == EXIF:
            todo.append(_unpack(data, place + 8, f"{order}I")[0])
        elif tag in (XMP, USER_COMMENT):
            yield Entry(tag, _value(data, place + 8, length * _WIDTH.get(kind, 0), order))
    following = at + 2 + 12 * count
    if following + 4 <= len(data):  # some writers leave the offset of no further directory out
        todo.append(_unpack(data, following, f"{order}I")[0])


def _value(data: bytes, place: int, size: int, order: str) -> bytes:
    """The octets of a field: in place up to four, else where its offset points."""
    if size > METADATA_MAX:
        raise ContainerError(f"The EXIF data has a field of {size} octets: too many to read.")
    if size > 4:
        place = _unpack(data, place, f"{order}I")[0]
    if place + size > len(data):
        raise ContainerError("The EXIF data has a field that runs over its end.")
    return data[place : place + size]


def _unpack(data: bytes, at: int, form: str) -> tuple[int, ...]:
    if at + struct.calcsize(form) > len(data):
        raise ContainerError("The EXIF data is cut off.")
    return tuple(int(value) for value in struct.unpack_from(form, data, at))
