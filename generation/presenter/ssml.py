"""The SSML that scripts may use: a small, closed set of elements, read by expat, everything risky refused.

Document types, entities and processing instructions are refused, nesting is at most eight deep, and an
unknown element or attribute is refused with its line and column. Nothing is dropped in silence: a word that
a bank's script loses is a defect. (W3C Speech Synthesis Markup Language 1.1)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from xml.parsers import expat

from generation.presenter.errors import SsmlInvalidError
from generation.presenter.normalise import Language

DEPTH_MAX = 8
PAUSE_MAX_S = 10.0
STRENGTHS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.35, "strong": 0.6, "x-strong": 0.9}
"""Seconds of ``<break strength>``."""
RATES = {"x-slow": 0.6, "slow": 0.8, "medium": 1.0, "fast": 1.25, "x-fast": 1.5, "default": 1.0}
PITCHES = {"x-low": -4.0, "low": -2.0, "medium": 0.0, "high": 2.0, "x-high": 4.0, "default": 0.0}
VOLUMES = {"x-soft": -12.0, "soft": -6.0, "medium": 0.0, "loud": 4.0, "x-loud": 6.0, "default": 0.0}
SAY_AS = ("digits", "cardinal", "date", "currency", "telephone")
ALPHABETS = ("ipa", "pinyin")
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "speak": ("xml:lang", "version", "xmlns"),
    "p": ("xml:lang",),
    "s": ("xml:lang",),
    "break": ("time", "strength"),
    "prosody": ("rate", "pitch", "volume"),
    "mark": ("name",),
    "bookmark": ("mark",),
    "say-as": ("interpret-as",),
    "sub": ("alias",),
    "phoneme": ("alphabet", "ph"),
    "lang": ("xml:lang",),
    "voice": ("name",),
}
EMPTY = ("break", "mark", "bookmark")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Prosody:
    """How something is said: ``rate`` a factor, 0.5 to 2; ``pitch_st`` semitones; ``volume_db`` decibels."""

    rate: float = 1.0
    pitch_st: float = 0.0
    volume_db: float = 0.0


@dataclass(frozen=True, slots=True)
class Style:
    """What holds for a stretch of text; ``alias`` and ``phonemes`` replace its reading."""

    language: Language
    prosody: Prosody = field(default_factory=Prosody)
    voice: str = ""
    say_as: str = ""
    alias: str = ""
    alphabet: str = ""
    phonemes: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A stretch of text in one style."""

    text: str
    style: Style


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence that the author asked for."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A named moment; ``gesture.*`` starts a gesture."""

    name: str


@dataclass(frozen=True, slots=True)
class Border:
    """The end of a sentence or paragraph."""


Item = Text | Pause | Mark | Border


def parse(source: str, *, language: Language) -> tuple[Item, ...]:
    """The document as a flat list.

    Raises:
        SsmlInvalidError: see above; the message names line and column.
    """
    return _Reader(language).read(source)


class _Reader:
    """Collects items while expat walks the document."""

    def __init__(self, language: Language) -> None:
        self._items: list[Item] = []
        self._styles = [Style(language)]
        self._open: list[str] = []
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = lambda *_: self._refuse("a document type is not allowed")
        parser.EntityDeclHandler = lambda *_: self._refuse("entities are not allowed")
        parser.ProcessingInstructionHandler = lambda *_: self._refuse(
            "processing instructions are not allowed"
        )

    def read(self, source: str) -> tuple[Item, ...]:
        try:
            self._parser.Parse(source.encode("utf-8", "surrogatepass"), True)
        except expat.ExpatError as error:
            raise SsmlInvalidError(
                f"Line {error.lineno}, column {error.offset + 1}: {expat.errors.messages[error.code]}."
            ) from None
        return tuple(self._items)

    def _refuse(self, what: str) -> None:
        at = self._parser
        raise SsmlInvalidError(f"Line {at.CurrentLineNumber}, column {at.CurrentColumnNumber + 1}: {what}.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name not in ATTRIBUTES:
            self._refuse(f"<{name}> is not known")
        if (name == "speak") != (not self._open):
            self._refuse("the document is one <speak>, and <speak> stands nowhere else")
        if len(self._open) >= DEPTH_MAX:
            self._refuse(f"elements are nested deeper than {DEPTH_MAX}")
        if self._open and self._open[-1] in (*EMPTY, "say-as", "sub", "phoneme"):
            self._refuse(f"<{self._open[-1]}> cannot hold <{name}>")
        for each in attributes:
            if each not in ATTRIBUTES[name]:
                self._refuse(f"<{name}> has no attribute {each}")
        self._open.append(name)
        self._styles.append(self._styled(name, attributes))
        if name in ("p", "s"):
            self._items.append(Border())
        elif name == "break":
            self._items.append(Pause(self._pause(attributes)))
        elif name in ("mark", "bookmark"):
            self._items.append(Mark(self._named(name, attributes, "name" if name == "mark" else "mark")))

    def _end(self, name: str) -> None:
        self._open.pop()
        self._styles.pop()
        if name in ("p", "s"):
            self._items.append(Border())

    def _text(self, text: str) -> None:
        if self._open[-1] in EMPTY:
            self._refuse(f"<{self._open[-1]}> holds no text")
        self._items.append(Text(text, self._styles[-1]))

    def _styled(self, name: str, attributes: Mapping[str, str]) -> Style:
        style = self._styles[-1]
        if "xml:lang" in attributes:
            style = replace(style, language=self._language(attributes["xml:lang"]))
        elif name == "lang":
            self._refuse("<lang> needs xml:lang")
        if name == "prosody":
            return replace(style, prosody=self._prosody(style.prosody, attributes))
        if name == "voice":
            return replace(style, voice=self._named(name, attributes, "name"))
        if name == "say-as":
            kind = self._needed(name, attributes, "interpret-as")
            if kind not in SAY_AS:
                self._refuse(f"interpret-as is one of {', '.join(SAY_AS)}, not {kind}")
            return replace(style, say_as=kind)
        if name == "sub":
            return replace(style, alias=self._needed(name, attributes, "alias"))
        if name == "phoneme":
            alphabet = attributes.get("alphabet", "ipa")
            if alphabet not in ALPHABETS:
                self._refuse(f"the alphabet is one of {', '.join(ALPHABETS)}, not {alphabet}")
            return replace(style, alphabet=alphabet, phonemes=self._needed(name, attributes, "ph"))
        return style

    def _language(self, tag: str) -> Language:
        known = {"zh": Language.ZH, "cmn": Language.ZH, "en": Language.EN}
        found = known.get(tag.partition("-")[0].lower())
        if found is None:
            self._refuse(f"the language {tag} has no voice")
        return found or Language.ZH

    def _needed(self, name: str, attributes: Mapping[str, str], key: str) -> str:
        value = attributes.get(key, "").strip()
        if not value:
            self._refuse(f"<{name}> needs {key}")
        return value

    def _named(self, name: str, attributes: Mapping[str, str], key: str) -> str:
        value = self._needed(name, attributes, key)
        if not _NAME.fullmatch(value):
            self._refuse(f"{key} is a letter, then letters, digits, dots, - and _, at most 64")
        return value

    def _pause(self, attributes: Mapping[str, str]) -> float:
        if "time" not in attributes:
            strength = attributes.get("strength", "medium")
            if strength not in STRENGTHS:
                self._refuse(f"strength is one of {', '.join(STRENGTHS)}, not {strength}")
            return STRENGTHS.get(strength, 0.0)
        match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s)", attributes["time"].strip())
        seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else -1.0
        if not 0 <= seconds <= PAUSE_MAX_S:
            self._refuse(f"time is 0s to {PAUSE_MAX_S:.0f}s, or milliseconds, not {attributes['time']}")
        return seconds

    def _prosody(self, now: Prosody, attributes: Mapping[str, str]) -> Prosody:
        rate = self._value(attributes, "rate", RATES, r"(\d{2,3}(?:\.\d+)?)%", (50, 200), scale=0.01)
        pitch = self._value(attributes, "pitch", PITCHES, r"([+-]?\d{1,2}(?:\.\d+)?)st", (-12, 12))
        volume = self._value(attributes, "volume", VOLUMES, r"([+-]?\d{1,2}(?:\.\d+)?)dB", (-20, 6))
        return Prosody(
            rate=now.rate if rate is None else rate,
            pitch_st=now.pitch_st if pitch is None else pitch,
            volume_db=now.volume_db if volume is None else volume,
        )

    def _value(
        self,
        attributes: Mapping[str, str],
        key: str,
        names: Mapping[str, float],
        pattern: str,
        bounds: tuple[float, float],
        scale: float = 1.0,
    ) -> float | None:
        if key not in attributes:
            return None
        value = attributes[key].strip()
        if value in names:
            return names[value]
        match = re.fullmatch(pattern, value)
        number = float(match[1]) if match else float("nan")
        if not bounds[0] <= number <= bounds[1]:
            unit = pattern.rpartition(")")[2]
            self._refuse(f"{key} is {bounds[0]:g}{unit} to {bounds[1]:g}{unit} or a name, not {value}")
        return number * scale
