"""Where the files of each kind hold an AIGC label and a content credential.

Written by us: XMP in JPEG and PNG (TC260-PG-20259A); ``moov.udta.meta`` in MP4 and MOV (TC260-PG-20257A); a
tag in Matroska and WebM; a chunk of its own in WAV. Read besides, because other makers use them: XMP in WebP,
TIFF, WAV, AVI and MP4, EXIF UserComment, PNG tEXt, ``LIST INFO``, the free-form key of iTunes.
"""

from __future__ import annotations

import json
from pathlib import Path

from watermark import containers, matroska, mp4, pictures, riff, tiff, xmp
from watermark.containers import Kind

KEY = "AIGC"


def labels(path: Path) -> list[bytes]:
    """Every AIGC label of a file, as it stands there.

    Raises:
        ContainerError: the file is of no known kind, cut off, or malformed.
        AigcLabelError: an XMP packet that holds one cannot be read.
    """
    kind = containers.kind_of(path)
    if kind in containers.BOXES:
        found = mp4.metadata(path)
        packets = [packet for packet in mp4.packets(path) if packet]
        return [value for key, value in found if key == KEY] + _in_packets(packets)
    if kind in containers.EBML:
        return [value for name, value in matroska.tags(path) if name.upper() == KEY]
    if kind in containers.RIFF:
        return _in_riff(riff.metadata(path))
    return picture_labels(containers.load(path), kind)


def picture_labels(data: bytes, kind: Kind) -> list[bytes]:
    """Every AIGC label of a JPEG, PNG or TIFF file in memory.

    Raises:
        ContainerError, AigcLabelError: as ``labels``.
    """
    if kind is Kind.TIFF:
        return in_exif(data)
    if kind is Kind.JPEG:
        packets = [text for _, text in pictures.jpeg_app1(data, pictures.XMP_JPEG_PREFIX)]
        exif = [text for _, text in pictures.jpeg_app1(data, pictures.EXIF_JPEG_PREFIX)]
        return _in_packets(packets) + [text for block in exif for text in in_exif(block)]
    pairs = [pair for part in pictures.png_chunks(data) if (pair := pictures.png_text(data, part))]
    plain = [text for keyword, text in pairs if keyword == KEY.encode()]
    packets = [text for keyword, text in pairs if keyword == pictures.XMP_PNG_KEYWORD]
    exif = pictures.png_payloads(data, b"eXIf")
    return plain + _in_packets(packets) + [text for block in exif for text in in_exif(block)]


def manifest_store(path: Path) -> bytes:
    """The C2PA manifest store inside a file, or nothing.

    Raises:
        ContainerError: the file is cut off, malformed or of another kind.
    """
    kind = containers.kind_of(path)
    if kind in containers.BOXES:
        return mp4.manifest(path)
    if kind in containers.RIFF:
        return riff.manifest(path)
    if kind is Kind.JPEG:
        return pictures.jpeg_manifest(containers.load(path))
    if kind is Kind.PNG:
        return b"".join(pictures.png_payloads(containers.load(path), b"caBX"))
    return b""


def _in_riff(found: list[tuple[bytes, bytes]]) -> list[bytes]:
    plain = [text.rstrip(b"\0") for name, text in found if name == riff.LABEL]
    packets = [text for name, text in found if name in riff.XMP]
    exif = [_bare(text) for name, text in found if name == b"EXIF"]
    return plain + _in_packets(packets) + [text for block in exif for text in in_exif(block)]


def _bare(block: bytes) -> bytes:
    """EXIF in WebP, which some writers begin as JPEG does."""
    return block.removeprefix(pictures.EXIF_JPEG_PREFIX)


def _in_packets(packets: list[bytes]) -> list[bytes]:
    return [text for packet in packets for text in xmp.labels(packet.rstrip(b"\0"))]


def in_exif(block: bytes) -> list[bytes]:
    """Labels in the XMP field of TIFF, and in a UserComment ``{"AIGC": ...}``.

    Raises:
        ContainerError, AigcLabelError: as ``labels``.
    """
    found = []
    for entry in tiff.entries(block):
        if entry.tag == tiff.XMP:
            found += _in_packets([entry.data])
        elif entry.tag == tiff.USER_COMMENT:
            found += _in_comment(entry.data[8:])  # eight octets name the character set
    return found


def _in_comment(text: bytes) -> list[bytes]:
    try:
        value = json.loads(text.rstrip(b"\0 "))
    except (ValueError, RecursionError):
        return []
    if not isinstance(value, dict) or KEY not in value:
        return []
    inner = value[KEY]
    return [(inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False)).encode()]
