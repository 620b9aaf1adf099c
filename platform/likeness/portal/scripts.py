"""A script as the studio shows it: how it is said, and what stands against it at which place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from generation import presenting, templating
from generation.errors import GenerationError, PresentInvalidError
from generation.presenter.errors import PresenterError, ScriptEmptyError, TemplateInvalidError
from generation.presenter.script import Kind, Run, Script
from generation.presenting import PresentRequest, Reviewed
from generation.templating import Pinned
from likeness.portal.wording.faults import explain
from likeness.portal.wording.reasons import reason
from likeness.portal.wording.studio import field_words, notice
from likeness.portal.wording.templates import place_fault

QUOTE = 40
_SSML_PLACE = re.compile(r"Line (\d+), column (\d+): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a script, in words; ``tone`` bad (must change), warn (held or unclear) or info.

    ``start`` and ``end``: characters of the script as it stands in the field; equal when there is no place.
    """

    tone: str
    code: str
    sentence: str
    hint: str = ""
    quote: str = ""
    place: str = ""
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """A part of the spoken form; ``shown`` is what the script has there, empty where it is the same."""

    text: str
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """A part of the shown text; ``tone`` empty where nothing stands against it."""

    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class ReadingView:
    """All that the panel beside the script tells."""

    empty: bool
    findings: tuple[Finding, ...]
    sentences: tuple[tuple[Said, ...], ...] = ()
    shown: tuple[Marked, ...] = ()
    seconds: int = 0
    marks: str = "[]"
    written: bool = True

    @property
    def clean(self) -> bool:
        """Nothing stands against it."""
        return not self.empty and not self.stops

    @property
    def stops(self) -> int:
        """How many things must change first."""
        return sum(each.tone != "info" for each in self.findings)


def view_of(request: PresentRequest, *, tenant: str) -> ReadingView:
    """What the panel shows for what was typed so far; nothing is kept and nothing is spoken."""
    try:
        asked, pinned = presenting.in_template(request, tenant=tenant)
        reviewed = presenting.review(asked)
    except ScriptEmptyError:
        return ReadingView(True, ())
    except TemplateInvalidError as error:
        return ReadingView(False, tuple(_values(error, request)))
    except (PresenterError, GenerationError) as error:
        findings: tuple[Finding, ...] = (_fault(error, request),)
        return ReadingView(False, findings, marks=_marks(findings))
    findings = (
        *_hits(reviewed),
        *_consents(asked, reviewed, tenant),
        *(_lines(pinned, tenant) if pinned is not None else ()),
        *_notices(reviewed),
    )
    # in a template the words are not those that stand in the field
    written = request.kind == Kind.TEXT and pinned is None
    return ReadingView(
        False,
        findings,
        sentences=tuple(_said(reviewed.script)),
        shown=() if written else marked(reviewed.script.text, findings),
        seconds=reviewed.seconds,
        marks=_marks(findings) if written else "[]",
        written=written,
    )


def hits_of(hits: Iterable[dict[str, Any]], text: str) -> tuple[Finding, ...]:
    """The hits that a presentation keeps, in words."""
    return tuple(_finding(each["code"], each["outcome"], text, each["start"], each["end"]) for each in hits)


def marked(text: str, findings: Sequence[Finding]) -> tuple[Marked, ...]:
    """A text cut at the places of its findings; where two overlap, the graver one is shown."""
    tones = [""] * len(text)
    for tone in ("info", "warn", "bad"):
        for each in findings:
            if each.tone == tone:
                tones[each.start : each.end] = [tone] * len(tones[each.start : each.end])
    parts: list[Marked] = []
    for sign, tone in zip(text, tones, strict=True):
        if parts and parts[-1].tone == tone:
            parts[-1] = Marked(parts[-1].text + sign, tone)
        else:
            parts.append(Marked(sign, tone))
    return tuple(parts)


def _hits(reviewed: Reviewed) -> Iterator[Finding]:
    for hit in reviewed.hits:
        yield _finding(str(hit.code), str(hit.outcome), reviewed.script.text, hit.start, hit.end)


def _finding(code: str, outcome: str, text: str, start: int, end: int) -> Finding:
    held = outcome == "hold"
    words = reason(code)
    hint = str(reason("text.review").sentence) if held else words.hint
    tone = "warn" if held else "bad"
    return Finding(
        tone, code, words.sentence, hint, _quote(text, start, end), _place(text, start), start, end
    )


def _consents(request: PresentRequest, reviewed: Reviewed, tenant: str) -> Iterator[Finding]:
    """What licences say, once everybody is chosen; words were told above."""
    if not (request.identity_id and request.performer_id and request.purpose and request.channel):
        return
    for code in presenting.reasons_against(request, reviewed, tenant=tenant):
        if not code.startswith("text."):
            words = reason(code)
            yield Finding("bad", code, words.sentence, words.hint)


def _lines(pinned: Pinned, tenant: str) -> Iterator[Finding]:
    """What stands against the lines that the template shows."""
    for code in templating.reasons_against(pinned, tenant=tenant):
        words = reason(code)
        yield Finding("bad", code, words.sentence, words.hint, place=_("in the lines at the lower left"))


def _values(error: TemplateInvalidError, request: PresentRequest) -> Iterator[Finding]:
    """Values that are missing or do not fit, and places that nothing fills."""
    known = dict(request.template.variables) if request.template else {}
    for name in sorted(error.fields):
        given = name in known or (name not in ("title", "line") and f"{{{{{name}}}}}" not in request.script)
        sentence = _("Fill in the template's values.") if given else place_fault(name)
        yield Finding("bad", error.code, sentence, quote=name if name in known or not given else "")


def _notices(reviewed: Reviewed) -> Iterator[Finding]:
    text = reviewed.script.text
    for each in reviewed.script.notices:
        sentence, hint = notice(each.code, each.message)
        place = _place(text, each.start)
        quote = _quote(text, each.start, each.end)
        yield Finding("info", each.code, sentence, hint, quote, place, each.start, each.end)


def _fault(error: Exception, request: PresentRequest) -> Finding:
    words = explain(error)
    start, end = getattr(error, "start", 0), getattr(error, "end", 0)
    readings = getattr(error, "readings", ())
    named = field_words(error.fields) if isinstance(error, PresentInvalidError) else ""
    sentence, hint = (named, "") if named else (words.sentence, words.hint)
    if readings:
        sentence += " " + _("It could be read as: %(readings)s.") % {"readings": " / ".join(readings)}
    if match := _SSML_PLACE.fullmatch(str(error)):
        line, column, what = match.groups()
        place = _("line %(line)s, character %(column)s") % {"line": line, "column": column}
        return Finding("bad", words.code, sentence, hint, what.rstrip("."), place)
    if not end or request.kind != Kind.TEXT:
        return Finding("bad", words.code, sentence, hint)
    text = request.script
    return Finding(
        "bad", words.code, sentence, hint, _quote(text, start, end), _place(text, start), start, end
    )


def _said(script: Script) -> Iterator[tuple[Said, ...]]:
    for segment in script.segments:
        pieces = [piece for part in segment.parts if isinstance(part, Run) for piece in part.pieces]
        parts: list[Said] = []
        for piece in pieces:
            shown = script.text[piece.start : piece.end]
            if piece.spoken != shown and piece.spoken and shown.strip():
                parts.append(Said(piece.spoken, shown))
            elif parts and not parts[-1].shown:
                parts[-1] = Said(parts[-1].text + piece.spoken)
            else:
                parts.append(Said(piece.spoken))
        if any(part.text.strip() for part in parts):
            yield tuple(parts)


def _quote(text: str, start: int, end: int) -> str:
    quoted = text[start:end].strip()
    return quoted if len(quoted) <= QUOTE else quoted[:QUOTE] + "…"


def _place(text: str, start: int) -> str:
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    return _("line %(line)s, character %(column)s") % {"line": line, "column": column}


def _marks(findings: Sequence[Finding]) -> str:
    return json.dumps(
        [
            {"start": each.start, "end": each.end, "tone": each.tone}
            for each in findings
            if each.end > each.start
        ]
    )
