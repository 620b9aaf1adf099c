"""Blobs by content: the name of a blob is the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
import io
import os
import re
import secrets
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings

from likeness.errors import BlobMissingError, BlobNameError, BlobWriteError

CHUNK_BYTES = 2**20
_NAME = re.compile(r"[0-9a-f]{64}")


class LocalBlobs:
    """Blobs under blobs/ of the home directory: ab/cd/<sha256>, each written whole or not at all."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where the blobs lie; read each time, because tests move the home."""
        return self._folder or Path(settings.LIKENESS_HOME) / "blobs"

    def put(self, stream: BinaryIO) -> str:
        """Store what the stream has left and give its SHA-256; the same bytes are stored once.

        Raises:
            BlobWriteError: the disk did not take it; nothing of it is kept.
        """
        incoming = self.folder / ".incoming"
        fresh = incoming / secrets.token_hex(16)
        try:
            incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
            sha256 = _copy(stream, fresh)
            final = self.path(sha256)
            final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh.replace(final)
            _sync_folder(final.parent)
        except OSError as error:
            raise BlobWriteError(f"A blob could not be written: {error.strerror or error}.") from error
        finally:
            fresh.unlink(missing_ok=True)
        return sha256

    def open(self, sha256: str, start: int = 0, end: int | None = None) -> BinaryIO:
        """Open a blob for reading, or its bytes from ``start`` up to, not with, ``end``.

        Raises:
            BlobMissingError: no blob of that hash.
        """
        try:
            file = self.path(sha256).open("rb")
        except FileNotFoundError:
            raise BlobMissingError(f"There is no blob {sha256}.") from None
        if not start and end is None:
            return file
        size = os.fstat(file.fileno()).st_size
        window = _Window(file, start=start, end=size if end is None else min(end, size))
        return cast(BinaryIO, io.BufferedReader(window))

    def path(self, sha256: str) -> Path:
        """Give the file of a blob, whether it exists or not.

        Raises:
            BlobNameError: no SHA-256 in lower-case hexadecimal.
        """
        if not _NAME.fullmatch(sha256):
            raise BlobNameError(f"{sha256!r} is not the name of a blob.")
        return self.folder / sha256[:2] / sha256[2:4] / sha256

    def size(self, sha256: str) -> int:
        """Give the blob's length in bytes.

        Raises:
            BlobMissingError: no blob of that hash.
        """
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            raise BlobMissingError(f"There is no blob {sha256}.") from None

    def exists(self, sha256: str) -> bool:
        """Say whether there is a blob of that hash."""
        return self.path(sha256).is_file()

    def delete(self, sha256: str) -> None:
        """Delete a blob; one that is gone is fine."""
        self.path(sha256).unlink(missing_ok=True)


def _copy(stream: BinaryIO, to: Path) -> str:
    digest = hashlib.sha256()
    handle = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Window(io.RawIOBase):
    """A stretch of a file that reads like a file of its own."""

    def __init__(self, file: BinaryIO, *, start: int, end: int) -> None:
        self._file = file
        self._left = max(0, end - start)
        file.seek(start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        view = memoryview(buffer)[: self._left]
        count = self._file.readinto(view)  # type: ignore[attr-defined]  # every binary file has it
        self._left -= count
        return int(count)

    def close(self) -> None:
        self._file.close()
        super().close()
