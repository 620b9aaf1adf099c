"""Uploaded files as streams and as paths."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile


@contextmanager
def opened(upload: UploadedFile[Any]) -> Iterator[BinaryIO]:
    """The upload from its first byte."""
    upload.open("rb")
    upload.seek(0)
    yield upload.file  # type: ignore[misc]  # an opened binary file


@contextmanager
def on_disk(upload: UploadedFile[Any]) -> Iterator[Path]:
    """A file that holds the upload for as long as the block runs; small uploads are written first."""
    if isinstance(upload, TemporaryUploadedFile):
        yield Path(upload.temporary_file_path())
        return
    handle, name = tempfile.mkstemp(prefix="lookup-")
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            for block in upload.chunks():
                out.write(block)
        yield path
    finally:
        path.unlink(missing_ok=True)
