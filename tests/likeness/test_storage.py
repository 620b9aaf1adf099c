from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from pathlib import Path

import pytest
from django.core.files.storage import storages

from likeness.errors import BlobMissingError, BlobNameError, BlobWriteError
from likeness.storage import LocalBlobs

CONTENT = bytes(range(256)) * 5000  # more than one chunk
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def files(blobs: LocalBlobs) -> list[Path]:
    return [path for path in blobs.folder.rglob("*") if path.is_file()]


def test_a_blob_is_named_by_its_hash(blobs):
    assert blobs.put(io.BytesIO(CONTENT)) == SHA256
    assert blobs.path(SHA256).read_bytes() == CONTENT
    assert blobs.path(SHA256).parts[-3:] == (SHA256[:2], SHA256[2:4], SHA256)
    assert blobs.size(SHA256) == len(CONTENT)


def test_the_same_bytes_are_stored_once(blobs):
    blobs.put(io.BytesIO(CONTENT))
    blobs.put(io.BytesIO(CONTENT))
    assert len(files(blobs)) == 1


def test_blobs_and_folders_are_private(blobs):
    blobs.put(io.BytesIO(b"x"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(blobs)} == {0o600}
    leaf = files(blobs)[0].parent
    assert stat.S_IMODE(leaf.stat().st_mode) & 0o077 in (0, 0o055)


def test_an_empty_stream_is_a_blob_too(blobs):
    sha256 = blobs.put(io.BytesIO(b""))
    assert sha256 == hashlib.sha256(b"").hexdigest()
    assert blobs.size(sha256) == 0


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, None), (0, 10), (10, None), (5, 6), (5, 5), (6, 5), (1_279_990, 9_999_999), (9_999_999, None)],
)
def test_a_range_reads_what_a_slice_would(blobs, start, end):
    blobs.put(io.BytesIO(CONTENT))
    with blobs.open(SHA256, start, end) as file:
        assert file.read() == CONTENT[start:end]


def test_a_range_reads_in_small_steps(blobs):
    blobs.put(io.BytesIO(CONTENT))
    with blobs.open(SHA256, 100, 110) as file:
        assert [file.read(4) for _ in range(4)] == [CONTENT[100:104], CONTENT[104:108], CONTENT[108:110], b""]


@pytest.mark.parametrize(
    "name", ["", "x" * 64, SHA256.upper(), SHA256[:-1], SHA256 + "\n", "../../../etc/passwd"]
)
def test_a_name_that_is_no_hash_is_refused(blobs, name):
    with pytest.raises(BlobNameError):
        blobs.path(name)


def test_a_missing_blob_says_so(blobs):
    assert not blobs.exists(SHA256)
    with pytest.raises(BlobMissingError):
        blobs.open(SHA256)
    with pytest.raises(BlobMissingError):
        blobs.size(SHA256)


def test_deleting_twice_is_fine(blobs):
    blobs.put(io.BytesIO(CONTENT))
    blobs.delete(SHA256)
    blobs.delete(SHA256)
    assert not blobs.exists(SHA256)


class Broken(io.RawIOBase):
    def __init__(self, number: int) -> None:
        self.number = number
        self.given = False

    def read(self, _size: int = -1) -> bytes:
        if self.given:
            raise OSError(self.number, os.strerror(self.number))
        self.given = True
        return b"half"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failed_write_leaves_nothing(blobs, number):
    with pytest.raises(BlobWriteError, match=os.strerror(number)):
        blobs.put(Broken(number))
    assert not files(blobs)


def test_a_stream_that_breaks_leaves_nothing(blobs):
    class Gone(io.RawIOBase):
        def read(self, _size: int = -1) -> bytes:
            raise RuntimeError("the client went away")

    with pytest.raises(RuntimeError):
        blobs.put(Gone())
    assert not files(blobs)


def test_django_knows_the_storage_by_its_alias(home):
    sha256 = storages["blobs"].put(io.BytesIO(b"x"))
    assert storages["blobs"].path(sha256).is_relative_to(home / "blobs")
