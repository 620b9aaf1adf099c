"""What a script says, before anybody speaks it: a lexicon, contact data, promises of a rate of return.

- The lexicon is matched on a text without spaces, stops and case, simplified and at normal width:
  a term written with gaps, hyphens, invisible or traditional characters is the same term.
- A hit behind a negation, across two sentences or only by its sound is held, not refused: a person decides.
- Offsets lead back to the text as it was written.

Hits name their category, never the list: a list that answers is a list that can be probed.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

import ahocorasick
import opencc
from pypinyin import lazy_pinyin

INVISIBLE = frozenset(map(chr, (*range(0x200B, 0x200F), 0x2060, 0xFEFF, 0x00AD, *range(0xFE00, 0xFE10))))
NEGATIONS = ("不", "没有", "并非", "无法", "勿", "未", "拒绝", "not ", "never ", "no ", "n't ")
NEGATION_REACH = 6
SOUND_MIN = 4
"""Terms shorter than this sound like too much else."""
_SENTENCE_END = re.compile(r"[。！？!?；;\n]|\.(?=\s|$)")
_PATTERNS: Mapping[str, str] = {
    "text.rate": (
        r"年化[^\n。]{0,6}?\d+(?:\.\d+)?\s*[%％]"
        r"|(?:收益|回报)率?(?:可达|高达|达|不低于|约)[^\n。]{0,4}?\d"
    ),
    "text.phone": r"(?<!\d)1[3-9]\d{9}(?!\d)",
    "text.card": r"(?<![\d*])\d{15,19}(?!\d)",
    "text.link": r"https?://|www\.|二维码|扫码",
    "text.account": r"(?:微信|QQ|qq|vx|VX|WeChat)\W{0,3}[A-Za-z][\w-]{4,}|(?:微信|QQ|qq)\W{0,3}\d{5,}",
}
_COMPILED = {code: re.compile(pattern) for code, pattern in _PATTERNS.items()}


class Outcome(StrEnum):
    """What a hit does to the script."""

    REFUSE = "refuse"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Hit:
    """``code`` is stable; ``start`` and ``end`` (exclusive) are characters of the text as written."""

    code: str
    start: int
    end: int
    outcome: Outcome


class Lexicon:
    """Terms by category, ready to be searched."""

    def __init__(self, terms: Mapping[str, Sequence[str]], *, version: int) -> None:
        self.version = version
        self._words = ahocorasick.Automaton()
        self._sounds: dict[tuple[str, ...], str] = {}
        for category, listed in terms.items():
            for term in listed:
                plain = _folded(term).text
                if plain:
                    self._words.add_word(plain, (f"text.{category}", len(plain)))
                if len(plain) >= SOUND_MIN and _is_han(plain):
                    self._sounds[tuple(lazy_pinyin(plain))] = f"text.{category}"
        if len(self._words):
            self._words.make_automaton()

    def __len__(self) -> int:
        return len(self._words)

    def words(self, plain: str) -> Iterator[tuple[str, int, int]]:
        """Category code, start and end of each term in a folded text."""
        if not len(self._words):
            return
        for last, (code, length) in self._words.iter(plain):
            yield code, last - length + 1, last + 1

    def sounds(self, plain: str) -> Iterator[tuple[str, int, int]]:
        """The same for terms that are only heard: homophones."""
        for run in re.finditer(rf"[\u3400-\u9fff]{{{SOUND_MIN},}}", plain):
            heard = lazy_pinyin(run[0])
            for said, code in self._sounds.items():
                for at in range(len(heard) - len(said) + 1):
                    if tuple(heard[at : at + len(said)]) == said:
                        yield code, run.start() + at, run.start() + at + len(said)


@cache
def built_in() -> Lexicon:
    """The lexicon that comes with the platform."""
    table = tomllib.loads(files("generation.gate").joinpath("lexicon.toml").read_text("utf-8"))
    version = int(table.pop("version"))
    return Lexicon({category: rows["terms"] for category, rows in table.items()}, version=version)


def screen(text: str, *, lexicon: Lexicon, prohibited: Sequence[str] = ()) -> tuple[Hit, ...]:
    """Everything in a text that must not be said; ``prohibited``: what the licence itself rules out.

    Raises:
        ValueError: the lexicon is empty: an empty list would let everything through.
    """
    if not len(lexicon):
        raise ValueError("The lexicon of the text gate is empty.")
    folded = _folded(text)
    hits = list(_listed(text, folded, lexicon))
    if prohibited:
        hits += _listed(text, folded, Lexicon({"licence": prohibited}, version=0))
    for code, pattern in _COMPILED.items():
        hits += [Hit(code, match.start(), match.end(), Outcome.REFUSE) for match in pattern.finditer(text)]
    return tuple(sorted(_widest(hits), key=lambda hit: (hit.start, hit.end, hit.code)))


@dataclass(frozen=True, slots=True)
class _Folded:
    """A text as it is matched, and the character of the original behind each of its characters."""

    text: str
    at: tuple[int, ...]


def _folded(text: str) -> _Folded:
    kept: list[str] = []
    at: list[int] = []
    for place, sign in enumerate(text):
        if sign in INVISIBLE:
            continue
        for plain in unicodedata.normalize("NFKC", sign).casefold():
            if plain.isalnum():
                kept.append(plain)
                at.append(place)
    simplified = _simplify("".join(kept))
    if len(simplified) != len(kept):  # a phrase rule changed the length: character by character keeps places
        simplified = "".join(_simplify(sign)[:1] or sign for sign in kept)
    return _Folded(simplified, tuple(at))


def _simplify(text: str) -> str:
    return str(_converter().convert(text))


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def _is_han(text: str) -> bool:
    return all("\u3400" <= sign <= "\u9fff" for sign in text)


def _listed(text: str, folded: _Folded, lexicon: Lexicon) -> Iterator[Hit]:
    written = set()
    for code, first, last in lexicon.words(folded.text):
        start, end = folded.at[first], folded.at[last - 1] + 1
        written.add((start, end))
        held = _negated(text, start) or bool(_SENTENCE_END.search(text, start, end))
        yield Hit(code, start, end, Outcome.HOLD if held else Outcome.REFUSE)
    for code, first, last in lexicon.sounds(folded.text):
        start, end = folded.at[first], folded.at[last - 1] + 1
        if (start, end) not in written:
            yield Hit(code, start, end, Outcome.HOLD)


def _negated(text: str, start: int) -> bool:
    before = text[max(0, start - NEGATION_REACH - 4) : start].casefold()
    sentence = _SENTENCE_END.split(before)[-1]
    return any(word in sentence[-(NEGATION_REACH + len(word)) :] for word in NEGATIONS)


def _widest(hits: Sequence[Hit]) -> Iterator[Hit]:
    """Without the hits that lie inside another of the same code and outcome."""
    for hit in dict.fromkeys(hits):
        inside = any(
            other != hit
            and other.code == hit.code
            and other.outcome == hit.outcome
            and other.start <= hit.start
            and hit.end <= other.end
            for other in hits
        )
        if not inside:
            yield hit
