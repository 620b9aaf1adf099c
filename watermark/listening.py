"""The sound of a file, mixed to mono at one rate, piece by piece: bounded memory, one file, no network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt

from watermark.errors import UnreadableError, UnsupportedSoundError

PIECE_S = 0.5
RATES_HZ = range(4_000, 768_001)  # others are no sound, and a rate of 1 Hz would fill the memory
CHANNELS_MAX = 64
FOREVER_S = 100 * 3600.0
LOUDEST = 4.0  # 12 dB over full scale; what is beyond is no sound, and its square must stay finite
# No playlists and no network: a file can name other files only in formats that are not listed here.
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,webm,avi,mpegts,mpeg,flv,ogg,wav,w64,mp3,flac,aac,aiff,caf,amr",
}


def listen(path: Path, *, rate_hz: int, seconds_limit: float) -> Iterator[npt.NDArray[np.float32]]:
    """(n,) float32 of at least ``PIECE_S`` (the last may be shorter); nothing when the file has no sound.

    Raises:
        UnreadableError: it cannot be opened.
        UnsupportedSoundError: its sound, or what follows of it, cannot be decoded.
    """
    left, held, count = int(min(seconds_limit, FOREVER_S) * rate_hz), [], 0
    for part in _decoded(path, rate_hz):
        held.append(part[:left])
        count += len(held[-1])
        left -= len(held[-1])
        if count >= PIECE_S * rate_hz or not left:
            yield np.concatenate(held)
            held, count = [], 0
        if not left:
            return
    if count:
        yield np.concatenate(held)


def _decoded(path: Path, rate_hz: int) -> Iterator[npt.NDArray[np.float32]]:
    with _opened(path) as container:
        if not container.streams.audio:
            return
        stream = container.streams.audio[0]
        context = stream.codec_context
        if context is None or context.sample_rate not in RATES_HZ or context.channels > CHANNELS_MAX:
            raise UnsupportedSoundError(
                f"The sound of {path.name} has a codec, rate or channels unknown here."
            )
        mono = av.AudioResampler("flt", "mono", rate_hz)
        try:
            for frame in container.decode(stream):
                yield from (_finite(part) for part in mono.resample(frame))
            yield from (_finite(part) for part in mono.resample(None))
        except (av.error.FFmpegError, OSError) as error:
            raise UnsupportedSoundError(
                f"The sound of {path.name} breaks off: {error.strerror or error}."
            ) from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        container = av.open(str(path), options=_OPTIONS, metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise UnreadableError(f"{path.name} cannot be decoded: {error.strerror or error}.") from error
    with container:
        yield container


def _finite(part: Any) -> npt.NDArray[np.float32]:
    found = np.nan_to_num(part.to_ndarray()[0].astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(np.clip(found, -LOUDEST, LOUDEST), np.float32)
