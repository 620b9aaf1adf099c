"""A script as segments that can be spoken: one sentence each, with pauses, marks and one language a run.

All places are characters of ``Script.text``: the words as they are shown, without markup. Subtitles take
their text from there, so that a viewer reads ¥1,234.56 while 元, 角 and 分 are said.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from generation.presenter import gestures
from generation.presenter.errors import (
    ScriptEmptyError,
    ScriptError,
    ScriptTooLongError,
    SsmlInvalidError,
)
from generation.presenter.normalise import LENGTH_MAX, Language, Notice, Piece, Reading, normalise, say_as
from generation.presenter.ssml import Border, Item, Mark, Pause, Prosody, Style, Text, parse

PARAGRAPH_S = 0.5
"""Silence between two paragraphs of plain text."""
_SENTENCE_END = re.compile(r"[。！？；!?;]+[”’」』）)\"']*|\.(?=\s|$)[”’\"')]*|\n+")
_ABBREVIATION = re.compile(r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|No|vs|etc|approx|Ltd|St)|\b[a-z]\.[a-z]|\b[ap]\.m)$")
_LATIN = re.compile(r"[A-Za-z]")
_WORD = re.compile(r"[A-Za-z]*[a-z][A-Za-z]*")  # capitals alone, ATM or T+1, are at home in both
_HAN = re.compile(r"[\u3400-\u9fff]")


class Kind(StrEnum):
    """How a script is written."""

    TEXT = "text"
    SSML = "ssml"


@dataclass(frozen=True, slots=True)
class Run:
    """Words in one language, voice and manner; the pieces' places are in ``Script.text``."""

    language: Language
    pieces: tuple[Piece, ...]
    prosody: Prosody
    voice: str = ""
    alphabet: str = ""
    phonemes: str = ""

    @property
    def spoken(self) -> str:
        """The words to say."""
        return "".join(piece.spoken for piece in self.pieces)


Part = Run | Pause | Mark


@dataclass(frozen=True, slots=True)
class Segment:
    """One sentence: what is said, in order; ``start`` and ``end`` in ``Script.text``."""

    parts: tuple[Part, ...]
    start: int
    end: int

    @property
    def spoken(self) -> str:
        """The words to say, without pauses and marks."""
        return "".join(part.spoken for part in self.parts if isinstance(part, Run))


@dataclass(frozen=True, slots=True)
class Script:
    """A script that was read; ``sha256`` is of the source as it came."""

    text: str
    language: Language
    segments: tuple[Segment, ...]
    notices: tuple[Notice, ...]
    sha256: str

    @property
    def spoken(self) -> str:
        """All words, a sentence a line, as a reviewer sees them."""
        return "\n".join(segment.spoken.strip() for segment in self.segments if segment.spoken.strip())


def read(source: str, *, language: Language, kind: Kind = Kind.TEXT) -> Script:
    """Read plain text or SSML.

    Raises:
        ScriptEmptyError: nothing is left to speak.
        ScriptTooLongError: more than 20,000 characters, markup included.
        ScriptAmbiguousError: an amount, date or time with two readings, or none.
        ScriptCharacterError: a character that cannot be spoken.
        SsmlInvalidError: markup outside the subset.
    """
    if len(source) > LENGTH_MAX:
        raise ScriptTooLongError(f"The script has {len(source)} characters of at most {LENGTH_MAX}.")
    items = parse(source, language=language) if kind is Kind.SSML else (Text(source, Style(language)),)
    text = "".join(item.text for item in items if isinstance(item, Text))
    notices: list[Notice] = []
    segments = tuple(_segments(items, notices))
    if not any(sign.isalnum() for segment in segments for sign in segment.spoken):
        raise ScriptEmptyError("The script has nothing that can be spoken.")
    digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
    return Script(text, language, segments, tuple(notices), digest)


def _segments(items: Sequence[Item], notices: list[Notice]) -> Iterator[Segment]:
    """Group items into sentences; a border, or a sentence's end inside a text, closes one."""
    parts: list[Part] = []
    at = start = 0
    for item in items:
        if isinstance(item, (Pause, Mark)):
            parts.append(item)
            if isinstance(item, Mark) and gestures.is_unknown(item.name):
                text = f"No gesture is called {item.name!r}; there are {', '.join(gestures.NAMES)}."
                notices.append(Notice("script_gesture", text, at, at))
        elif isinstance(item, Border):
            if _speaks(parts):
                yield Segment(tuple(parts), start, at)
                parts = []
            start = at
        else:
            for sentence, ended in _sentences(item):
                parts += _runs(_in_its_language(sentence), at, notices)
                if sentence.text.startswith("\n\n"):
                    parts.append(Pause(PARAGRAPH_S))
                at += len(sentence.text)
                if ended and _speaks(parts):
                    yield Segment(tuple(parts), start, at)
                    parts, start = [], at
    if parts:
        yield Segment(tuple(parts), start, at)


def _in_its_language(sentence: Text) -> Text:
    """A sentence wholly in the other script is read by that language's rules: its amounts are, too."""
    han, latin = bool(_HAN.search(sentence.text)), bool(_WORD.search(sentence.text))
    if han == latin:
        return sentence
    language = Language.ZH if han else Language.EN
    return replace(sentence, style=replace(sentence.style, language=language))


def _speaks(parts: Sequence[Part]) -> bool:
    return any(isinstance(part, Run) and any(map(str.isalnum, part.spoken)) for part in parts)


def _sentences(item: Text) -> Iterator[tuple[Text, bool]]:
    """The text cut behind each sentence's end; a fixed reading is never cut."""
    if item.style.alias or item.style.phonemes or item.style.say_as:
        yield item, False
        return
    at = 0
    for match in _SENTENCE_END.finditer(item.text):
        if match[0].startswith(".") and _ABBREVIATION.search(item.text, at, match.start()):
            continue
        yield replace(item, text=item.text[at : match.end()]), True
        at = match.end()
    if at < len(item.text):
        yield replace(item, text=item.text[at:]), False


def _runs(item: Text, offset: int, notices: list[Notice]) -> list[Run]:
    style = item.style
    if not item.text.strip():
        return []
    whole = (offset, offset + len(item.text))
    if style.phonemes:
        piece = Piece(item.text, *whole, "phoneme")
        return [Run(style.language, (piece,), style.prosody, style.voice, style.alphabet, style.phonemes)]
    if style.say_as:
        said = say_as(item.text, style.say_as, language=style.language)
        if said is None:
            raise SsmlInvalidError(f"{item.text!r} cannot be read as {style.say_as}.")
        return _by_language((Piece(said, *whole, style.say_as),), style)
    spoken = style.alias or item.text
    if not any(map(str.isalnum, spoken)):
        copied = tuple(Piece(sign, offset + at, offset + at + 1, "") for at, sign in enumerate(item.text))
        return _by_language(copied, style)
    reading = _reading(spoken, style, whole)
    if style.alias:
        return _by_language((Piece(reading.spoken, *whole, "sub"),), style)
    notices += [replace(each, start=each.start + offset, end=each.end + offset) for each in reading.notices]
    moved = (replace(each, start=each.start + offset, end=each.end + offset) for each in reading.pieces)
    return _by_language(tuple(moved), style)


def _reading(spoken: str, style: Style, whole: tuple[int, int]) -> Reading:
    """The normalised words; what is wrong with them is placed in the script, not in the sentence."""
    try:
        return normalise(spoken, language=style.language)
    except ScriptError as error:
        inside = (error.start + whole[0], error.end + whole[0]) if error.end else whole
        error.start, error.end = whole if style.alias else inside
        raise


def _by_language(pieces: Sequence[Piece], style: Style) -> list[Run]:
    """Cut where the language changes: a Latin word inside Mandarin is said by the English voice."""
    groups: list[tuple[Language, list[Piece]]] = []
    for piece in pieces:
        language = _language_of(piece.spoken, style.language)
        if language is None:
            language = groups[-1][0] if groups else style.language
        if not groups or groups[-1][0] is not language:
            groups.append((language, []))
        groups[-1][1].append(piece)
    return [Run(language, tuple(group), style.prosody, style.voice) for language, group in groups]


def _language_of(spoken: str, base: Language) -> Language | None:
    """None for what belongs to whatever stands beside it: spaces and stops."""
    if _HAN.search(spoken):
        return Language.ZH
    if _LATIN.search(spoken):
        return Language.EN
    return base if any(map(str.isalnum, spoken)) else None
