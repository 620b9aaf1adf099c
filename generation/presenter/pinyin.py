"""Which reading a character of several readings has in bank text: our own phrases, longest match first."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Final

from pypinyin import Style, lazy_pinyin

_PHRASES: Final[dict[str, str]] = tomllib.loads(
    files("generation.presenter").joinpath("polyphones.toml").read_text("utf-8")
)
_LISTED: Final = re.compile("|".join(sorted(map(re.escape, _PHRASES), key=len, reverse=True)))
_HAN = re.compile(r"[\u3400-\u9fff]")


def readings(text: str) -> list[tuple[int, int, str]]:
    """Start, end and pinyin with tone numbers of every listed phrase in a text."""
    return [(match.start(), match.end(), _PHRASES[match[0]]) for match in _LISTED.finditer(text)]


def to_pinyin(text: str) -> tuple[str, list[int]]:
    """The text in pinyin, and for each of its characters the character of ``text`` that it stands for.

    Listed phrases as listed, all else as pypinyin reads it; what is not Chinese is copied.
    """
    syllables = _syllables(text)
    out: list[str] = []
    at: list[int] = []
    for place, character in enumerate(text):
        shown = f"{syllables[place]} " if place in syllables else character
        out.append(shown)
        at += [place] * len(shown)
    return "".join(out), at


def _syllables(text: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for start, _, said in readings(text):
        found |= {start + offset: syllable for offset, syllable in enumerate(said.split())}
    for match in re.finditer(rf"{_HAN.pattern}+", text):
        read = lazy_pinyin(match[0], style=Style.TONE3, neutral_tone_with_five=True, v_to_u=False)
        for offset, syllable in enumerate(read):
            found.setdefault(match.start() + offset, syllable)
    return found
