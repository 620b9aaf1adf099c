"""What every speech engine gives: sound, and exactly when each phone and word of it is said.

- Phones are in order, touch each other and cover the sound from 0 to its end.
- Words cover only their phones; their places are characters of ``Script.text``.
- Silence is a phone with an empty ``ipa``: head and tail silence of an engine is cut and replaced by pauses
  that were asked for, because silence that nobody asked for moves subtitles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from generation.presenter.errors import SpeechTimesError
from generation.presenter.script import Segment

TOUCH_S = 0.001
"""Phones may miss each other, and the ends of the sound, by this much."""
SILENT_RMS = 0.01
"""Of full scale; speech below it is an engine that failed in silence."""

Pcm = npt.NDArray[np.int16]
"""(n,) int16, mono."""


class Timing(StrEnum):
    """Where the times come from."""

    EXACT = "exact"
    ALIGNED = "aligned"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone in IPA, "" for silence; ``stress`` 0 none, 1 secondary, 2 primary; ``word`` -1 for none."""

    ipa: str
    start_s: float
    end_s: float
    stress: int = 0
    word: int = -1


@dataclass(frozen=True, slots=True)
class Word:
    """One word; ``char_start`` to ``char_end`` (exclusive) in ``Script.text``."""

    text: str
    start_s: float
    end_s: float
    char_start: int
    char_end: int


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice: a voice is a likeness, so it says whose it is; ``name`` is what its engine calls it."""

    id: str
    licence: str = ""
    rate: float = 1.0
    name: str = ""
    version: str = "1"


@dataclass(frozen=True, slots=True)
class Speech:
    """What was said, and when."""

    pcm: Pcm
    sample_rate: int
    phones: tuple[Phone, ...]
    words: tuple[Word, ...]
    engine: str
    timing: Timing
    voice: Voice
    marks: Mapping[str, float] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """Length of the sound."""
        return len(self.pcm) / self.sample_rate


class SpeechEngine(Protocol):
    """Says one segment. Identical input gives identical sound where ``deterministic``."""

    name: str
    deterministic: bool

    def synthesize(self, segment: Segment, *, voice: Voice) -> Speech:
        """The segment's sound and times.

        Raises:
            SpeechError: the engine is missing, dead, slow or silent, or has no such voice.
        """


def check(speech: Speech) -> Speech:
    """The speech itself, when its times can be relied on.

    Raises:
        SpeechTimesError: it is silent or clipped, or its times do not cover it.
    """
    if not len(speech.pcm):
        raise SpeechTimesError(f"{speech.engine} gave no sound.")
    _check_phones(speech)
    for word in speech.words:
        if not 0 <= word.start_s < word.end_s <= speech.duration_s + TOUCH_S:
            raise SpeechTimesError(f"{speech.engine} says {word.text!r} outside its sound.")
        if word.char_end <= word.char_start:
            raise SpeechTimesError(f"{speech.engine} gave {word.text!r} no place in the script.")
    for name, at in speech.marks.items():
        if not 0 <= at <= speech.duration_s + TOUCH_S:
            raise SpeechTimesError(f"{speech.engine} puts the mark {name} outside its sound.")
    said = [phone for phone in speech.phones if phone.ipa]
    if said and _rms(speech, said) < SILENT_RMS:
        raise SpeechTimesError(f"{speech.engine} gave silence for {len(said)} phones.")
    return speech


def _check_phones(speech: Speech) -> None:
    at = 0.0
    for phone in speech.phones:
        if not (abs(phone.start_s - at) <= TOUCH_S and phone.end_s > phone.start_s):  # nan fails, too
            raise SpeechTimesError(
                f"{speech.engine} says {phone.ipa or 'silence'} from {phone.start_s:.3f} to "
                f"{phone.end_s:.3f} s, after {at:.3f} s."
            )
        at = phone.end_s
    if not abs(at - speech.duration_s) <= TOUCH_S:
        raise SpeechTimesError(
            f"{speech.engine}'s phones end at {at:.3f} s, its sound at {speech.duration_s:.3f} s."
        )


def _rms(speech: Speech, said: Sequence[Phone]) -> float:
    parts = [
        speech.pcm[int(phone.start_s * speech.sample_rate) : int(phone.end_s * speech.sample_rate)]
        for phone in said
    ]
    level = np.concatenate(parts).astype(np.float64) / 32768
    return float(np.sqrt(np.mean(np.square(level)))) if len(level) else 0.0


def silence(seconds: float, *, sample_rate: int) -> Pcm:
    """Nothing, for so long."""
    return np.zeros(max(0, round(seconds * sample_rate)), np.int16)


def joined(parts: Sequence[Speech]) -> Speech:
    """One speech from several, in order.

    Raises:
        SpeechTimesError: there are none, or of different rates.
    """
    if not parts:
        raise SpeechTimesError("There is no speech to join.")
    rate = parts[0].sample_rate
    if any(part.sample_rate != rate for part in parts):
        raise SpeechTimesError("Speech of different sample rates cannot be joined.")
    phones: list[Phone] = []
    words: list[Word] = []
    marks: dict[str, float] = {}
    at = 0
    for part in parts:
        shift, known = at / rate, len(words)
        phones += [_moved(phone, shift, known) for phone in part.phones]
        words += [
            replace(word, start_s=word.start_s + shift, end_s=word.end_s + shift) for word in part.words
        ]
        marks |= {name: when + shift for name, when in part.marks.items()}
        at += len(part.pcm)
    return replace(
        parts[0],
        pcm=np.concatenate([part.pcm for part in parts]),
        phones=tuple(phones),
        words=tuple(words),
        timing=worst_timing(parts),
        marks=marks,
    )


def _moved(phone: Phone, shift_s: float, words: int) -> Phone:
    return replace(
        phone,
        start_s=phone.start_s + shift_s,
        end_s=phone.end_s + shift_s,
        word=phone.word + words if phone.word >= 0 else -1,
    )


def padded(speech: Speech, *, fps: int) -> Speech:
    """The speech with silence behind it up to a whole frame, so that nothing drifts against the picture."""
    missing = -len(speech.pcm) % (speech.sample_rate // fps)
    if not missing:
        return speech
    pcm = np.concatenate([speech.pcm, np.zeros(missing, np.int16)])
    end = Phone("", speech.duration_s, len(pcm) / speech.sample_rate)
    return replace(speech, pcm=pcm, phones=(*speech.phones, end))


def worst_timing(parts: Sequence[Speech]) -> Timing:
    """The least exact of the parts' timings."""
    return max((part.timing for part in parts), key=list(Timing).index)
