"""Opening a media file with nothing but the file itself: fixed format, no network, bounded frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.container
from av.video.stream import VideoStream

from generation.engine.errors import TooLargeError, UnreadableMediaError, UnsupportedMediaError

DEMUXERS = {"mp4": "mov", "matroska": "matroska"}
CODEC_THREADS = 2


@contextmanager
def open_media(path: Path, container: str) -> Iterator[av.container.InputContainer]:
    """The file, opened as ``container`` and as nothing else; no reference out of the file is followed.

    Raises:
        UnreadableMediaError: it cannot be opened as that.
    """
    options = {"protocol_whitelist": "file", "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"}
    try:
        opened = av.open(
            f"file:{path.absolute()}",
            "r",
            format=DEMUXERS[container],
            options=options,
            metadata_errors="ignore",
        )
    except (av.FFmpegError, OSError) as error:
        raise UnreadableMediaError(f"The file cannot be opened as {container}: {_plain(error)}.") from error
    with opened:
        try:
            yield opened
        except av.FFmpegError as error:
            raise UnreadableMediaError(f"The file cannot be read: {_plain(error)}.") from error


def picture_stream(container: av.container.InputContainer, *, pixels: int) -> VideoStream:
    """The picture stream, set to refuse frames of more than ``pixels``.

    Raises:
        UnreadableMediaError: there is none.
        UnsupportedMediaError: its codec is not known here.
        TooLargeError: its frames are too large.
    """
    streams = [s for s in container.streams.video if not _attached(s)]
    if not streams:
        raise UnreadableMediaError("The file has no picture stream, only sound or data.")
    stream = streams[0]
    context: Any = stream.codec_context
    if context is None:
        raise UnsupportedMediaError("The picture's codec is not known here.")
    if stream.width * stream.height > pixels:
        raise TooLargeError(
            "The number of pixels in a frame", value=stream.width * stream.height, limit=pixels
        )
    if not stream.width or not stream.height:
        raise UnreadableMediaError("The picture has no size.")
    context.options = {"max_pixels": str(pixels)}
    context.thread_type = "AUTO"
    context.thread_count = CODEC_THREADS
    return stream


def _attached(stream: VideoStream) -> bool:
    """True for cover art."""
    return "attached_pic" in str(stream.disposition)


def _plain(error: Exception) -> str:
    """The error's reason without the path."""
    return str(getattr(error, "strerror", None) or error).rstrip(".")
