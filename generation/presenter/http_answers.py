"""What HTTP speech engines answer, as sound and times; the three kinds are described in ``http_engine``.

Everything is checked here as if it came from a stranger: it does.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import wave
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NoReturn

import numpy as np

from generation.presenter.errors import SpeechTimesError
from generation.presenter.speech import Pcm, Phone
from generation.presenter.stretches import Stretch, Timed

TICKS_A_SECOND = 10_000_000
"""Azure counts in 100 ns."""
ROWS_MAX = 100_000
NUMBER_MAX = 1e12
VISEME_IPA: Final = (
    *("", "ə", "a", "ɔ", "ɛ", "ɚ", "i", "u", "o", "au", "ɔɪ"),
    *("ai", "h", "ɹ", "l", "s", "ʃ", "θ", "f", "t", "k", "p"),
)
"""By viseme id: a phone that has just this viseme; an engine with visemes tells no more of its phones."""

Share = Callable[[Stretch], Sequence[tuple[int, str, float]]]
"""The phones of a stretch by another engine: (character, IPA, length in seconds), in order."""


def opened(body: bytes) -> dict[str, Any]:
    """The answer's object.

    Raises:
        SpeechTimesError: it is no JSON object, or holds numbers that are none.
    """

    def refuse(name: str) -> NoReturn:
        raise ValueError(name)

    try:
        found = json.loads(body, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise SpeechTimesError(f"The speech engine did not answer in JSON: {str(error)[:80]}.") from None
    if not isinstance(found, dict):
        raise SpeechTimesError("The speech engine did not answer with an object.")
    return found


def plain(answer: Mapping[str, Any], stretch: Stretch) -> Timed:
    """Our own contract: phones and words in seconds.

    Raises:
        SpeechTimesError: a field is missing or of the wrong kind.
    """
    del stretch
    pcm, rate = _sound(answer)
    phones = [
        Phone(_text(row, "ipa"), _number(row, "start"), _number(row, "end"), _whole(row, "stress", 0))
        for row in _rows(answer, "phones")
    ]
    words = [
        (_number(row, "start"), _number(row, "end"), _whole(row, "char_start"), _whole(row, "char_end"))
        for row in _rows(answer, "words")
    ]
    return Timed(pcm, rate, tuple(phones), tuple(words))


def azure(answer: Mapping[str, Any], stretch: Stretch) -> Timed:
    """The events of Azure's SDK: visemes and words, offsets in ticks of 100 ns.

    Raises:
        SpeechTimesError: a field is missing, of the wrong kind, or out of order.
    """
    del stretch
    pcm, rate = _sound(answer)
    end_s = len(pcm) / rate
    starts = [_ticks(row, "AudioOffset") for row in _rows(answer, "visemes")]
    ids = [_whole(row, "VisemeId") for row in _rows(answer, "visemes")]
    if not starts or starts != sorted(starts) or starts[-1] > end_s:
        raise SpeechTimesError("The speech engine's visemes are missing, out of order or behind its sound.")
    if unknown := [each for each in ids if not 0 <= each < len(VISEME_IPA)]:
        raise SpeechTimesError(f"The speech engine gave the viseme {unknown[0]}; they are 0 to 21.")
    rows = [(0.0, 0), *zip(starts, ids, strict=True), (end_s, 0)]
    phones = [
        Phone(VISEME_IPA[number], start, end)
        for (start, number), (end, _) in pairwise(rows)
        if end > start  # two events at one time: the second is what is seen
    ]
    words = []
    for row in _rows(answer, "words"):
        start, first = _ticks(row, "AudioOffset"), _whole(row, "TextOffset")
        end = start + _ticks(row, "Duration")
        words.append((start, end, first, first + _whole(row, "WordLength")))
    return Timed(pcm, rate, tuple(phones), tuple(words))


def cosyvoice(answer: Mapping[str, Any], stretch: Stretch, *, share: Share) -> Timed:
    """Word times alone, in milliseconds; ``share`` says which phones a word has and how they share its time.

    Raises:
        SpeechTimesError: a field is missing, of the wrong kind, or out of order.
    """
    pcm, rate = _sound(answer)
    words = []
    for row in _rows(answer, "words"):
        start, end = _number(row, "begin_time") / 1000, _number(row, "end_time") / 1000
        words.append((start, end, _whole(row, "begin_index"), _whole(row, "end_index")))
    return Timed(pcm, rate, shared_out(words, share(stretch), end_s=len(pcm) / rate), tuple(words))


def shared_out(
    words: Sequence[tuple[float, float, int, int]],
    phones: Sequence[tuple[int, str, float]],
    *,
    end_s: float,
) -> tuple[Phone, ...]:
    """Each word's time for its own phones, in the proportions that they have in ``phones``.

    Raises:
        SpeechTimesError: words overlap, or a word has no phones.
    """
    out: list[Phone] = []
    at = 0.0
    for start, end, first, last in words:
        own = [(ipa, length) for place, ipa, length in phones if first <= place < last]
        if not at - 1e-6 <= start < end <= end_s + 1e-3:
            raise SpeechTimesError(f"The speech engine says a word from {start:.3f} to {end:.3f} s.")
        if not own:
            raise SpeechTimesError(f"No phones are known for the characters {first} to {last}.")
        end = min(end, end_s)
        if start > at + 1e-6:
            out.append(Phone("", at, start))
        total = sum(length for _, length in own)
        at = max(start, at)
        for ipa, length in own:
            out.append(Phone(ipa, at, at + (end - start) * length / total))
            at = out[-1].end_s
        at = end
    return (*out, Phone("", at, end_s)) if end_s > at + 1e-6 else tuple(out)


def _sound(answer: Mapping[str, Any]) -> tuple[Pcm, int]:
    """16-bit mono from ``pcm`` (base64, little-endian) with ``sample_rate``, or from ``wav`` (base64)."""
    given = answer.get("pcm", answer.get("wav"))
    if not isinstance(given, str):
        raise SpeechTimesError("The speech engine gave neither pcm nor wav.")
    try:
        data = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        raise SpeechTimesError("The speech engine's sound is not base64.") from None
    if "pcm" in answer:
        rate = _whole(answer, "sample_rate")
    else:
        data, rate = _unwrapped(data)
    pcm = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int16)
    if not len(pcm) or rate <= 0:
        raise SpeechTimesError("The speech engine gave no sound.")
    return pcm, rate


def _unwrapped(data: bytes) -> tuple[bytes, int]:
    try:
        with wave.open(io.BytesIO(data)) as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, 2):
                raise SpeechTimesError("The speech engine's WAV is not 16-bit mono.")
            return file.readframes(file.getnframes()), file.getframerate()
    except (wave.Error, EOFError, RuntimeError) as error:
        raise SpeechTimesError(f"The speech engine's WAV cannot be read: {error}.") from None


def _rows(answer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = answer.get(name)
    if not isinstance(rows, list) or len(rows) > ROWS_MAX or not all(isinstance(row, dict) for row in rows):
        raise SpeechTimesError(f"The speech engine's {name} are not a list of objects.")
    return rows


def _number(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -NUMBER_MAX < value < NUMBER_MAX:
        raise SpeechTimesError(f"The speech engine's {name} is {str(value)[:20]!r}, no number.")
    return float(value)


def _ticks(row: Mapping[str, Any], name: str) -> float:
    return _number(row, name) / TICKS_A_SECOND


def _whole(row: Mapping[str, Any], name: str, otherwise: int | None = None) -> int:
    value = row.get(name, otherwise)
    if isinstance(value, bool) or not isinstance(value, int):
        raise SpeechTimesError(f"The speech engine's {name} is {str(value)[:20]!r}, no whole number.")
    return value


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or len(value) > 16:
        raise SpeechTimesError(f"The speech engine's {name} is {str(value)[:20]!r}, no phone.")
    return value
