"""Bank text as it is said, with a map from every spoken character back to the script.

- One pass from left to right: at each place the first rule that matches wins, so that the order of the rules
  is their precedence and no rule sees another's words.
- Pieces tile the script exactly; what no rule touches is copied.
- Nothing is guessed in silence: what has two readings, or none, is refused with its place; what a reviewer
  should look at comes back as a warning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from generation.presenter.errors import (
    ScriptAmbiguousError,
    ScriptCharacterError,
    ScriptEmptyError,
    ScriptTooLongError,
)
from generation.presenter.rules import chinese, english, words
from generation.presenter.rules.numerals import en_digits, en_number, zh_digits, zh_number
from generation.presenter.rules.rule import NUMBER, Rule, UnclearError

LENGTH_MAX = 20_000
"""Characters of one script: about an hour of speech."""
_NEVER = {
    "Cc",
    "Cf",
    "Co",
    "Cs",
    "Cn",
}  # controls, zero-width and bidirectional marks, private and unassigned
_JOINERS = {"\u200d", "\ufe0e", "\ufe0f"}  # parts of an emoji, which is not spoken
_SKIN = range(0x1F3FB, 0x1F400)
_EMOJI_BLOCKS = (
    range(0x1F300, 0x1FB00),
    range(0x2600, 0x27C0),
    range(0x2B00, 0x2C00),
    range(0x1F1E6, 0x1F200),
)


class Language(StrEnum):
    """Languages that scripts are written in."""

    ZH = "zh"
    EN = "en"


_RULES: dict[Language, tuple[Rule, ...]] = {Language.ZH: chinese.RULES, Language.EN: english.RULES}
_SIGNS = {Language.ZH: words.ZH_SIGNS, Language.EN: words.EN_SIGNS}


@dataclass(frozen=True, slots=True)
class Piece:
    """``spoken`` stands for characters ``start`` to ``end`` (exclusive); ``rule`` "" is a copy."""

    spoken: str
    start: int
    end: int
    rule: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a reviewer should look at before the script is spoken."""

    code: str
    message: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reading:
    """How a script is said."""

    script: str
    language: Language
    pieces: tuple[Piece, ...]
    notices: tuple[Notice, ...] = ()

    @property
    def spoken(self) -> str:
        """The words, for the reviewer and the speech engine."""
        return "".join(piece.spoken for piece in self.pieces)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the script that spoken characters ``start`` to ``end`` stand for."""
        return script_span(self.pieces, start, end)


def normalise(script: str, *, language: Language) -> Reading:
    """Say a script: ¥1,234.56 becomes 一千二百三十四元五角六分, or "one thousand two hundred ... yuan".

    Raises:
        ScriptEmptyError: nothing is left to speak.
        ScriptTooLongError: more than 20,000 characters.
        ScriptAmbiguousError: an amount, date or time with two readings, or none.
        ScriptCharacterError: a control, zero-width, bidirectional or unspeakable character.
    """
    if len(script) > LENGTH_MAX:
        raise ScriptTooLongError(f"The script has {len(script)} characters of at most {LENGTH_MAX}.")
    text, pieces, notices, at = fold(script), list[Piece](), list[Notice](), 0
    while at < len(text):
        piece = _by_rule(text, at, language, notices) or _copied(text, at, language, notices)
        pieces.append(piece)
        at = piece.end
    if not any(sign.isalnum() for piece in pieces for sign in piece.spoken):
        raise ScriptEmptyError("The script has nothing that can be spoken.")
    return Reading(script, language, tuple(pieces), tuple(notices))


def say_as(text: str, kind: str, *, language: Language) -> str | None:
    """How text is said when its author names what it is: digits, cardinal, date, currency or telephone.

    None when it is not that.
    """
    plain = fold(text).strip()
    chinese_words = language is Language.ZH
    if kind in ("digits", "telephone"):
        if not re.fullmatch(r"[\d +()-]*\d[\d +()-]*", plain):
            return None
        return zh_digits(plain, phone=kind == "telephone") if chinese_words else en_digits(plain)
    if kind == "cardinal":
        if not re.fullmatch(rf"[-−]?{NUMBER}", plain):
            return None
        return zh_number(plain) if chinese_words else en_number(plain)
    wanted = {"date": ("date", "day", "year", "month"), "currency": ("yuan", "foreign", "money")}[kind]
    if kind == "currency" and re.fullmatch(rf"[-−]?{NUMBER}", plain):
        plain = f"¥{plain}"
    for rule in _RULES[language]:
        match = rule.pattern.fullmatch(plain)
        if match is not None and rule.name.partition(" ")[0] in wanted:
            try:
                return rule.read(match)
            except UnclearError:
                return None
    return None


def fold(text: str) -> str:
    """Full-width figures, letters and signs as ASCII, one character for one: NFKC would change lengths."""
    return "".join(_folded(sign) for sign in text)


def _folded(sign: str) -> str:
    if not "！" <= sign <= "～":
        return sign
    plain = unicodedata.normalize("NFKC", sign)
    return plain if len(plain) == 1 and (plain.isalnum() or plain in "%+-./$*@#&=") else sign


def script_span(pieces: Sequence[Piece], start: int, end: int) -> tuple[int, int]:
    """Spoken characters ``start`` to ``end`` as characters of the script."""
    at, first, last = 0, -1, 0
    for piece in pieces:
        if at < end and at + len(piece.spoken) > start:
            first = piece.start if first < 0 else first
            last = piece.end
        at += len(piece.spoken)
    return max(first, 0), last


def _by_rule(text: str, at: int, language: Language, notices: list[Notice]) -> Piece | None:
    for rule in _RULES[language]:
        match = rule.pattern.match(text, at)
        if match is None or match.end() == at:
            continue
        try:
            said = rule.read(match)
        except UnclearError as error:
            raise ScriptAmbiguousError(
                f"{match[0]!r} cannot be read: {error}.",
                start=at,
                end=match.end(),
                readings=error.readings,
            ) from None
        if rule.warn:
            notices.append(
                Notice("script_reading", f"{match[0]!r} is read as {said!r}: {rule.warn}.", at, match.end())
            )
        return Piece(said, at, match.end(), rule.name)
    return None


def _copied(text: str, at: int, language: Language, notices: list[Notice]) -> Piece:
    sign = text[at]
    if sign in _SIGNS[language]:
        return Piece(_SIGNS[language][sign], at, at + 1, "sign")
    if sign in "\n\t\r":
        return Piece("\n" if sign == "\n" else " ", at, at + 1, "space")
    if _is_emoji(sign):
        return _emoji(text, at, notices)
    category = unicodedata.category(sign)
    if category in _NEVER:
        raise ScriptCharacterError(f"U+{ord(sign):04X} is invisible or undefined.", start=at, end=at + 1)
    if category[0] == "S":
        raise ScriptCharacterError(f"{sign!r} has no spoken form.", start=at, end=at + 1)
    return Piece(sign, at, at + 1, "")


def _is_emoji(sign: str) -> bool:
    return any(ord(sign) in block for block in _EMOJI_BLOCKS)


def _emoji(text: str, at: int, notices: list[Notice]) -> Piece:
    end = at + 1
    while end < len(text) and (text[end] in _JOINERS or ord(text[end]) in _SKIN or _is_emoji(text[end])):
        end += 1
    notices.append(Notice("script_emoji", f"{text[at:end]!r} is not spoken.", at, end))
    return Piece("", at, end, "emoji")
