"""Files for the browser: attachments, ranges for a player, pictures; never sniffed, never cached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

BLOCK_BYTES = 256 * 1024
SUFFIXES = {
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/x-matroska": ".mkv",
    "video/webm": ".webm",
    "image/png": ".png",
    "image/jpeg": ".jpg",
}
"""Kinds that the portal hands out; anything else goes out as plain bytes."""
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def attachment(path: Path, *, content_type: str, name: str) -> HttpResponseBase:
    """The whole file, to be saved."""
    kind = _safe(content_type)
    response = FileResponse(path.open("rb"), as_attachment=True, filename=name + SUFFIXES.get(kind, ".bin"))
    response["Content-Type"] = kind
    return _private(response)


def inline(path: Path, *, content_type: str, wanted: str = "") -> HttpResponseBase:
    """The file or the range of it that ``wanted``, the Range header, names (RFC 9110, 14.2)."""
    size = path.stat().st_size
    span = _span(wanted, size)
    response: HttpResponseBase
    if span is None:
        response = FileResponse(path.open("rb"), content_type=_safe(content_type))
    elif span[0] >= size:
        response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    else:
        response = _part(path, *span, size=size, content_type=_safe(content_type))
    response["Accept-Ranges"] = "bytes"
    return _private(response)


def picture(data: bytes, *, content_type: str) -> HttpResponseBase:
    """A picture that lies in memory."""
    return _private(HttpResponse(data, content_type=_safe(content_type)))


def _part(path: Path, first: int, last: int, *, size: int, content_type: str) -> HttpResponseBase:
    stream = path.open("rb")
    stream.seek(first)
    response = StreamingHttpResponse(_blocks(stream, last - first + 1), status=206, content_type=content_type)
    response["Content-Range"] = f"bytes {first}-{last}/{size}"
    response["Content-Length"] = str(last - first + 1)
    return response


def _span(wanted: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a single range; None when there is none or it is not understood."""
    match = _RANGE.fullmatch(wanted.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size - 1
    end = min(int(last), size - 1) if last else size - 1
    return (int(first), end) if int(first) <= end or int(first) >= size else None


def _blocks(stream: BinaryIO, left: int) -> Iterator[bytes]:
    with stream:
        while left > 0:
            block = stream.read(min(BLOCK_BYTES, left))
            if not block:
                return
            left -= len(block)
            yield block


def _safe(content_type: str) -> str:
    return content_type if content_type in SUFFIXES else "application/octet-stream"


def _private(response: HttpResponseBase) -> HttpResponseBase:
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
