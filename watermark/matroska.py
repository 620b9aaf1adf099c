"""The tags of a Matroska or WebM file (RFC 8794, RFC 9559), read with bounds.

Own code, not the library that wrote the file. Sizes are checked against the parent, tags in tags against a
depth, the number of elements against a limit; only tags are ever loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from watermark.containers import METADATA_MAX
from watermark.errors import ContainerError

_SEGMENT, _CLUSTER, _TAGS = 0x18538067, 0x1F43B675, 0x1254C367
_TAG, _SIMPLE, _NAME, _STRING, _BINARY = 0x7373, 0x67C8, 0x45A3, 0x4487, 0x4485
_ELEMENTS_MAX = 200_000  # ten minutes of clusters of unknown size: 36,000 blocks
_DEPTH_MAX = 8
_NAME_MAX = 256


@dataclass(frozen=True, slots=True)
class Element:
    """An element: its id, and where its payload lies; ``open`` when its size is unknown."""

    id: int
    start: int
    end: int
    open: bool = False


class _Walk:
    """Counts the elements of one file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, _ELEMENTS_MAX

    def children(self, start: int, end: int) -> Iterator[Element]:
        """The elements between two places; one of unknown size is followed by what is inside it."""
        while start < end:
            self._left -= 1
            if self._left < 0:
                raise ContainerError("The Matroska file has too many elements.")
            element = self._element(start, end)
            yield element
            start = element.start if element.open else element.end

    def _element(self, start: int, end: int) -> Element:
        self._file.seek(start)
        head = self._file.read(min(12, end - start))
        name, used = _number(head, 4, keep_marker=True)
        size, more = _number(head[used:], 8, keep_marker=False)
        start += used + more
        if size == (1 << 7 * more) - 1:  # all ones: unknown
            if name not in (_SEGMENT, _CLUSTER):
                raise ContainerError("The Matroska file has an element without a size.")
            return Element(name, start, end, open=True)
        if start + size > end:
            raise ContainerError(f"The Matroska file has an element {name:x} that runs over its end.")
        return Element(name, start, start + size)

    def load(self, element: Element, limit: int) -> bytes:
        """The payload of an element."""
        if element.end - element.start > limit:
            raise ContainerError(f"A tag has {element.end - element.start} octets: too many to read.")
        self._file.seek(element.start)
        return self._file.read(element.end - element.start)


def _number(head: bytes, longest: int, *, keep_marker: bool) -> tuple[int, int]:
    """A number of variable length, and how many octets it takes (RFC 8794, 4)."""
    length = 9 - head[0].bit_length() if head else 9
    if length > longest or length > len(head):
        raise ContainerError("The Matroska file is cut off or malformed.")
    value = int.from_bytes(head[:length], "big")
    return value if keep_marker else value & ((1 << 7 * length) - 1), length


def tags(path: Path) -> list[tuple[str, bytes]]:
    """Name and text of every tag, those of tracks and tags in tags too.

    Raises:
        ContainerError: the file is cut off or malformed, or a tag is too large.
    """
    with path.open("rb") as file:
        walk = _Walk(file)
        found: list[tuple[str, bytes]] = []
        for top in walk.children(0, file.seek(0, 2)):
            if top.id == _SEGMENT and not top.open:
                for element in walk.children(top.start, top.end):
                    found += _of(walk, element)
            found += _of(walk, top)  # a segment of unknown size: its elements come one after another
    return found


def _of(walk: _Walk, element: Element) -> Iterator[tuple[str, bytes]]:
    if element.id != _TAGS:
        return
    for tag in walk.children(element.start, element.end):
        if tag.id == _TAG:
            yield from _simple(walk, tag, 0)


def _simple(walk: _Walk, parent: Element, depth: int) -> Iterator[tuple[str, bytes]]:
    if depth > _DEPTH_MAX:
        raise ContainerError("The Matroska file has tags in tags without end.")
    for tag in walk.children(parent.start, parent.end):
        if tag.id != _SIMPLE:
            continue
        parts = {part.id: part for part in walk.children(tag.start, tag.end)}
        value = parts.get(_STRING) or parts.get(_BINARY)
        if _NAME in parts and value:
            name = walk.load(parts[_NAME], _NAME_MAX).rstrip(b"\0").decode("utf-8", "replace")
            yield name, walk.load(value, METADATA_MAX).rstrip(b"\0")
        if _SIMPLE in parts:
            yield from _simple(walk, tag, depth + 1)
