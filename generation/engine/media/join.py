"""One output from its chunks: the picture by stream copy, the sound of the original once, the metadata.

- The chunks must come from ``encode`` with equal parameters; their true times are in their tags.
- Decoding times are made anew over the whole file, so that they rise across the seams of variable rates.
- The output starts at zero where the original started later; picture and sound keep their distance.
- The result is read back: all frames, sound where the original had sound, every tag octet for octet.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.container
from av.packet import Packet
from av.video.stream import VideoStream

from generation.engine.errors import EncodeError, MediaError
from generation.engine.media import boxes
from generation.engine.media.alpha import MODE_TAG, covered, declares_cover
from generation.engine.media.encode import START_TAG, TIME_BASE_TAG, part_of
from generation.engine.media.info import STILL_CONTAINERS, MediaLimits
from generation.engine.media.opening import open_media
from generation.engine.media.sound import Sound, SoundFilter
from generation.engine.media.tags import read_mp4_tags, read_png_tags, with_png_tags

OURS = MediaLimits(bytes=1 << 62, duration_s=float("inf"))  # the original passed the limits at its probe
OPTIONS = {"movflags": "use_metadata_tags+faststart", "fflags": "+bitexact"}
WEBM_OPTIONS = {"cues_to_front": "1", "fflags": "+bitexact"}
MUXERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""How an output of this name is written."""
CHUNKS = {"mp4": ("mp4", "mov", "matroska"), "matroska": ("webm",)}
"""What the chunks of a container are joined into: H.264 from MP4, VP9 with its cover from WebM."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of all packets of all chunks in stored order, in ``time_base``."""

    time_base: Fraction
    pts: tuple[int, ...]
    dts: tuple[int, ...]

    @property
    def start_s(self) -> Fraction:
        """When the picture starts."""
        return min(self.pts) * self.time_base

    def earlier(self, by_s: Fraction) -> Timing:
        """The same, moved."""
        by = round(by_s / self.time_base)
        return Timing(self.time_base, tuple(t - by for t in self.pts), tuple(t - by for t in self.dts))


def join(
    chunks: Sequence[Path],
    *,
    audio_from: Path | None,
    out: Path,
    metadata: Mapping[str, str],
    sound_filter: SoundFilter | None = None,
) -> None:
    """Write ``out`` from the chunks in order; ``audio_from`` None drops the sound.

    The suffix of ``out`` says which container a clip gets; a picture is always PNG. ``sound_filter`` may add
    to the sound, which is then encoded once more.

    Raises:
        EncodeError: no or unequal chunks, a failing disk, or a result that lacks frames, sound or tags.
        UnsupportedMediaError: the original's sound cannot be decoded.
    """
    if not chunks:
        raise EncodeError("There are no chunks to join.")
    part = part_of(out)
    still = boxes.sniff(chunks[0], OURS) in STILL_CONTAINERS
    try:
        if still:
            _write_still(chunks, part, metadata)
        else:
            _write_video(chunks, audio_from, part, metadata, sound_filter)
        os.replace(part, out)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error).rstrip(".")
        raise EncodeError(f"The output cannot be written: {reason}.") from error
    finally:
        part.unlink(missing_ok=True)


def _write_still(chunks: Sequence[Path], part: Path, metadata: Mapping[str, str]) -> None:
    if len(chunks) != 1:
        raise EncodeError("A picture has one chunk.")
    part.write_bytes(with_png_tags(chunks[0].read_bytes(), metadata))
    _check_tags(read_png_tags(part), metadata)


def _write_video(
    chunks: Sequence[Path],
    audio_from: Path | None,
    part: Path,
    metadata: Mapping[str, str],
    sound_filter: SoundFilter | None,
) -> None:
    if any(_muxer(part) not in CHUNKS.get(_kind(path), ()) for path in chunks):
        raise EncodeError(f"A {_muxer(part)} file does not hold the picture of these chunks.")
    timing = _timing(chunks)
    if audio_from is None or boxes.sniff(audio_from, OURS) in STILL_CONTAINERS:
        _mux(chunks, timing, None, part, metadata, None)
        _read_back(part, frames=len(timing.pts), sound=False, metadata=metadata)
        return
    with Sound(audio_from, boxes.sniff(audio_from, OURS)) as sound:
        _mux(chunks, timing, sound, part, metadata, sound_filter)
        _read_back(part, frames=len(timing.pts), sound=sound.present, metadata=metadata)


def _mux(
    chunks: Sequence[Path],
    timing: Timing,
    sound: Sound | None,
    part: Path,
    metadata: Mapping[str, str],
    sound_filter: SoundFilter | None,
) -> None:
    muxer = _muxer(part)
    options = WEBM_OPTIONS if muxer == "webm" else OPTIONS
    with av.open(str(part), "w", format=muxer, options=options) as output:
        with open_media(chunks[0], _kind(chunks[0])) as first:
            picture = output.add_stream_from_template(first.streams.video[0], opaque=True)
        if muxer == "webm":
            picture.metadata[MODE_TAG] = "1"
        output.metadata.update(metadata)
        starts = [timing.start_s, sound.start_s if sound else None]
        earlier_s = max(Fraction(0), min(s for s in starts if s is not None))
        streams: list[Iterator[tuple[Fraction, Any]]] = [
            _pictures(chunks, timing.earlier(earlier_s), picture)
        ]
        if sound is not None:
            streams.append(sound.packets(output, earlier_s=earlier_s, sound_filter=sound_filter))
        for _, packet in heapq.merge(*streams, key=lambda item: item[0]):
            output.mux(packet)


def _muxer(part: Path) -> str:
    suffix = Path(part.stem).suffix
    if suffix not in MUXERS:
        raise EncodeError(f"No clip is written as {suffix or 'a file without a suffix'}.")
    return MUXERS[suffix]


def _pictures(
    chunks: Sequence[Path], timing: Timing, target: VideoStream
) -> Iterator[tuple[Fraction, Packet[VideoStream]]]:
    """Seconds and packet of every chunk's picture, with the times of the whole file."""
    at = 0
    for path in chunks:
        with open_media(path, _kind(path)) as opened:
            for packet in _packets(opened):
                if at + 1 < len(timing.dts):
                    packet.duration = timing.dts[at + 1] - timing.dts[at]
                else:
                    packet.duration = round((packet.duration or 0) * packet.time_base / timing.time_base)
                packet.time_base = timing.time_base
                packet.pts, packet.dts = timing.pts[at], timing.dts[at]
                packet.stream = target
                yield packet.dts * timing.time_base, packet
                at += 1


def _timing(chunks: Sequence[Path]) -> Timing:
    """Presentation times from the chunks; decoding times as the same times in order, shifted by the delay."""
    time_base, pts = Fraction(0), []
    extradata: bytes | None = None
    for path in chunks:
        with open_media(path, _kind(path)) as opened:
            start, base = _start(opened)
            stream = opened.streams.video[0]
            parameters = stream.codec_context.extradata
            if time_base and (base != time_base or parameters != extradata):
                raise EncodeError("The chunks were not encoded with the same parameters.")
            time_base, extradata = base, parameters
            for packet in _packets(opened):
                if packet.pts is None:
                    raise EncodeError("A chunk's packet has no time.")
                pts.append(start + round(packet.pts * packet.time_base / base))
    shown = sorted(pts)
    if len(set(shown)) != len(shown):
        raise EncodeError("The chunks overlap in time.")
    rank = {time: at for at, time in enumerate(shown)}
    delay = max(at - rank[time] for at, time in enumerate(pts))
    step = shown[1] - shown[0] if len(shown) > 1 else 1
    early = [shown[0] - step * (delay - at) for at in range(delay)]
    return Timing(time_base, tuple(pts), tuple(early + shown[: len(shown) - delay]))


def _kind(chunk: Path) -> str:
    return boxes.sniff(chunk, OURS)


def _start(opened: av.container.InputContainer) -> tuple[int, Fraction]:
    tags = {key.lower(): text for key, text in opened.metadata.items()}  # WebM writes them in capitals
    try:
        return int(tags[START_TAG]), Fraction(tags[TIME_BASE_TAG])
    except (KeyError, ValueError) as error:
        raise EncodeError(
            "A chunk lacks the tag with its start; it was not written by this engine."
        ) from error


def _packets(opened: av.container.InputContainer) -> Iterator[Packet[VideoStream]]:
    return (packet for packet in opened.demux(opened.streams.video[0]) if packet.size)


def _read_back(part: Path, *, frames: int, sound: bool, metadata: Mapping[str, str]) -> None:
    """What was written must be there when the file is read again."""
    counts, covers = {"video": 0, "audio": 0}, 0
    container = "matroska" if _muxer(part) in ("matroska", "webm") else "mp4"
    try:
        boxes.check_container(part, container, OURS)
        with open_media(part, container) as opened:
            for packet in opened.demux(video=0, audio=0) if sound else opened.demux(video=0):
                counts[packet.stream.type] += packet.size > 0
                covers += packet.stream.type == "video" and covered(packet)
            marked = declares_cover(opened.streams.video[0])
            found = dict(opened.metadata) if container == "matroska" else read_mp4_tags(part)
    except (MediaError, IndexError) as error:
        raise EncodeError(f"The output does not read back: {error}") from error
    if counts["video"] != frames:
        raise EncodeError(f"The output has {counts['video']} frames instead of {frames}.")
    if _muxer(part) == "webm" and not (marked and covers == frames):
        raise EncodeError(f"The output has a cover for {covers} of its {frames} frames.")
    if sound and not counts["audio"]:
        raise EncodeError("The original has sound, the output has none.")
    _check_tags(found, metadata)


def _check_tags(found: Mapping[str, str], metadata: Mapping[str, str]) -> None:
    for key, text in metadata.items():
        if found.get(key) != text:
            raise EncodeError(f"The output's tag {key} did not read back.")
