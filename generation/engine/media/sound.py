"""The original's sound for the output: its own packets, or AAC where MP4 does not carry its codec."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import av.container
from av.audio.stream import AudioStream
from av.packet import Packet

from generation.engine.errors import UnsupportedMediaError
from generation.engine.media.opening import open_media

CARRIED = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"})  # what players take in MP4
AAC_FRAME = 1024
T = TypeVar("T")


class Sound:
    """One sound stream of an original on its way into an output; a ``with`` block bounds the open file."""

    def __init__(self, path: Path, container: str) -> None:
        self._stack = ExitStack()
        self._opened = self._stack.enter_context(open_media(path, container))
        streams = self._opened.streams.audio
        self._source: AudioStream | None = streams[0] if streams else None

    def __enter__(self) -> Sound:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def present(self) -> bool:
        """True when the original has sound."""
        return self._source is not None

    @property
    def start_s(self) -> Fraction | None:
        """When the sound starts, or None when the file does not say or has none."""
        if self._source is None or self._source.start_time is None or self._source.time_base is None:
            return None
        return self._source.start_time * self._source.time_base

    def packets(
        self, output: av.container.OutputContainer, *, earlier_s: Fraction
    ) -> Iterator[tuple[Fraction, Packet[AudioStream]]]:
        """Adds the stream to ``output`` at once; then gives (seconds, packet) in the order of the file.

        All are moved to ``earlier_s`` before.

        Raises:
            UnsupportedMediaError: the sound cannot be decoded here.
        """
        source = self._source
        if source is None:
            return iter(())
        if source.codec_context is None:
            raise UnsupportedMediaError("The sound's codec is not known here.")
        if source.codec_context.codec.canonical_name in CARRIED:
            copied = self._copied(source, output.add_stream_from_template(source))
            return _moved(_even(copied, source), earlier_s)
        target = output.add_stream("aac", rate=source.rate)
        target.layout = "mono" if source.channels == 1 else "stereo"
        return _moved(self._transcoded(source, target), earlier_s)

    def _copied(self, source: AudioStream, target: AudioStream) -> Iterator[Packet[AudioStream]]:
        for packet in _read(self._opened.demux(source)):
            if packet.dts is not None and packet.pts is not None:
                packet.stream = target
                yield packet

    def _transcoded(self, source: AudioStream, target: AudioStream) -> Iterator[Packet[AudioStream]]:
        resampler = av.AudioResampler("fltp", target.layout, target.rate, frame_size=AAC_FRAME)
        for frame in _read(self._opened.decode(source)):
            for part in resampler.resample(frame):
                yield from target.encode(part)
        for part in resampler.resample(None):
            yield from target.encode(part)
        yield from target.encode(None)


def _read(items: Iterator[T]) -> Iterator[T]:
    """The same; what cannot be read or decoded is the original's fault."""
    try:
        yield from items
    except av.FFmpegError as error:
        raise UnsupportedMediaError("The sound cannot be decoded.") from error


def _even(packets: Iterator[Packet[AudioStream]], source: AudioStream) -> Iterator[Packet[AudioStream]]:
    """Packets of equal length one after the other, where the file rounds their times (Matroska: to 1 ms).

    MP4 would write each rounded step as a length of its own.
    """
    size, rate = source.codec_context.frame_size, source.rate
    coarse = source.time_base or Fraction(0)
    if not size or not rate or coarse <= Fraction(1, rate):
        yield from packets
        return
    following: int | None = None
    for packet in packets:
        at = (packet.pts or 0) * packet.time_base * rate
        if following is None or abs(at - following) > 2 * coarse * rate:
            following = round(at)
        packet.time_base = Fraction(1, rate)
        packet.pts = packet.dts = following
        packet.duration = size
        following += size
        yield packet


def _moved(
    packets: Iterator[Packet[AudioStream]], earlier_s: Fraction
) -> Iterator[tuple[Fraction, Packet[AudioStream]]]:
    """Seconds and packet, moved; the times of one stream stay equally far apart."""
    for packet in packets:
        earlier = round(earlier_s / packet.time_base)
        pts = packet.pts if packet.pts is not None else 0
        dts = packet.dts if packet.dts is not None else pts
        packet.pts, packet.dts = pts - earlier, dts - earlier
        yield packet.dts * packet.time_base, packet
