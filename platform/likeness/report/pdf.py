"""A report as a PDF/A-3b file, by typst; data travel as JSON, so that no text is ever markup.

What is typed in Latin letters is set in typst's own fonts. For Chinese a font of the machine is taken; where
there is none, or where it lacks a glyph, the text is drawn as pictures that carry it as their description.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import typst

from likeness.errors import ReportError
from likeness.report import drawn

TEMPLATE = Path(__file__).with_name("report.typ")
CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
)
LATIN_END = 0x2100
EMS = {"title": 24.0, "body": 44.0, "value": 30.0, "label": 11.0, "cell": 16.0}
"""How wide a place is, in ems of its own size; drawn text breaks there."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of a table: what it is, and the value; ``exact`` for hashes and ids."""

    label: str
    value: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part: facts, or sentences, or a table of rows under its heads."""

    title: str
    facts: Sequence[Fact] = ()
    sentences: Sequence[str] = ()
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[Fact]] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """Everything on the pages; ``pictures`` are JPEG files with their captions."""

    language: str
    title: str
    subtitle: str
    sections: Sequence[Section]
    pictures: Sequence[tuple[str, bytes]] = ()
    at: datetime | None = None
    foot: str = ""


@dataclass(slots=True)
class _Setting:
    """One attempt at setting: the Chinese font, or none, and the pictures that were drawn."""

    font: str
    files: dict[str, bytes] = field(default_factory=dict)

    def piece(self, text: str, place: str, *, exact: bool = False) -> Mapping[str, Any]:
        """A text as the template takes it."""
        if self.font or all(ord(glyph) < LATIN_END for glyph in text):
            return {"text": text, "exact": exact}
        lines = []
        for line in drawn.lines_of(text, ems=EMS[place]):
            name = f"drawn-{len(self.files)}.png"
            self.files[name] = drawn.picture(line)
            lines.append({"file": name, "text": line})
        return {"lines": lines}


def write(document: Document) -> bytes:
    """The PDF; the same document gives the same bytes.

    A glyph that the Chinese font does not have is drawn; a picture that cannot be read is left out.

    Raises:
        ReportError: typst refuses it all the same.
    """
    font = chinese_font()
    attempts = [(document, font)] if font else []
    attempts += [(document, ""), (replace(document, pictures=()), "")]
    for asked, family in attempts[:-1]:
        with suppress(ReportError):
            return _compiled(asked, _Setting(family))
    asked, family = attempts[-1]
    return _compiled(asked, _Setting(family))


@cache
def chinese_font() -> str:
    """The first Chinese font of this machine, or an empty text."""
    families = set(typst.Fonts(include_system_fonts=True).families())
    return next((name for name in CHINESE if name in families), "")


def _compiled(document: Document, setting: _Setting) -> bytes:
    data = _data(document, setting)
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        root = Path(folder)
        for name, content in setting.files.items():
            (root / name).write_bytes(content)
        (root / "data.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        (root / TEMPLATE.name).write_bytes(TEMPLATE.read_bytes())
        try:
            compiler = typst.Compiler(
                root / TEMPLATE.name, root=root, ignore_system_fonts=not setting.font, font_paths=[]
            )
            made, warnings = compiler.compile_with_warnings(
                format="pdf", pdf_standards="a-3b", timestamp=document.at
            )
        except (typst.TypstError, RuntimeError) as error:
            raise ReportError(f"The report could not be set: {error}") from error
    if warnings or not isinstance(made, bytes):
        raise ReportError(f"The report could not be set: {warnings[0].message if warnings else 'no file'}")
    return made


def _data(document: Document, setting: _Setting) -> dict[str, Any]:
    pictures = []
    for number, (caption, jpeg) in enumerate(document.pictures):
        name = f"picture-{number}.jpg"
        setting.files[name] = jpeg
        pictures.append({"file": name, "caption": setting.piece(caption, "label"), "text": caption})
    return {
        "language": "zh" if document.language.startswith("zh") else "en",
        "font": setting.font,
        "plain": document.title,
        "title": setting.piece(document.title, "title"),
        "subtitle": setting.piece(document.subtitle, "body"),
        "foot": setting.piece(document.foot, "body"),
        "pictures": pictures,
        "sections": [_section(section, setting) for section in document.sections],
    }


def _section(section: Section, setting: _Setting) -> dict[str, Any]:
    return {
        "title": setting.piece(section.title, "title"),
        "facts": [
            [setting.piece(fact.label, "label"), setting.piece(fact.value, "value", exact=fact.exact)]
            for fact in section.facts
        ],
        "sentences": [setting.piece(sentence, "body") for sentence in section.sentences],
        "heads": [setting.piece(head, "label") for head in section.heads],
        "rows": [
            [setting.piece(cell.value, "cell", exact=cell.exact) for cell in row] for row in section.rows
        ],
    }
