"""A recording of a person as the speech: where each phone and word of the script is in it.

eSpeak NG says the script too; its sound is warped onto the recording, and its phones take the times that they
fall on. Whether the recording says the script is asked of every second of it: the match must be cheaper than
that with the same reference played backwards, which has the same sounds and none of the words. The speaker's
vocal tract is met halfway by a few scales of frequency.

Measured on renderings of eSpeak NG in other voices, rates and pitches (tests); on no human recording yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import gcd
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from scipy.signal import resample_poly

from generation.engine.media.sounds import DEMUXERS, kind_of_sound
from generation.presenter import warping
from generation.presenter.errors import RecordingError
from generation.presenter.script import Script, Segment
from generation.presenter.speech import Pcm, Phone, Speech, SpeechEngine, Timing, Voice, Word, check, joined
from generation.presenter.warping import HOP_S, WINDOW_S

NAME = "recording"
RATE = 48_000
SIZE_MAX = 1 << 29
SECONDS_MAX = 1800.0
CLIPPED_MAX = 0.001
LEVEL_MIN_DB = -35.0
"""Of the loud tenth of the frames; below it nothing was recorded but the room."""
NOISE_MIN_DB = 20.0
"""Between the loud and the quiet frames; below it the room is heard behind every word."""
FIT_MAX = 0.90
"""Of the worst second. Renderings by other voices: 0.12 to 0.79; other words in one place: 0.99 and more."""
FIT_FRAMES = 100
TRACTS = (0.88, 1.0, 1.14, 1.28)
"""Resonances against the reference's: a deep voice to a high one."""
PAUSE_MIN_S = 0.06
"""A shorter gap between two words is part of the sounds around it."""
PHONE_MIN_S = 0.01


@dataclass(frozen=True, slots=True)
class Aligned:
    """The recording by sentences; ``fit``: 0 is the same sound, 1 no better than backwards speech."""

    sentences: tuple[Speech, ...]
    fit: float
    noise_db: float


@dataclass(frozen=True, slots=True)
class _Unit:
    """A phone of the reference, or the gap that may be behind a word: frames ``first`` to ``last``."""

    phone: Phone
    first: int
    last: int
    sentence: int


@dataclass(frozen=True, slots=True)
class _Match:
    """``path``: the reference frame of each recorded frame from ``begin_s``; ``fit`` of the worst second."""

    path: npt.NDArray[np.int64]
    begin_s: float
    fit: float
    worst_s: float


def decoded(path: Path) -> Pcm:
    """The sound of a WAV, FLAC, MP3, M4A or Opus file, mono at 48,000 Hz.

    Raises:
        RecordingError: of another kind, damaged, too large or too long.
    """
    with path.open("rb") as file:
        kind = DEMUXERS.get(kind_of_sound(file.read(16)), "")
    if not kind or path.stat().st_size > SIZE_MAX:
        raise RecordingError("A recording is a WAV, FLAC, MP3, M4A or Opus file of at most 512 MiB.")
    parts: list[Pcm] = []
    options = {"protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path.absolute()}", "r", format=kind, options=options) as opened:
            if not opened.streams.audio:
                raise RecordingError("The file has no sound.")
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            length = 0
            for frame in opened.decode(audio=0):
                for block in resampler.resample(frame):
                    parts.append(_pcm(block))
                    length += len(parts[-1])
                if length > SECONDS_MAX * RATE:
                    raise RecordingError(f"A recording is at most {SECONDS_MAX:.0f} seconds long.")
            parts += [_pcm(block) for block in resampler.resample(None)]
    except (av.FFmpegError, ValueError) as error:
        raise RecordingError(f"The recording cannot be read: {str(error)[:100]}.") from error
    if not parts:
        raise RecordingError("The file has no sound.")
    return np.concatenate(parts)


class RecordedEngine:
    """A ``SpeechEngine`` for one script and its recording: each sentence as the person said it."""

    name = NAME
    deterministic = True

    def __init__(self, script: Script, pcm: Pcm, *, reference: SpeechEngine) -> None:
        self._script, self._pcm, self._reference = script, pcm, reference
        self._said: dict[int, Speech] = {}

    def synthesize(self, segment: Segment, *, voice: Voice) -> Speech:
        """See ``SpeechEngine``.

        Raises:
            RecordingError: the recording cannot be used, or does not say the script.
        """
        if not self._said:
            aligned = align(self._script, self._pcm, engine=self._reference, voice=voice)
            places = (each.start for each in self._script.segments)
            self._said = dict(zip(places, aligned.sentences, strict=True))
        found = self._said.get(segment.start)
        if found is None:
            raise RecordingError("The recording does not have this sentence.")
        return found


def align(script: Script, pcm: Pcm, *, engine: SpeechEngine, voice: Voice, fps: int = 25) -> Aligned:
    """``pcm``: (n,) mono at 48,000 Hz, the script as a person said it; ``engine`` gives the reference.

    Raises:
        RecordingError: silent, clipped or noisy, or it does not say the script; with the number.
        SpeechError: the reference could not be said.
    """
    noise_db = _require_clean(pcm)
    said = [engine.synthesize(segment, voice=Voice("reference")) for segment in script.segments]
    units, reference = _reference(said)
    match = _match(_at(pcm, RATE), reference)
    if not match.fit <= FIT_MAX:
        raise RecordingError(
            f"The recording does not say the script at {match.worst_s:.1f} s: fit {match.fit:.2f}.",
            measured={"fit": match.fit, "at_s": match.worst_s},
        )
    starts = _starts(units, match.path) + match.begin_s
    sentences = _cut(said, units, starts, pcm, voice=voice, fps=fps)
    return Aligned(sentences, match.fit, noise_db)


def _pcm(frame: AudioFrame) -> Pcm:
    return np.asarray(frame.to_ndarray().reshape(-1), np.int16)


def _require_clean(pcm: Pcm) -> float:
    """How far speech is above the room, in dB, once the recording is known to be fit for use."""
    clipped = float(np.mean((pcm >= 32_700) | (pcm <= -32_700))) if len(pcm) else 0.0
    if clipped > CLIPPED_MAX:
        raise RecordingError(f"The recording is clipped: {clipped:.1%}.", measured={"clipped": clipped})
    sound = warping.analyse(_at(pcm, RATE))
    loud = float(np.percentile(sound.level_db, 90))
    if loud < LEVEL_MIN_DB or not (sound.presence > 0.5).any():
        raise RecordingError(f"The recording is silent: {loud:.0f} dB.", measured={"level_db": loud})
    noise_db = loud - float(np.percentile(sound.level_db, 5))
    if noise_db < NOISE_MIN_DB:
        raise RecordingError(
            f"The recording is noisy: speech is {noise_db:.0f} dB above the room.",
            measured={"noise_db": noise_db},
        )
    return noise_db


def _match(signal: warping.Signal, reference: warping.Features) -> _Match:
    """The best warp over the scales of the vocal tract; its worst second against chance."""
    tried = []
    for tract in TRACTS:
        sound = warping.analyse(signal, tract=tract)
        present = np.flatnonzero(sound.presence > 0.5)
        own = sound.features[present[0] : present[-1] + 1]
        warped = warping.warp(own, reference)
        tried.append((float(warped.costs @ own[:, -1]) / float(own[:, -1].sum()), own, warped, present[0]))
    _, own, warped, first = min(tried, key=lambda each: each[0])
    weights = own[:, -1].astype(np.float64)
    backwards = warping.warp(own, np.ascontiguousarray(reference[::-1])).costs @ weights / weights.sum()
    window = np.ones(min(FIT_FRAMES, len(own)))
    speech = np.convolve(weights, window, "valid")
    # a second that is mostly pause says little: it counts as if four tenths of it were speech
    enough = np.maximum(speech, 0.4 * len(window) * warping.LOUDNESS_WEIGHT)
    local = np.convolve(warped.costs * weights, window, "valid") / enough / max(backwards, 1e-9)
    worst = int(local.argmax())
    begin_s = float(first) * HOP_S + WINDOW_S / 2
    return _Match(warped.path, begin_s, float(local[worst]), begin_s + worst * HOP_S)


def _at(pcm: Pcm, rate: int) -> warping.Signal:
    common = gcd(rate, warping.RATE)
    plain = pcm.astype(np.float32)
    plain /= 32768
    return np.asarray(resample_poly(plain, warping.RATE // common, rate // common), np.float32)


def _reference(said: Sequence[Speech]) -> tuple[list[_Unit], warping.Features]:
    """The reference's phones and frames; at each word's end a silent frame that costs nothing to pass."""
    whole = joined(said)
    features = warping.analyse(_at(whole.pcm, whole.sample_rate)).features
    ends = np.cumsum([each.duration_s for each in said])
    silent = np.zeros((1, features.shape[1]), np.float32)
    units: list[_Unit] = []
    rows: list[warping.Features] = []
    at = 0
    for number, phone in enumerate(whole.phones):
        first, last = (
            min(max(round((second - WINDOW_S / 2) / HOP_S), 0), len(features))
            for second in (phone.start_s, phone.end_s)
        )
        sentence = int(np.searchsorted(ends, (phone.start_s + phone.end_s) / 2))
        rows.append(features[first:last])
        units.append(_Unit(phone, at, at + last - first, sentence))
        at += last - first
        following = whole.phones[number + 1] if number + 1 < len(whole.phones) else phone
        if phone.ipa and following.ipa and following.word != phone.word:
            rows.append(silent)
            units.append(_Unit(Phone("", 0, 0), at, at + 1, sentence))
            at += 1
    while units and not units[-1].phone.ipa:  # the rest behind the last word: the recording is cut there, too
        gone = units.pop()
        at = gone.first
    return units, np.concatenate(rows)[:at]


def _starts(units: Sequence[_Unit], path: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Seconds at which each unit begins, and the end of the last: between the frames before and behind it."""
    bounds = np.array([*(unit.first for unit in units), units[-1].last])
    behind = np.searchsorted(path, bounds)
    return np.asarray((behind - 0.5) * HOP_S)


def _cut(
    said: Sequence[Speech],
    units: Sequence[_Unit],
    starts: npt.NDArray[np.float64],
    pcm: Pcm,
    *,
    voice: Voice,
    fps: int,
) -> tuple[Speech, ...]:
    """One speech for each sentence, cut between them on a whole frame: nothing has to be filled up."""
    frame = RATE // fps
    spans = []
    for number in range(len(said)):
        own = [at for at, unit in enumerate(units) if unit.sentence == number and unit.phone.ipa]
        spans.append((own[0], own[-1]))
    cuts = [0]
    for (_, last), (first, _) in pairwise(spans):
        cuts.append(round((starts[last + 1] + starts[first]) / 2 * RATE / frame) * frame)
    cuts.append(len(pcm))
    out = []
    for number, speech in enumerate(said):
        begin, end = cuts[number], cuts[number + 1]
        first, last = spans[number]
        phones = _phones(
            units[first : last + 1], starts[first : last + 2] - begin / RATE, (end - begin) / RATE
        )
        out.append(_speech(pcm[begin:end], phones, speech, voice))
    return tuple(check(each) for each in out)


def _phones(units: Sequence[_Unit], starts: npt.NDArray[np.float64], length_s: float) -> tuple[Phone, ...]:
    """Phones that touch, from 0 to the end; gaps that are too short to be pauses go to their neighbours."""
    kept: list[tuple[Phone, float]] = []
    for unit, (start, end) in zip(units, pairwise(starts), strict=True):
        if unit.phone.ipa or end - start >= PAUSE_MIN_S:
            kept.append((unit.phone, float(start)))
    bounds = np.array([*(start for _, start in kept), float(starts[-1])])
    least = np.arange(len(bounds)) * PHONE_MIN_S  # every phone lasts
    bounds = np.clip(bounds, 0, length_s - least[::-1])
    bounds = np.maximum.accumulate(bounds - least) + least
    out = [
        replace(phone, start_s=start, end_s=end)
        for (phone, _), (start, end) in zip(kept, pairwise(bounds.tolist()), strict=True)
    ]
    if out[0].start_s > 0:
        out.insert(0, Phone("", 0.0, out[0].start_s))
    if length_s > out[-1].end_s:
        out.append(Phone("", out[-1].end_s, length_s))
    return tuple(out)


def _speech(pcm: Pcm, phones: Sequence[Phone], reference: Speech, voice: Voice) -> Speech:
    words: list[Word] = []
    own: dict[int, int] = {}
    placed = []
    shift = min((phone.word for phone in phones if phone.word >= 0), default=0)
    for phone in phones:
        number = phone.word - shift if phone.ipa and phone.word >= 0 else -1
        if number < 0:
            placed.append(replace(phone, word=-1))
            continue
        if number not in own:
            own[number] = len(words)
            words.append(replace(reference.words[number], start_s=phone.start_s))
        words[own[number]] = replace(words[own[number]], end_s=phone.end_s)
        placed.append(replace(phone, word=own[number]))
    marks = _marks(reference, [phone for phone in placed if phone.ipa])
    return Speech(pcm, RATE, tuple(placed), tuple(words), NAME, Timing.ALIGNED, voice, marks)


def _marks(reference: Speech, said: Sequence[Phone]) -> dict[str, float]:
    """A mark stands before the same phone as in the reference, or behind the last."""
    starts = [phone.start_s for phone in reference.phones if phone.ipa]
    out = {}
    for name, second in reference.marks.items():
        before = sum(start < second - PHONE_MIN_S / 2 for start in starts)
        out[name] = said[before].start_s if before < len(said) else said[-1].end_s
    return out
