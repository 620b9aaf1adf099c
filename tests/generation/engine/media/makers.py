"""Media made in code: clips whose frames carry their own number, and files that are wrong in one way."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

BITS = 8
RATE_HZ = 48_000


def counter(number: int, size: tuple[int, int]) -> np.ndarray:
    """A grey picture with eight fields across, black or white: the number's bits, lowest first."""
    width, height = size
    picture = np.full((height, width, 3), 90, np.uint8)
    for bit in range(BITS):
        a, b = width * bit // BITS, width * (bit + 1) // BITS
        picture[height // 4 : 3 * height // 4, a:b] = 235 if number >> bit & 1 else 20
    return picture


def read_counter(picture: np.ndarray) -> int:
    """The number that ``counter`` drew."""
    height, width = picture.shape[:2]
    middle = picture[height // 2 - 2 : height // 2 + 2].mean(axis=(0, 2))
    return sum((middle[(2 * bit + 1) * width // (2 * BITS)] > 128) << bit for bit in range(BITS))


def make_clip(
    path: Path,
    *,
    frames: int = 30,
    size: tuple[int, int] = (128, 96),
    rate: int = 25,
    pts: list[int] | None = None,
    time_base: Fraction | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    gop: int = 12,
    sound: str | None = None,
    sound_start_s: int = 0,
    turn: tuple[float, bool] | None = None,
    interlaced: bool = False,
    colour: tuple[int, int, int] | None = None,
    picture: Any = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a clip; ``pts`` in ``time_base`` (default one frame), ``turn`` is degrees and mirroring."""
    with av.open(str(path), "w", options=container_options) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.gop_size = gop
        stream.codec_context.time_base = time_base or Fraction(1, rate)
        stream.codec_context.options = dict(options or {})
        if colour:
            (
                stream.codec_context.color_primaries,
                stream.codec_context.color_trc,
                stream.codec_context.colorspace,
            ) = colour
        if turn:
            stream.set_display_rotation(turn[0], hflip=turn[1])
        track = _sound_track(output, sound) if sound else None
        for number in range(frames):
            drawn = (
                counter(number, size)
                if picture is None
                else picture(number)
                if callable(picture)
                else picture
            )
            frame = av.VideoFrame.from_ndarray(drawn, "bgr24")
            frame = frame.reformat(format=pix_fmt, dst_colorspace=5)
            frame.pts = pts[number] if pts else number
            frame.time_base = time_base or Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if track:
            _add_sound(output, track, frames / rate, start=sound_start_s * RATE_HZ)
    return path


def _sound_track(output: Any, codec: str) -> Any:
    track = output.add_stream(codec, rate=RATE_HZ)
    track.layout = "mono"
    return track


def _add_sound(output: Any, track: Any, seconds: float, *, start: int = 0) -> None:
    """A click at the start of every second over silence, so that its time can be read back."""
    samples = np.zeros((1, int(seconds * RATE_HZ)), np.float32)
    for second in range(int(seconds) + 1):
        samples[0, second * RATE_HZ : second * RATE_HZ + 200] = 0.9
    resampler = av.AudioResampler(track.format.name, "mono", RATE_HZ)
    for at in range(0, samples.shape[1], 1024):
        frame = av.AudioFrame.from_ndarray(samples[:, at : at + 1024], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, start + at, Fraction(1, RATE_HZ)
        for part in resampler.resample(frame):
            output.mux(track.encode(part))
    output.mux(track.encode(None))


def make_sound(path: Path) -> Path:
    """A file with sound only."""
    with av.open(str(path), "w") as output:
        _add_sound(output, _sound_track(output, "aac"), 1.0)
    return path


def read_all(path: Path) -> list[tuple[float, np.ndarray]]:
    """Seconds and BGR picture of every frame, by the plain decoder."""
    with av.open(str(path)) as opened:
        return [(float(f.time), f.to_ndarray(format="bgr24")) for f in opened.decode(video=0)]


def clicks(path: Path) -> list[float]:
    """Seconds at which clicks start in the sound."""
    with av.open(str(path)) as opened:
        parts = [(float(f.time), np.abs(f.to_ndarray().astype(np.float64))) for f in opened.decode(audio=0)]
    times: list[float] = []
    for start, samples in parts:
        loud = samples.reshape(samples.shape[0], -1).max(axis=0)
        for at in np.flatnonzero(loud > 0.3 * max(1.0, np.abs(loud).max())):
            time = start + at / RATE_HZ
            if not times or time - times[-1] > 0.5:
                times.append(time)
    return times


def png_bomb(side: int = 30_000) -> bytes:
    """A 1 bit PNG of side x side: some hundred kilobytes on disk, gigabytes as BGR."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    deflate = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    body = b"".join(deflate.compress(row) for _ in range(side)) + deflate.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
