"""A working speech engine without a voice: every phone is a tone, with times that are known exactly."""

from __future__ import annotations

import numpy as np

from generation.presenter.script import Run, Segment
from generation.presenter.speech import Phone, Speech, Timing, Voice, Word, check
from generation.presenter.ssml import Mark, Pause

RATE = 22_050
PHONE_S = 0.1
SOUNDS = ("m", "a", "p", "i", "f", "u", "s", "ɔ")


class ToneEngine:
    """One phone for each letter or figure, from a fixed cycle of sounds."""

    name = "tones"
    deterministic = True

    def synthesize(self, segment: Segment, *, voice: Voice) -> Speech:
        """See ``SpeechEngine``."""
        phones: list[Phone] = []
        words: list[Word] = []
        marks: dict[str, float] = {}
        at = 0.0
        for part in (*segment.parts, Pause(0.3)):
            if isinstance(part, Mark):
                marks[part.name] = at
            elif isinstance(part, Pause):
                phones.append(Phone("", at, at + part.seconds))
                at += part.seconds
            elif isinstance(part, Run):
                for piece in part.pieces:
                    begun = at
                    for letter in filter(str.isalnum, piece.spoken):
                        sound = SOUNDS[ord(letter) % len(SOUNDS)]
                        phones.append(Phone(sound, at, at + PHONE_S, 0, len(words)))
                        at += PHONE_S
                    if at > begun:
                        words.append(Word(piece.spoken, begun, at, piece.start, piece.end))
        time = np.arange(round(at * RATE)) / RATE
        level = np.zeros_like(time)
        for phone in phones:
            if phone.ipa:
                level[(time >= phone.start_s) & (time < phone.end_s)] = 0.3
        pcm = (np.sin(2 * np.pi * 220 * time) * level * 32767).astype(np.int16)
        return check(Speech(pcm, RATE, tuple(phones), tuple(words), self.name, Timing.EXACT, voice, marks))
