"""The blob store that settings name, typed: bytes under their SHA-256."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol, cast

from django.core.files.storage import storages


class Blobs(Protocol):
    """What is needed of a blob store."""

    def put(self, stream: BinaryIO) -> str:
        """Store what the stream has left; gives its SHA-256 as hex."""

    def open(self, sha256: str, start: int = 0, end: int | None = None) -> BinaryIO:
        """Open a blob for reading."""

    def path(self, sha256: str) -> Path:
        """The blob's file."""

    def exists(self, sha256: str) -> bool:
        """Whether there is such a blob."""

    def delete(self, sha256: str) -> None:
        """Delete a blob; one that is gone is fine."""


def store() -> Blobs:
    """The store of uploads, outputs and their small pictures."""
    return cast(Blobs, storages["blobs"])


def put_file(path: Path) -> str:
    """Store a file; gives its SHA-256."""
    with path.open("rb") as stream:
        return store().put(stream)
