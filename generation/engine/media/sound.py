"""The original's sound for the output: its own packets, or AAC (in WebM: Opus) where they must change.

They change where the container does not carry their codec, and where a filter has something to add to the
sound. A filter hears the whole sound once before it changes any of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, TypeVar, cast

import av
import av.container
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet

from generation.engine.errors import UnsupportedMediaError
from generation.engine.media.opening import open_media

CARRIED = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"})  # what players take in MP4
MOV_LACKS = frozenset({"opus", "flac"})
WEBM_TAKES = frozenset({"opus", "vorbis"})
OTHER_RATE = 48_000
BITS_PER_CHANNEL = 96_000
GAP_S = 0.01  # Matroska rounds times to 1 ms; what is missing beyond this is silence
GAP_MAX_S = 3600  # a file cannot ask for more silence than this
T = TypeVar("T")
Pcm = npt.NDArray[np.float32]
"""(n, channels) float32, full scale 1, every value finite."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """FFmpeg's encoder, its form of samples, how many make a frame, and the rates that stay as they are."""

    name: str
    sample: str
    frame: int
    rates: frozenset[int]
    options: tuple[tuple[str, str], ...] = ()


AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})
# Of marked speech 42 dB are left, 23 by the default coder, and the sound mark is read at z 30 instead of 27,
# for half the work and 6 % more octets.
AAC = Encoding("aac", "fltp", 1024, AAC_RATES, (("aac_coder", "fast"),))
OPUS = Encoding("libopus", "flt", 960, frozenset({48_000}))


class SoundFilter(Protocol):
    """Adds something to the sound of an output without making it longer or shorter."""

    def measure(self, blocks: Iterator[Pcm], *, rate_hz: int, channels: int) -> bool:
        """Hear the whole sound; False: nothing will be added, the sound may stay as it is."""

    def apply(self, blocks: Iterator[Pcm]) -> Iterator[Pcm]:
        """The same sound with what is added, as many samples as came in."""


class Sound:
    """One sound stream of an original on its way into an output; a ``with`` block bounds the open file."""

    def __init__(self, path: Path, container: str) -> None:
        self._path, self._container = path, container
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
        self,
        output: av.container.OutputContainer,
        *,
        earlier_s: Fraction,
        sound_filter: SoundFilter | None = None,
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
        coder, carried = _taken_by(output.format.name)
        rate = source.rate if source.rate in coder.rates else OTHER_RATE
        channels = 1 if source.channels == 1 else 2
        filtered = sound_filter is not None and self._measured(sound_filter, rate, channels)
        if not filtered and source.codec_context.codec.canonical_name in carried:
            copied = self._copied(source, output.add_stream_from_template(source))
            return _moved(_even(copied, source), earlier_s)
        target = cast(AudioStream, output.add_stream(coder.name, rate=rate))
        target.layout = _layout(channels)
        target.bit_rate = BITS_PER_CHANNEL * channels
        target.codec_context.options = dict(coder.options)
        decoded = Decoded(self._opened, source, rate_hz=rate, channels=channels)
        blocks = decoded.blocks()
        if sound_filter is not None and filtered:
            blocks = sound_filter.apply(blocks)
        return _moved(_encoded(blocks, decoded, target, coder), earlier_s)

    def _measured(self, sound_filter: SoundFilter, rate: int, channels: int) -> bool:
        """Let the filter hear the sound from a second look at the file."""
        with open_media(self._path, self._container) as opened:
            decoded = Decoded(opened, opened.streams.audio[0], rate_hz=rate, channels=channels)
            return sound_filter.measure(decoded.blocks(), rate_hz=rate, channels=channels)

    def _copied(self, source: AudioStream, target: AudioStream) -> Iterator[Packet[AudioStream]]:
        for packet in _read(self._opened.demux(source)):
            if packet.dts is not None and packet.pts is not None:
                packet.stream = target
                yield packet


class Decoded:
    """The samples of one stream without holes: what the times of the file leave out is silence."""

    def __init__(
        self, opened: av.container.InputContainer, source: AudioStream, *, rate_hz: int, channels: int
    ) -> None:
        self._opened, self._source = opened, source
        self.rate_hz, self.channels = rate_hz, channels
        self.first = 0
        """Time of the first sample in samples; known once a block was given."""

    def blocks(self) -> Iterator[Pcm]:
        """All samples in order.

        Raises:
            UnsupportedMediaError: the sound cannot be decoded here, or its times make no sense.
        """
        due: int | None = None
        for frame in self._frames():
            pcm = _pcm(frame)
            at = self._time_of(frame, otherwise=due or 0)
            if due is None:
                due = self.first = at
            missing = at - due if abs(at - due) > GAP_S * self.rate_hz else 0
            if missing > GAP_MAX_S * self.rate_hz:
                raise UnsupportedMediaError(f"The sound has a hole of {missing // self.rate_hz} s.")
            for start in range(0, missing, self.rate_hz):
                yield np.zeros((min(self.rate_hz, missing - start), self.channels), np.float32)
            pcm = pcm[max(0, -missing) :]
            due += max(0, missing) + len(pcm)
            if len(pcm):
                yield pcm

    def _time_of(self, frame: AudioFrame, *, otherwise: int) -> int:
        if frame.pts is None or frame.time_base is None:
            return otherwise
        return round(frame.pts * frame.time_base * self.rate_hz)

    def _frames(self) -> Iterator[AudioFrame]:
        resampler = av.AudioResampler("flt", _layout(self.channels), self.rate_hz)
        for frame in _read(self._opened.decode(self._source)):
            yield from resampler.resample(frame)
        yield from resampler.resample(None)


def _taken_by(container: str) -> tuple[Encoding, frozenset[str]]:
    """How sound is encoded for a container, and the codecs that go into it as they are."""
    if container == "webm":
        return OPUS, WEBM_TAKES
    return AAC, CARRIED - MOV_LACKS if container == "mov" else CARRIED


def _encoded(
    blocks: Iterator[Pcm], decoded: Decoded, target: AudioStream, coder: Encoding
) -> Iterator[Packet[AudioStream]]:
    """Packets, whose first sample has the time of the first sample that was decoded."""
    planar = av.AudioResampler(coder.sample, target.layout, decoded.rate_hz, frame_size=coder.frame)
    given = 0
    for pcm in blocks:
        if not len(pcm):
            continue  # a filter may hold back what it was given
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(pcm).reshape(1, -1), "flt", target.layout.name)
        frame.sample_rate, frame.time_base = decoded.rate_hz, Fraction(1, decoded.rate_hz)
        frame.pts = decoded.first + given
        given += len(pcm)
        for part in planar.resample(frame):
            yield from target.encode(part)
    for part in planar.resample(None):
        yield from target.encode(part)
    yield from target.encode(None)


def _layout(channels: int) -> str:
    return "mono" if channels == 1 else "stereo"


def _pcm(frame: AudioFrame) -> Pcm:
    """(n, channels) of an interleaved frame; what is no number is silence."""
    samples = frame.to_ndarray().reshape(-1, frame.layout.nb_channels)
    return np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)


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
