"""Decodes a recording to its end, in the guarded child, and measures what it takes to refuse one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import av
import av.container
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream

from generation.engine.errors import TooLargeError, UnreadableMediaError, UnsupportedMediaError
from generation.engine.media.sounds import CHANNELS_MAX, DEMUXERS, RATE_MIN_HZ, SoundInfo, SoundLimits

FULL_SCALE = 32_700
CLIPPED_MAX = 0.001
SILENT_DB = -35.0
"""RMS of the loud tenth: below it nothing was recorded but the room."""
WINDOW_S = 0.1
SHORTEST_S = 0.5
CUT_OFF_S = 0.25
"""By how much a file may be shorter than it says: the last frame of a codec is padded."""


def scan_sound(path: Path, kind: str, limits: SoundLimits) -> SoundInfo:
    """What the file holds, once all of it was decoded.

    Raises:
        UnreadableMediaError: cut off, damaged, silent, clipped, or too short to be speech.
        TooLargeError: longer than is taken.
        UnsupportedMediaError: pictures in it, more than two channels, another codec, or telephone quality.
    """
    options = {"protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path.absolute()}", "r", format=DEMUXERS[kind], options=options) as opened:
            stream = _stream(opened, kind)
            return _heard(path, kind, opened, stream, limits)
    except (av.FFmpegError, OSError, ValueError) as error:
        why = str(getattr(error, "strerror", None) or error).rstrip(".")
        raise UnreadableMediaError(f"The recording cannot be read: {why[:120]}.") from error


def _stream(opened: av.container.InputContainer, kind: str) -> AudioStream:
    if any("attached_pic" not in str(each.disposition) for each in opened.streams.video):
        raise UnsupportedMediaError("A recording has no pictures; upload a clip as footage.")
    if (count := len(opened.streams.audio)) != 1:
        raise UnsupportedMediaError(f"A recording has one sound stream; this has {count}.")
    stream = opened.streams.audio[0]
    if cast(Any, stream.codec_context) is None:
        raise UnsupportedMediaError("The recording's codec is not known here.")
    codec = stream.codec_context.codec.canonical_name
    if kind == "opus" and codec != "opus":
        raise UnsupportedMediaError(f"An Ogg file holds Opus here, not {codec[:20]}.")
    if stream.channels > CHANNELS_MAX:
        raise UnsupportedMediaError(f"A recording is mono or stereo; this has {stream.channels} channels.")
    if stream.rate < RATE_MIN_HZ:
        raise UnsupportedMediaError(
            f"The recording has {stream.rate} samples a second; speech needs {RATE_MIN_HZ} or more."
        )
    return stream


def _heard(
    path: Path, kind: str, opened: av.container.InputContainer, stream: AudioStream, limits: SoundLimits
) -> SoundInfo:
    rate, channels = stream.rate, stream.channels
    announced = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
    resampler = av.AudioResampler(format="s16", layout="mono" if channels == 1 else "stereo", rate=rate)
    samples = clipped = 0
    powers: list[npt.NDArray[np.float64]] = []
    left: npt.NDArray[np.int16] = np.zeros((0, channels), np.int16)
    for frame in opened.decode(stream):
        for block in resampler.resample(frame):
            pcm = block.to_ndarray().reshape(-1, channels)
            samples += len(pcm)
            clipped += int(np.count_nonzero((pcm >= FULL_SCALE) | (pcm <= -FULL_SCALE)))
            left = np.concatenate([left, pcm])
            power, left = _windows(left, round(rate * WINDOW_S))
            powers.append(power)
        if samples > limits.duration_s * rate:
            raise TooLargeError(
                "The recording's length in seconds", value=samples / rate, limit=limits.duration_s
            )
    length_s = samples / rate
    if length_s < max(SHORTEST_S, announced - CUT_OFF_S):
        raise UnreadableMediaError(f"The recording ends after {length_s:.1f} s: cut off, or nothing is said.")
    level_db = _level_db(np.concatenate(powers)) if powers else -100.0
    if level_db < SILENT_DB:
        raise UnreadableMediaError(f"The recording is silent: {level_db:.0f} dB.")
    share = clipped / (samples * channels)
    if share > CLIPPED_MAX:
        raise UnreadableMediaError(f"The recording is clipped: {share:.1%} of it is at full scale.")
    return SoundInfo(
        container=kind,
        size_bytes=path.stat().st_size,
        codec=stream.codec_context.codec.canonical_name,
        rate_hz=rate,
        channels=channels,
        duration_s=length_s,
        level_db=round(level_db, 1),
        clipped=round(share, 6),
    )


def _windows(pcm: npt.NDArray[np.int16], size: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int16]]:
    """Mean power of each whole window, and the samples behind the last."""
    count = len(pcm) // size
    whole = pcm[: count * size].astype(np.float32) / 32768
    power = np.square(whole).reshape(count, -1).mean(axis=1, dtype=np.float64) if count else np.zeros(0)
    return power, pcm[count * size :]


def _level_db(power: npt.NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.percentile(power, 90) + 1e-10)) if len(power) else -100.0
