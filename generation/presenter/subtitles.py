"""Subtitles with the times of the real sound and the words of the original script.

A viewer reads ¥1,234.56 while 元, 角 and 分 are said. Lines hold 20 Chinese or 42 Latin characters, cues two
lines and one to seven seconds (the limits that broadcasters use, as presenter.md gives them).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from generation.presenter.script import Script
from generation.presenter.speech import Speech, Word

LINE_WIDTH, LINES = 40, 2
"""A Chinese character counts two, a Latin one a little less than one."""
LATIN_WIDTH = 40 / 42
CUE_MIN_S, CUE_MAX_S = 1.0, 7.0
_BREAK = re.compile(r"(?:[，、；：;。！？!?]|[,:](?!\d))+[”’」』）)\"']*\s*|\s+")
_WHOLE = re.compile(
    r"[\w.,:%¥￥$€£+*/-]"
)  # signs of amounts, times and Latin words: nothing is cut between two
_STOP = re.compile(r"[，、；：,;:]\s*$")


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: ``lines`` are one or two."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def cues(script: Script, speech: Speech) -> tuple[Cue, ...]:
    """The subtitles of a speech."""
    found: list[Cue] = []
    for segment in script.segments:
        for start, end in _pieces(script.text, segment.start, segment.end):
            said = [word for word in speech.words if word.char_start < end and word.char_end > start]
            text = script.text[start:end].strip()
            if said and text:
                found.append(Cue(said[0].start_s, _end(said), tuple(_lines(text))))
    return tuple(_held(found, speech.duration_s))


def _end(said: Sequence[Word]) -> float:
    return max(word.end_s for word in said)


def _held(found: Sequence[Cue], duration_s: float) -> Iterator[Cue]:
    """Cues shown long enough to read, never into the next one."""
    for at, cue in enumerate(found):
        limit = found[at + 1].start_s if at + 1 < len(found) else duration_s
        end = min(max(cue.end_s, cue.start_s + CUE_MIN_S), limit, cue.start_s + CUE_MAX_S)
        yield Cue(cue.start_s, max(end, cue.start_s + 0.04), cue.lines)


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence in parts that fit a cue, cut behind a stop or a space where there is one."""
    room = LINE_WIDTH * LINES
    while width(text[start:end].strip()) > room:
        cut = _cut(text, start, end, room)
        yield start, cut
        start = cut
    if text[start:end].strip():
        yield start, end


def _cut(text: str, start: int, end: int, room: float) -> int:
    """The place after the last break that still fits; behind a comma rather than behind a space."""
    last = start + 1
    used = 0.0
    for at in range(start, end):
        used += width(text[at])
        if used > room:
            break
        last = at + 1
    breaks = [match.end() for match in _BREAK.finditer(text, start, last) if match.end() > start]
    stops = [at for at in breaks if _STOP.search(text[start:at]) and at - start >= (last - start) // 2]
    if stops:
        return stops[-1]
    if breaks and breaks[-1] - start >= (last - start) // 3:
        return breaks[-1]
    while last - start > room / 4 and _inside(text, last):
        last -= 1
    return last


def _inside(text: str, at: int) -> bool:
    """Whether a cut would part an amount, a time or a Latin word; Chinese may be cut anywhere."""
    before, after = text[at - 1], text[at] if at < len(text) else " "
    whole = _WHOLE.match(before) and _WHOLE.match(after)
    return bool(whole) and before < "\u3000" and (after < "\u3000" or before.isdigit())


def _lines(text: str) -> list[str]:
    """One line, or two of about the same width."""
    flat = re.sub(r"\s*\n\s*", " ", text)
    if width(flat) <= LINE_WIDTH:
        return [flat]
    middle = width(flat) / 2
    places = [match.end() for match in _BREAK.finditer(flat)] or list(range(1, len(flat)))
    fitting = [
        at
        for at in places
        if width(flat[:at].strip()) <= LINE_WIDTH and width(flat[at:].strip()) <= LINE_WIDTH
    ]
    if not fitting:
        anywhere = [
            at
            for at in range(1, len(flat))
            if width(flat[:at]) <= LINE_WIDTH and width(flat[at:]) <= LINE_WIDTH
        ]
        fitting = [at for at in anywhere if not _inside(flat, at)] or anywhere
    if not fitting:
        return [flat]
    best = min(fitting, key=lambda at: abs(width(flat[:at]) - middle))
    return [flat[:best].strip(), flat[best:].strip()]


def width(text: str) -> float:
    """How wide a text is: 2 for a Chinese character."""
    return sum(2.0 if unicodedata.east_asian_width(sign) in "WF" else LATIN_WIDTH for sign in text)


def to_srt(found: Sequence[Cue]) -> str:
    """SubRip."""
    blocks = [
        f"{number}\n{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}\n" + "\n".join(cue.lines) + "\n"
        for number, cue in enumerate(found, 1)
    ]
    return "\n".join(blocks)


def to_vtt(found: Sequence[Cue]) -> str:
    """WebVTT (W3C)."""
    blocks = [
        f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}\n"
        + "\n".join(_escaped(line) for line in cue.lines)
        + "\n"
        for cue in found
    ]
    return "WEBVTT\n\n" + "\n".join(blocks)


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(second: float, point: str) -> str:
    thousandths = round(second * 1000)
    minutes, thousandths = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{thousandths // 1000:02d}{point}{thousandths % 1000:03d}"
