"""eSpeak NG as a speech engine: exact times, no download, a plain voice. For demos, tests and a fallback.

The library is GPL-3.0-or-later: a worker that runs by path loads it, nothing here imports it, and it comes
with the optional extra ``likeness[espeak]``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from generation.presenter.errors import SpeechFailedError, SpeechUnavailableError, VoiceMissingError
from generation.presenter.normalise import Language, script_span
from generation.presenter.pinyin import readings, to_pinyin
from generation.presenter.script import Run, Segment
from generation.presenter.speech import Pcm, Phone, Speech, Timing, Voice, Word, check, joined, silence
from generation.presenter.ssml import Mark, Pause
from generation.presenter.worker import Worker

WORDS_PER_MINUTE = 165
SENTENCE_END_S = 0.3
"""Silence behind a sentence: the mouth comes to rest, and an edited sentence meets its neighbours there."""
VOICES = {Language.ZH: "cmn", Language.EN: "en-us"}
PINYIN_VOICE = "cmn-latn-pinyin"
WORKER = Path(__file__).parent / "espeak_worker" / "worker.py"


class EspeakEngine:
    """Says segments; one worker process, started at first use. Not thread-safe: one engine a worker slot."""

    name = "espeak-ng 1.52"
    deterministic = False  # the library carries state: a second rendering differs by a few samples

    def __init__(self, worker: Worker | None = None) -> None:
        if worker is None and find_spec("espeakng_loader") is None:
            raise SpeechUnavailableError("eSpeak NG is not installed.")
        self._worker = worker or Worker([sys.executable, "-I", str(WORKER)])

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def synthesize(self, segment: Segment, *, voice: Voice) -> Speech:
        """See ``SpeechEngine``."""
        parts: list[Speech] = []
        marks: dict[str, float] = {}
        rate = 22_050
        at_s = 0.0
        for part in segment.parts:
            if isinstance(part, Mark):
                marks[part.name] = at_s
                continue
            found = self._said(part, voice) if isinstance(part, Run) else None
            if isinstance(part, Pause) and part.seconds > 0:
                found = self._nothing(part.seconds, rate, voice)
            if found is not None:
                parts.append(found)
                at_s += found.duration_s
        parts.append(self._nothing(SENTENCE_END_S, rate, voice))
        return check(replace(joined(parts), marks=marks))

    def _nothing(self, seconds: float, rate: int, voice: Voice) -> Speech:
        pcm = silence(seconds, sample_rate=rate)
        return Speech(pcm, rate, (Phone("", 0, len(pcm) / rate),), (), self.name, Timing.EXACT, voice)

    def _said(self, run: Run, voice: Voice) -> Speech | None:
        if not any(map(str.isalnum, run.spoken)):
            return None
        text, at, name = _sent(run)
        answer = self._worker.ask(
            {
                "text": text,
                "voice": name,
                "rate": round(WORDS_PER_MINUTE * run.prosody.rate * voice.rate),
                "pitch": round(min(99, max(0, 50 + 4 * run.prosody.pitch_st))),
                "volume": round(min(200, 100 * 10 ** (run.prosody.volume_db / 20))),
            }
        )
        if not answer.fields.get("ok"):
            refused = VoiceMissingError if answer.fields.get("code") == "voice" else SpeechFailedError
            raise refused(f"eSpeak NG: {answer.fields.get('error', 'no reason')}.")
        pcm = np.frombuffer(answer.pcm[: len(answer.pcm) // 2 * 2], "<i2").astype(np.int16)
        return _timed(run, pcm, answer.fields, at, self.name, voice)


def _sent(run: Run) -> tuple[str, list[int], str]:
    """What the engine is sent, the spoken character behind each of its characters, and the voice."""
    if run.phonemes:
        if run.alphabet != "pinyin":
            raise SpeechUnavailableError("eSpeak NG takes a <phoneme> in pinyin, not in IPA.")
        return run.phonemes, [0] * len(run.phonemes), PINYIN_VOICE
    if run.language is Language.ZH and readings(run.spoken):
        text, at = to_pinyin(run.spoken)
        return text, at, PINYIN_VOICE
    return run.spoken, list(range(len(run.spoken))), VOICES[run.language]


def _timed(
    run: Run, pcm: Pcm, fields: Mapping[str, Any], at: Sequence[int], name: str, voice: Voice
) -> Speech | None:
    rate, events = int(fields["sample_rate"]), fields["events"]
    heard = _phones([event for event in events if event[0] == "phone"], len(pcm) / rate)
    said = [number for number, each in enumerate(heard) if each.ipa]
    if not said:
        return None
    # silence at both ends is the engine's own habit: pauses are asked for
    heard = heard[said[0] : said[-1] + 1]
    begin, end = round(heard[0].start_s * rate), round(heard[-1].end_s * rate)
    phones, words = _joined_to_words(heard, _words(run, [e for e in events if e[0] == "word"], at))
    shift = heard[0].start_s
    return Speech(
        pcm=pcm[begin:end],
        sample_rate=rate,
        phones=tuple(
            replace(each, start_s=each.start_s - shift, end_s=each.end_s - shift) for each in phones
        ),
        words=tuple(replace(each, start_s=each.start_s - shift, end_s=each.end_s - shift) for each in words),
        engine=name,
        timing=Timing.EXACT,
        voice=voice,
    )


def _phones(events: Sequence[Sequence[Any]], duration_s: float) -> list[Phone]:
    """Phones that touch; a language switch, "(en)", takes no time, and neither do empty events."""
    times = [*(event[1] / 1000 for event in events), duration_s]
    out: list[Phone] = []
    for event, (start, end) in zip(events, pairwise(times), strict=True):
        token = event[4].replace("ʰ", "h")
        if end <= start or token.startswith("("):
            if out and end > start:
                out[-1] = replace(out[-1], end_s=end)
            continue
        stress = 2 if "ˈ" in token else 1 if "ˌ" in token else 0
        out.append(Phone(token.replace("ˈ", "").replace("ˌ", ""), start, end, stress))
    if out and out[0].start_s > 0:
        out.insert(0, Phone("", 0, out[0].start_s))
    return out


def _words(run: Run, events: Sequence[Sequence[Any]], at: Sequence[int]) -> list[Word]:
    """The words with their places in the script; espeak counts characters from 1, and gives no ends."""
    places = [min(max(0, event[2] - 1), len(at) - 1) for event in events]
    out = []
    for event, place, following in zip(events, places, [*places[1:], len(at)], strict=True):
        first = at[place]
        last = len(run.spoken) if run.phonemes else max(at[max(following - 1, place)] + 1, first + 1)
        start, end = script_span(run.pieces, first, last)
        second = event[1] / 1000
        out.append(Word(run.spoken[first:last].strip(), second, second, start, max(end, start + 1)))
    return out


def _joined_to_words(phones: Sequence[Phone], words: Sequence[Word]) -> tuple[list[Phone], list[Word]]:
    """Each phone in the word that had begun by its middle; a word lasts while its phones do."""
    out_phones: list[Phone] = []
    out_words: list[Word] = []
    current = -1
    for phone in phones:
        middle = (phone.start_s + phone.end_s) / 2
        begun = max(sum(word.start_s <= middle for word in words) - 1, 0)
        if phone.ipa and words and begun != current:
            current = begun
            out_words.append(replace(words[begun], start_s=phone.start_s))
        if phone.ipa and out_words:
            out_words[-1] = replace(out_words[-1], end_s=phone.end_s)
        out_phones.append(replace(phone, word=len(out_words) - 1 if phone.ipa else -1))
    return out_phones, out_words
