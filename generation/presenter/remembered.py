"""The sentences of an earlier performance, said again as they were: the same words give the same sound.

Engines do not say a sentence twice alike, and a sentence that sounds otherwise also looks otherwise.
Places in
the script are kept from the sentence's own start, so that a sentence which moved is still the same one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from generation.presenter.script import Segment
from generation.presenter.speech import Pcm, Phone, Speech, SpeechEngine, Timing, Voice, Word
from generation.presenter.speech_cache import key_of


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence; ``key`` stands for its words, manner, pauses and voice."""

    key: str
    speech: Speech


def said(segments: Sequence[Segment], sentences: Sequence[Speech], *, voice: Voice) -> tuple[Said, ...]:
    """What is kept of a script that was said."""
    pairs = zip(segments, sentences, strict=True)
    return tuple(Said(_key(segment, voice), _moved(speech, -segment.start)) for segment, speech in pairs)


class Remembering:
    """A ``SpeechEngine`` that asks another one only for sentences it does not remember."""

    deterministic = True

    def __init__(self, engine: SpeechEngine, known: Sequence[Said]) -> None:
        self.name = engine.name
        self._engine = engine
        self._known = {each.key: each.speech for each in known}

    def synthesize(self, segment: Segment, *, voice: Voice) -> Speech:
        """See ``SpeechEngine``."""
        if (found := self._known.get(_key(segment, voice))) is not None:
            return _moved(found, segment.start)
        return self._engine.synthesize(segment, voice=voice)


def as_records(sentences: Sequence[Said]) -> tuple[list[dict[str, Any]], Pcm]:
    """JSON-ready records, and the sound of all sentences in one."""
    records = []
    for each in sentences:
        speech = each.speech
        records.append(
            {
                "key": each.key,
                "samples": len(speech.pcm),
                "rate": speech.sample_rate,
                "phones": [list(asdict(phone).values()) for phone in speech.phones],
                "words": [list(asdict(word).values()) for word in speech.words],
                "engine": speech.engine,
                "timing": speech.timing.value,
                "voice": asdict(speech.voice),
                "marks": dict(speech.marks),
            }
        )
    return records, np.concatenate([each.speech.pcm for each in sentences] or [np.zeros(0, np.int16)])


def from_records(records: Sequence[Mapping[str, Any]], pcm: Pcm) -> tuple[Said, ...]:
    """What ``as_records`` gave."""
    found, at = [], 0
    for record in records:
        speech = Speech(
            pcm[at : at + record["samples"]],
            record["rate"],
            tuple(Phone(*phone) for phone in record["phones"]),
            tuple(Word(*word) for word in record["words"]),
            record["engine"],
            Timing(record["timing"]),
            Voice(**record["voice"]),
            record["marks"],
        )
        at += record["samples"]
        found.append(Said(record["key"], speech))
    return tuple(found)


def _key(segment: Segment, voice: Voice) -> str:
    return key_of(segment, voice=voice, engine="")


def _moved(speech: Speech, by: int) -> Speech:
    words = (
        replace(word, char_start=word.char_start + by, char_end=word.char_end + by) for word in speech.words
    )
    return replace(speech, words=tuple(words))
