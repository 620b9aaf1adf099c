"""Piper as a speech engine: a neural voice on this machine, with the times of its own model.

piper-tts is GPL-3.0-or-later: a worker that runs by path loads it, nothing here imports it, and it comes with
the optional extra ``likeness[piper]``. No voice comes with the platform: a site puts the ``.onnx`` and
``.json`` files of a voice that it may use below ``voices/`` of its home, and names the file in its table.

NOT verified: the real worker has never run here, since no voice may be fetched; the tests run a worker of
their own that speaks its protocol.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from generation.presenter.errors import (
    SpeechFailedError,
    SpeechTimesError,
    SpeechUnavailableError,
    VoiceMissingError,
)
from generation.presenter.script import Segment
from generation.presenter.speech import Phone, Speech, Timing, Voice
from generation.presenter.stretches import Stretch, Timed, say
from generation.presenter.worker import Worker

WORKER = Path(__file__).parent / "piper_worker" / "worker.py"
TIMEOUT_S = 60.0
"""A voice is loaded at its first sentence."""
_STRESS = {"ˈ": 2, "ˌ": 1}
_SPACE = " "
_MODIFIERS = frozenset("ːˑʰʲʷ̩̯̥̪̃")
"""Signs that belong to the phone before them: Piper gives each character of the IPA its own time."""


class PiperEngine:
    """Says segments; one worker process, started at first use. Not thread-safe: one engine a worker slot."""

    name = "piper"
    deterministic = False  # its model draws noise

    def __init__(self, folder: Path, *, worker: Worker | None = None) -> None:
        if worker is None and find_spec("piper") is None:
            raise SpeechUnavailableError("Piper is not installed: it comes with likeness[piper].")
        command = [sys.executable, "-I", str(WORKER), str(folder)]
        self._worker = worker or Worker(command, timeout_s=TIMEOUT_S)

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def synthesize(self, segment: Segment, *, voice: Voice) -> Speech:
        """See ``SpeechEngine``."""

        def one(stretch: Stretch) -> Timed:
            if stretch.readings:
                raise SpeechUnavailableError("Piper takes no <phoneme>: write a <sub> instead.")
            answer = self._worker.ask(
                {
                    "text": stretch.text,
                    "voice": voice.name,
                    "rate": stretch.prosody.rate * voice.rate,
                    "volume_db": stretch.prosody.volume_db,
                }
            )
            if not answer.fields.get("ok"):
                refused = VoiceMissingError if answer.fields.get("code") == "voice" else SpeechFailedError
                raise refused(f"Piper: {answer.fields.get('error', 'no reason')}.")
            return _timed(answer.fields, answer.pcm, stretch)

        return say(segment, one=one, engine=self.name, timing=Timing.EXACT, voice=voice)


def _timed(fields: Mapping[str, Any], pcm: bytes, stretch: Stretch) -> Timed:
    """Phones, and words by the spaces between them, led back to the words of the text.

    Raises:
        SpeechTimesError: the worker's phones do not make up its sound.
    """
    sound = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.int16)
    rows: Any = fields.get("phones")
    rate = fields.get("sample_rate")
    if not isinstance(rate, int) or rate <= 0 or not _usable(rows):
        raise SpeechTimesError("Piper gave no phones, or no sample rate.")
    ends = np.cumsum([0, *(count for _, count in rows)])
    if abs(int(ends[-1]) - len(sound)) > rate // 1000:
        raise SpeechTimesError(f"Piper's phones make up {ends[-1]} samples of {len(sound)}.")
    ends[-1] = len(sound)
    groups: list[list[Phone]] = [[]]
    phones: list[Phone] = []
    stress = 0
    for (name, _), (start, end) in zip(rows, pairwise((ends / rate).tolist()), strict=True):
        stress = _STRESS.get(name, stress)
        joins = bool(phones) and (name in _STRESS or (name in _MODIFIERS and phones[-1].ipa != ""))
        if end <= start:
            continue
        if joins:
            phones[-1] = Phone(phones[-1].ipa, phones[-1].start_s, end, phones[-1].stress)
            continue
        silent = name == _SPACE or not name or not name.isalpha()
        phones.append(Phone("" if silent else name, start, end, 0 if silent else stress))
        stress = 0 if not silent else stress
        if name == _SPACE and groups[-1]:
            groups.append([])
        elif not silent:
            groups[-1].append(phones[-1])
    return Timed(sound, rate, tuple(phones), _words([each for each in groups if each], stretch))


def _usable(rows: object) -> bool:
    return isinstance(rows, list) and all(
        isinstance(row, list)
        and len(row) == 2
        and isinstance(row[0], str)
        and isinstance(row[1], int)
        and row[1] >= 0
        for row in rows
    )


def _words(groups: Sequence[Sequence[Phone]], stretch: Stretch) -> tuple[tuple[float, float, int, int], ...]:
    """Words of the text by the groups of phones; where their numbers differ, by their share of the text.

    Mandarin is written without spaces, and a figure that was missed is several groups.
    """
    places: list[tuple[int, int]] = []
    at = 0
    for word in stretch.text.split(_SPACE):
        if any(map(str.isalnum, word)):
            places.append((at, at + len(word)))
        at += len(word) + 1
    if len(places) != len(groups):
        counts = np.cumsum([0, *(len(each) for each in groups)])
        cuts = np.rint(counts / max(1, counts[-1]) * len(stretch.text)).astype(int).tolist()
        places = [(first, max(last, first + 1)) for first, last in pairwise(cuts)]
    return tuple(
        (own[0].start_s, own[-1].end_s, first, last)
        for own, (first, last) in zip(groups, places, strict=True)
    )
