"""A speech engine of the bank's own, or a vendor's, over HTTP; off unless it is configured.

The request is always ours; the words are those that the reviewer saw, never the raw script::

    POST  {"text": "您的余额为五元。", "language": "zh", "voice": "wang", "version": "2", "rate": 1.0,
           "pitch_st": 0.0, "volume_db": 0.0,
           "readings": [{"start": 0, "end": 1, "alphabet": "pinyin", "phonemes": "nin2"}]}
    Authorization: Bearer <key>

The answer is JSON; ``kind`` says which. Sound is 16-bit mono, at 16,000, 22,050, 24,000, 44,100 or 48,000 Hz:
``"wav": base64``, or ``"pcm": base64`` (little-endian) with ``"sample_rate"``.

- ``plain``: ``phones`` [{"ipa", "start", "end", "stress"}] in seconds, in order and touching from 0 to the
  sound's end, "" for silence, stress 0 to 2; ``words`` [{"start", "end", "char_start", "char_end"}],
  characters of ``text``, the end exclusive. Times are exact.
- ``azure``: ``visemes`` [{"AudioOffset", "VisemeId"}] and ``words`` [{"AudioOffset", "Duration",
  "TextOffset", "WordLength"}], in 100 ns and characters of ``text``: the events of Azure's Speech SDK as they
  come. Its plain REST service gives no visemes, so a small gateway of the bank's own holds the SDK. Exact.
- ``cosyvoice``: ``words`` [{"begin_time", "end_time", "begin_index", "end_index"}], in milliseconds and
  characters of ``text``; another engine's phones share each word's time. Aligned.

A voice that it does not have is answered by 404 with {"code": "voice_missing"}. Everything else that goes
wrong is tried once more, then the job fails: never a video without sound it can follow.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from generation.presenter import http_answers, outbound
from generation.presenter.errors import (
    SpeechFailedError,
    SpeechTimesError,
    SpeechUnavailableError,
    VoiceMissingError,
)
from generation.presenter.http_answers import Share
from generation.presenter.normalise import Piece
from generation.presenter.script import Run, Segment
from generation.presenter.speech import Speech, SpeechEngine, Timing, Voice
from generation.presenter.stretches import Stretch, Timed, placed, say

KEY_MAX = 4096


class Kind(StrEnum):
    """What an engine answers."""

    PLAIN = "plain"
    AZURE = "azure"
    COSYVOICE = "cosyvoice"


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """Where the engine is; ``key`` is sent as a bearer token and is never part of a message."""

    target: outbound.Target
    kind: Kind
    key: str = ""


class HttpEngine:
    """Says segments through the configured engine; ``reference`` names the phones where it does not."""

    deterministic = False

    def __init__(self, config: HttpConfig, *, reference: Callable[[], SpeechEngine] | None = None) -> None:
        parts = outbound.checked(config.target)
        if len(config.key) > KEY_MAX or not (config.key.isascii() and config.key.isprintable()):
            raise SpeechUnavailableError("The speech engine's key is not one line of letters.")
        if config.kind is Kind.COSYVOICE and reference is None:
            raise SpeechUnavailableError("An engine with word times alone needs eSpeak NG beside it.")
        self._config, self._reference = config, reference
        self.host = parts.hostname or ""
        self.name = f"{config.kind.value} at {self.host}"

    def synthesize(self, segment: Segment, *, voice: Voice) -> Speech:
        """See ``SpeechEngine``."""
        timing = Timing.ALIGNED if self._config.kind is Kind.COSYVOICE else Timing.EXACT

        def one(stretch: Stretch) -> Timed:
            try:
                return self._once(stretch, voice, timing)
            except (SpeechFailedError, SpeechTimesError):
                return self._once(stretch, voice, timing)

        return say(segment, one=one, engine=self.name, timing=timing, voice=voice)

    def _once(self, stretch: Stretch, voice: Voice, timing: Timing) -> Timed:
        reply = outbound.post(self._config.target, _request(stretch, voice), headers=self._headers())
        if reply.status == 404 and b"voice_missing" in reply.body[:4096]:
            raise VoiceMissingError(f"{self.name} has no voice {voice.name or voice.id}.")
        if reply.status != 200:
            raise SpeechFailedError(f"{self.name} answered {reply.status}.")
        if reply.content_type != "application/json":
            raise SpeechFailedError(f"{self.name} answered with {reply.content_type[:60]}, not with JSON.")
        timed = self._read(reply.body, stretch)
        placed(timed, stretch, engine=self.name, timing=timing, voice=voice)  # what cannot be used is retried
        return timed

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return headers | ({"Authorization": f"Bearer {self._config.key}"} if self._config.key else {})

    def _read(self, body: bytes, stretch: Stretch) -> Timed:
        answer = http_answers.opened(body)
        if self._config.kind is Kind.AZURE:
            return http_answers.azure(answer, stretch)
        if self._config.kind is Kind.COSYVOICE and self._reference is not None:
            return http_answers.cosyvoice(answer, stretch, share=phones_by(self._reference))
        return http_answers.plain(answer, stretch)


def phones_by(reference: Callable[[], SpeechEngine]) -> Share:
    """The phones of a stretch as another engine says it."""
    return partial(_phones_by, reference)


def _phones_by(reference: Callable[[], SpeechEngine], stretch: Stretch) -> Sequence[tuple[int, str, float]]:
    # one piece a character: the words' places are then characters of the stretch
    pieces = tuple(Piece(sign, at, at + 1, "") for at, sign in enumerate(stretch.text))
    run = Run(stretch.language, pieces, stretch.prosody)
    said = reference().synthesize(Segment((run,), 0, len(stretch.text)), voice=Voice("reference"))
    return [
        (said.words[phone.word].char_start, phone.ipa, phone.end_s - phone.start_s)
        for phone in said.phones
        if phone.ipa and phone.word >= 0
    ]


def _request(stretch: Stretch, voice: Voice) -> bytes:
    readings = [
        {"start": each.start, "end": each.end, "alphabet": each.alphabet, "phonemes": each.phonemes}
        for each in stretch.readings
    ]
    document = {
        "text": stretch.text,
        "language": stretch.language.value,
        "voice": voice.name or voice.id,
        "version": voice.version,
        "rate": stretch.prosody.rate * voice.rate,
        "pitch_st": stretch.prosody.pitch_st,
        "volume_db": stretch.prosody.volume_db,
        "readings": readings,
    }
    return json.dumps(document, ensure_ascii=False).encode()
