"""Several voices as one speech engine: each part of a sentence is said by the engine of its own voice.

Whatever engines say at different sample rates is brought to the rate of the first. Nothing here asks whether
a voice may be used: whoever calls it has asked for each of ``voices_of``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import gcd

import numpy as np
from scipy.signal import resample_poly

from generation.presenter.errors import VoiceMissingError
from generation.presenter.script import Part, Run, Script, Segment
from generation.presenter.speech import Speech, SpeechEngine, Voice, check, joined
from generation.presenter.speech_cache import SpeechCache, key_of
from generation.presenter.voices import VoiceEntry, voice_for


def voices_of(script: Script, *, chosen: str, known: Mapping[str, VoiceEntry]) -> tuple[VoiceEntry, ...]:
    """Every voice that a script needs: the chosen one first, then those that its markup names.

    Raises:
        VoiceMissingError: a voice is not known, or does not speak what it is given to say.
    """
    main = voice_for(chosen, language=script.language, known=known)
    found = {main.id: main}
    for segment in script.segments:
        for run in segment.parts:
            if isinstance(run, Run):
                each = voice_for(run.voice or main.id, language=run.language, known=known)
                found[each.id] = each
    return tuple(found.values())


class Cast:
    """A ``SpeechEngine`` over all others. One for each script: the first sentence gives its sample rate."""

    name = "cast"
    deterministic = False

    def __init__(
        self,
        known: Mapping[str, VoiceEntry],
        *,
        engine: Callable[[str], SpeechEngine],
        cache: SpeechCache | None = None,
    ) -> None:
        self._known, self._engine, self._cache = known, engine, cache
        self._rate = 0

    def synthesize(self, segment: Segment, *, voice: Voice) -> Speech:
        """See ``SpeechEngine``."""
        parts = [
            self._said(replace(segment, parts=tuple(own)), voice_id)
            for voice_id, own in _by_voice(segment, voice.id)
        ]
        self._rate = self._rate or parts[0].sample_rate
        # only the last part keeps the rest behind a sentence: the others are inside of it
        parts = [_without_rest(each) for each in parts[:-1]] + parts[-1:]
        return check(joined([at_rate(each, self._rate) for each in parts]))

    def _said(self, segment: Segment, voice_id: str) -> Speech:
        entry = self._known.get(voice_id)
        if entry is None:
            raise VoiceMissingError(f"There is no voice {voice_id[:40]!r}.")
        engine = self._engine(entry.engine)
        if self._cache is None:
            return engine.synthesize(segment, voice=entry.voice)
        key = key_of(segment, voice=entry.voice, engine=engine.name)
        found = self._cache.get(key, segment)
        if found is None:
            found = engine.synthesize(segment, voice=entry.voice)
            self._cache.put(key, segment, found)
        return found


def _by_voice(segment: Segment, chosen: str) -> Iterator[tuple[str, list[Part]]]:
    """The parts of a sentence, one group for each change of voice; a pause stays with what is before it."""
    own: list[Part] = []
    current = ""
    for part in segment.parts:
        if isinstance(part, Run):
            wanted = part.voice or chosen
            if current and wanted != current:
                yield current, own
                own = []
            current = wanted
        own.append(part)
    yield current or chosen, own


def _without_rest(speech: Speech) -> Speech:
    """The speech up to its last sound."""
    phones = list(speech.phones)
    while len(phones) > 1 and not phones[-1].ipa:
        phones.pop()
    end = round(phones[-1].end_s * speech.sample_rate)
    return replace(speech, pcm=speech.pcm[:end], phones=tuple(phones)) if phones[-1].ipa else speech


def at_rate(speech: Speech, rate: int) -> Speech:
    """The speech at another sample rate; its times stay, its end is the end of the new sound."""
    if speech.sample_rate == rate:
        return speech
    common = gcd(rate, speech.sample_rate)
    moved = resample_poly(speech.pcm.astype(np.float64), rate // common, speech.sample_rate // common)
    pcm = np.clip(np.rint(moved), -32768, 32767).astype(np.int16)
    end = len(pcm) / rate
    phones = (*speech.phones[:-1], replace(speech.phones[-1], end_s=end))
    return replace(
        speech,
        pcm=pcm,
        sample_rate=rate,
        phones=phones,
        words=tuple(replace(each, end_s=min(each.end_s, end)) for each in speech.words),
    )
