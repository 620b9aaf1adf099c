"""Kinds of files, told by their first octets, and how each takes our metadata.

A file is hostile until read: the parsers beside this module check every size against the file and against a
limit before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from watermark.errors import ContainerError

PICTURE_MAX = 512 << 20
METADATA_MAX = 1 << 20
"""Octets of one metadata part that are loaded."""

_HEAD = 64
_MOV_STARTS = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip"})  # QuickTime files without ftyp


class Kind(StrEnum):
    """A kind of file that can carry our metadata; the value is its media type."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    TIFF = "image/tiff"
    MP4 = "video/mp4"
    MOV = "video/quicktime"
    MATROSKA = "video/x-matroska"
    WEBM = "video/webm"
    AVI = "video/x-msvideo"
    WAV = "audio/wav"


BOXES = frozenset({Kind.MP4, Kind.MOV})
EBML = frozenset({Kind.MATROSKA, Kind.WEBM})
RIFF = frozenset({Kind.AVI, Kind.WAV, Kind.WEBP})
SIDECAR_ONLY = EBML
"""Kinds that cannot hold a content credential inside: C2PA 2.2 has no embedding for Matroska."""


@dataclass(frozen=True, slots=True)
class Muxing:
    """How a muxer of FFmpeg is opened so that it keeps the AIGC label given as ``metadata["AIGC"]``."""

    format: str
    options: Mapping[str, str] = field(default_factory=dict)


_TAGS = {"movflags": "use_metadata_tags+faststart"}  # without use_metadata_tags the key is dropped silently
_MUXERS = {
    Kind.MP4: Muxing("mp4", _TAGS),
    Kind.MOV: Muxing("mov", _TAGS),
    Kind.MATROSKA: Muxing("matroska"),
    Kind.WEBM: Muxing("webm"),
}
_AFTERWARDS = frozenset({Kind.JPEG, Kind.PNG, Kind.WAV})
"""Kinds whose label our own writer puts into the finished file."""
_SUFFIXES = {
    "jpg": Kind.JPEG,
    "jpeg": Kind.JPEG,
    "png": Kind.PNG,
    "mp4": Kind.MP4,
    "m4v": Kind.MP4,
    "m4a": Kind.MP4,
    "mov": Kind.MOV,
    "mkv": Kind.MATROSKA,
    "webm": Kind.WEBM,
    "wav": Kind.WAV,
}


def output_kind(suffix: str) -> Kind:
    """The kind of an output that is to be named so; asked before any work on it starts.

    Raises:
        ContainerError: a file of that name cannot hold the AIGC label, or is not known here.
    """
    kind = _SUFFIXES.get(suffix.lower().lstrip("."))
    if kind is None:
        known = ", ".join(sorted(_SUFFIXES))
        raise ContainerError(f"A {suffix[:16]!r} file cannot hold the AIGC label here; {known} can.")
    return kind


def muxing(kind: Kind) -> Muxing:
    """How a clip of this kind is muxed with its label.

    Raises:
        ContainerError: this kind is not muxed, or its muxer drops the label.
    """
    if kind not in _MUXERS:
        raise ContainerError(f"No muxer here keeps the AIGC label in {kind}.")
    return _MUXERS[kind]


def takes_label_afterwards(kind: Kind) -> bool:
    """True when the label goes into the finished file, False when the muxer has to write it."""
    return kind in _AFTERWARDS


def kind_of(path: Path) -> Kind:
    """What kind of file this is, by its first octets.

    Raises:
        ContainerError: none that carries our metadata.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise ContainerError(f"{path.name} cannot be opened: {error.strerror}.") from error
    return _kind(head, path.name)


def kind_of_octets(data: bytes) -> Kind:
    """As ``kind_of``, for a file in memory.

    Raises:
        ContainerError: none that carries our metadata.
    """
    return _kind(data[:_HEAD], "The file")


def _kind(head: bytes, name: str) -> Kind:
    if head.startswith(b"\xff\xd8\xff"):
        return Kind.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Kind.PNG
    if head[:4] in (b"II*\0", b"MM\0*"):
        return Kind.TIFF
    if head[4:8] == b"ftyp":
        return Kind.MOV if head[8:12] == b"qt  " else Kind.MP4
    if head[4:8] in _MOV_STARTS:
        return Kind.MOV
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return Kind.WEBM if b"\x42\x82\x84webm" in head else Kind.MATROSKA
    form = {b"WAVE": Kind.WAV, b"AVI ": Kind.AVI, b"WEBP": Kind.WEBP}.get(head[8:12])
    if head.startswith(b"RIFF") and form:
        return form
    raise ContainerError(f"{name} is of no kind that carries our metadata.")


def load(path: Path) -> bytes:
    """The octets of a picture or sound file.

    Raises:
        ContainerError: it is too large.
    """
    size = path.stat().st_size
    if size > PICTURE_MAX:
        raise ContainerError(f"{path.name} has {size} octets: more than is loaded at once.")
    return path.read_bytes()
