"""What engines that say whole phrases have in common: words between two pauses, cut to their sound.

A stretch is all that is said between two pauses or marks in one manner. Its characters are counted from 0 in
``text``; ``placed`` leads words back to the script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from generation.presenter.errors import SpeechTimesError
from generation.presenter.normalise import Language, Piece, script_span
from generation.presenter.script import Run, Segment
from generation.presenter.speech import Phone, Speech, Timing, Voice, Word, check, joined, silence
from generation.presenter.ssml import Mark, Pause, Prosody

SENTENCE_END_S = 0.3
"""Silence behind a sentence: the mouth comes to rest, and an edited sentence meets its neighbours there."""
RATES = (16_000, 22_050, 24_000, 44_100, 48_000)
"""Sample rates that are taken: each is a whole number of samples a frame at 25 frames a second."""
CLIPPED_MAX = 0.001
"""Share of samples at full scale: speech that was recorded or made too loud."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Characters of a stretch whose reading the script fixes."""

    start: int
    end: int
    alphabet: str
    phonemes: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Words to say in one go."""

    text: str
    pieces: tuple[Piece, ...]
    language: Language
    prosody: Prosody
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Timed:
    """What an engine gave for one stretch; words are (start_s, end_s, first, last) in its text."""

    pcm: np.ndarray
    sample_rate: int
    phones: tuple[Phone, ...]
    words: tuple[tuple[float, float, int, int], ...]


def say(
    segment: Segment,
    *,
    one: Callable[[Stretch], Timed],
    engine: str,
    timing: Timing,
    voice: Voice,
) -> Speech:
    """A sentence from its stretches, its pauses, and the rest behind it.

    Raises:
        SpeechError: of the engine; its sound is silent, clipped, or not covered by its times.
    """
    items: list[Speech | float] = []
    marks: list[tuple[str, int]] = []
    for part in _parts(segment):
        if isinstance(part, Mark):
            marks.append((part.name, len(items)))
        elif isinstance(part, Pause):
            items.append(part.seconds)
        else:
            items.append(placed(one(part), part, engine=engine, timing=timing, voice=voice))
    rates = [each.sample_rate for each in items if isinstance(each, Speech)] or [RATES[1]]
    done = [
        each if isinstance(each, Speech) else _nothing(each, rates[0], engine, timing, voice)
        for each in (*items, SENTENCE_END_S)
    ]
    ends = np.cumsum([0.0, *(each.duration_s for each in done)])
    whole = replace(joined(done), marks={name: float(ends[at]) for name, at in marks})
    return check(whole)


def placed(timed: Timed, stretch: Stretch, *, engine: str, timing: Timing, voice: Voice) -> Speech:
    """One stretch as speech: checked, led back to the script, without silence at its ends.

    Raises:
        SpeechTimesError: the sound is silent or clipped, or its times do not cover it.
    """
    if timed.sample_rate not in RATES:
        raise SpeechTimesError(f"{engine} gave {timed.sample_rate} samples a second.")
    if len(timed.pcm) and float(np.mean(np.abs(timed.pcm.astype(np.int32)) >= 32_767)) > CLIPPED_MAX:
        raise SpeechTimesError(f"{engine} gave clipped sound.")
    if not timed.words:
        raise SpeechTimesError(f"{engine} gave no words for {len(stretch.text)} characters.")
    words = tuple(_word(each, stretch, engine) for each in timed.words)
    phones, words = _in_words(timed.phones, words)
    whole = Speech(timed.pcm, timed.sample_rate, phones, words, engine, timing, voice)
    if not words or not any(phone.ipa for phone in phones):
        raise SpeechTimesError(f"{engine} gave no phones for {len(stretch.text)} characters.")
    return _trimmed(check(whole))


def _parts(segment: Segment) -> Iterator[Stretch | Pause | Mark]:
    runs: list[Run] = []
    for part in segment.parts:
        if isinstance(part, Run):
            if runs and runs[0].prosody != part.prosody:
                yield from _stretch(runs)
                runs = []
            runs.append(part)
        else:
            yield from _stretch(runs)
            runs = []
            if isinstance(part, Mark) or part.seconds > 0:
                yield part
    yield from _stretch(runs)


def _stretch(runs: Sequence[Run]) -> Iterator[Stretch]:
    text = "".join(run.spoken for run in runs)
    if not any(map(str.isalnum, text)):
        return
    readings: list[Reading] = []
    at = 0
    for run in runs:
        if run.phonemes:
            readings.append(Reading(at, at + len(run.spoken), run.alphabet, run.phonemes))
        at += len(run.spoken)
    pieces = tuple(piece for run in runs for piece in run.pieces)
    yield Stretch(text, pieces, runs[0].language, runs[0].prosody, tuple(readings))


def _word(row: tuple[float, float, int, int], stretch: Stretch, engine: str) -> Word:
    start_s, end_s, first, last = row
    if not 0 <= first < last <= len(stretch.text):
        raise SpeechTimesError(
            f"{engine} gave a word at {first} to {last} of {len(stretch.text)} characters."
        )
    start, end = script_span(stretch.pieces, first, last)
    return Word(stretch.text[first:last].strip(), start_s, end_s, start, max(end, start + 1))


def _in_words(phones: Sequence[Phone], words: Sequence[Word]) -> tuple[tuple[Phone, ...], tuple[Word, ...]]:
    """Each phone in the word that holds its middle; a word lasts while its phones do."""
    out: list[Phone] = []
    timed: list[Word] = []
    current = -1
    for phone in phones:
        middle = (phone.start_s + phone.end_s) / 2
        at = next((n for n, word in enumerate(words) if word.start_s <= middle < word.end_s), -1)
        if not phone.ipa or at < 0:
            out.append(replace(phone, word=-1))
            continue
        if at != current:
            current = at
            timed.append(replace(words[at], start_s=phone.start_s))
        timed[-1] = replace(timed[-1], end_s=phone.end_s)
        out.append(replace(phone, word=len(timed) - 1))
    return tuple(out), tuple(timed)


def _trimmed(speech: Speech) -> Speech:
    """Without the engine's own silence at both ends: pauses are asked for."""
    said = [at for at, phone in enumerate(speech.phones) if phone.ipa]
    kept = speech.phones[said[0] : said[-1] + 1]
    rate = speech.sample_rate
    begin, end = round(kept[0].start_s * rate), round(kept[-1].end_s * rate)
    shift, length = begin / rate, (end - begin) / rate

    def at(second: float) -> float:
        return min(max(second - shift, 0.0), length)

    words = (replace(each, start_s=at(each.start_s), end_s=at(each.end_s)) for each in speech.words)
    return replace(
        speech,
        pcm=np.asarray(speech.pcm[begin:end], np.int16),
        phones=tuple(replace(each, start_s=at(each.start_s), end_s=at(each.end_s)) for each in kept),
        words=tuple(words),
    )


def _nothing(seconds: float, rate: int, engine: str, timing: Timing, voice: Voice) -> Speech:
    pcm = silence(seconds, sample_rate=rate)
    return Speech(pcm, rate, (Phone("", 0, len(pcm) / rate),), (), engine, timing, voice)
