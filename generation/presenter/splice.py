"""Frames of a delivered video as a chunk of another: the encoded packets themselves, nothing is encoded anew.

The frames must begin at a key frame of a closed group and end before another one, or with the video.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.packet import Packet
from av.video.stream import VideoStream

from generation.engine.media.encode import START_TAG, TIME_BASE_TAG, part_of
from generation.presenter.errors import SpliceError


def take(video: Path, out: Path, *, first: int, frames: int, start: int, fps: int) -> None:
    """Write frames ``first`` to ``first + frames`` of ``video`` as a chunk that starts at frame ``start``.

    Raises:
        SpliceError: the frames are not there, or cannot be cut out without encoding.
    """
    part = part_of(out)
    try:
        _write(video, part, first=first, frames=frames, start=start, fps=fps)
        os.replace(part, out)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SpliceError(f"The earlier video cannot be read: {error}.") from error
    finally:
        part.unlink(missing_ok=True)


def _write(video: Path, part: Path, *, first: int, frames: int, start: int, fps: int) -> None:
    step = Fraction(1, fps)
    covered = Path(part.stem).suffix == ".webm"
    form, options = ("webm", {}) if covered else ("mp4", {"movflags": "use_metadata_tags"})
    with (
        av.open(str(video)) as earlier,
        av.open(str(part), "w", format=form, options=options) as chunk,
    ):
        source = earlier.streams.video[0]
        target = chunk.add_stream_from_template(source, opaque=True)
        if covered:
            target.metadata["alpha_mode"] = "1"
        chunk.metadata.update({START_TAG: str(start), TIME_BASE_TAG: str(step)})
        seen: list[int] = []
        for number, packet in _between(source, earlier, first, first + frames, step):
            if not seen and not packet.is_keyframe:
                raise SpliceError(f"Frame {first} of the earlier video is no key frame.")
            seen.append(number)
            ticks = Fraction(packet.time_base)
            packet.pts = round((number - first) * step / ticks)
            packet.dts = round(Fraction(packet.dts or 0) - first * step / ticks)
            packet.stream = target
            chunk.mux(packet)
    if sorted(seen) != list(range(first, first + frames)):
        raise SpliceError(f"Of {frames} frames from {first} on, the earlier video has {len(seen)}.")


def _between(
    source: VideoStream, earlier: av.container.InputContainer, first: int, end: int, step: Fraction
) -> Iterator[tuple[int, Packet[VideoStream]]]:
    """Number and packet of these frames, in stored order."""
    ticks = source.time_base or Fraction(1)
    begin = source.start_time or 0
    earlier.seek(begin + round(first * step / ticks), stream=source)
    for packet in earlier.demux(source):
        if packet.pts is None or not packet.size:
            continue
        number = round((packet.pts - begin) * ticks / step)
        if packet.is_keyframe and number >= end:
            return
        if number >= first:
            yield number, packet
