"""A scene as data: what a template may say, its typed variables, and what comes of it with their values.

A template fixes how a video looks: format, where the person stands, background, logo, two lines of a lower
third, whether subtitles are burnt in. The AI label is nobody's template's business. Texts hold ``{{name}}``
where a variable goes; a script that is used with the template may hold them too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any
from xml.sax.saxutils import escape

from generation.presenter.errors import TemplateInvalidError
from generation.presenter.scene import Layout

FORMATS = {
    "landscape": (1920, 1080),
    "portrait": (1080, 1920),
    "square": (1080, 1080),
    "preview": (1280, 720),
}
LINE_CHARS = 40
VARIABLES_MAX = 20
FIELDS = {
    "format",
    "height_share",
    "centre",
    "colour",
    "background",
    "logo",
    "logo_place",
    "title",
    "line",
    "subtitles",
    "variables",
}
_PLACE = re.compile(r"\{\{([a-z][a-z0-9_]{0,31})\}\}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_AMOUNT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,2})?")


class Kind(StrEnum):
    """What a variable holds."""

    TEXT = "text"
    AMOUNT = "amount"
    DATE = "date"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Template:
    """A checked template; ``background`` and ``logo`` are SHA-256, a variable's place, or empty."""

    format: str
    height_share: float
    centre: float
    colour: str
    background: str
    logo: str
    logo_place: str
    title: str
    line: str
    subtitles: bool
    variables: Mapping[str, Kind]

    @property
    def layout(self) -> Layout:
        """Size of the frame, and where the person stands in it."""
        width, height = FORMATS[self.format]
        red, green, blue = (int(self.colour[at : at + 2], 16) for at in (1, 3, 5))
        return Layout(width, height, self.height_share, self.centre, (blue, green, red))


@dataclass(frozen=True, slots=True)
class Filled:
    """A template with its values: what is written, and which pictures are shown (SHA-256, or empty)."""

    template: Template
    title: str
    line: str
    background: str
    logo: str

    @property
    def assets(self) -> tuple[str, ...]:
        """The pictures that must be there."""
        return tuple(each for each in (self.background, self.logo) if each)


def read(document: Mapping[str, Any]) -> Template:
    """Check a template.

    Raises:
        TemplateInvalidError: with every fault by field.
    """
    plain = {
        "format": "landscape", "height_share": 1.0, "centre": 0.5, "colour": "#3c6e96", "background": "",
        "logo": "", "logo_place": "right", "title": "", "line": "", "subtitles": True, "variables": {},
    }  # fmt: skip
    given = {**plain, **document}
    faults = dict.fromkeys(set(given) - FIELDS, "There is no such field.")
    faults |= _scene_faults(given) | _text_faults(given)
    if faults:
        raise TemplateInvalidError("The template is not complete or contradicts itself.", faults=faults)
    kinds = {name: Kind(kind) for name, kind in given.pop("variables").items()}
    given |= {"height_share": float(given["height_share"]), "centre": float(given["centre"])}
    return Template(**given, variables=kinds)


def canonical(document: Mapping[str, Any]) -> bytes:
    """The bytes that a version's hash is of."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def sha256_of(document: Mapping[str, Any]) -> str:
    """The hash of a version."""
    return hashlib.sha256(canonical(document)).hexdigest()


def fill(template: Template, values: Mapping[str, str]) -> Filled:
    """The template with its values.

    Raises:
        TemplateInvalidError: a variable is missing, unknown, or not of its kind.
    """
    shown = _shown(template, values)
    filled = Filled(
        template,
        _put(template.title, shown),
        _put(template.line, shown),
        _put(template.background, values),
        _put(template.logo, values),
    )
    for name, text in (("title", filled.title), ("line", filled.line)):
        if len(text) > LINE_CHARS:
            raise TemplateInvalidError(
                "A line of the lower third is too long.", faults={name: f"At most {LINE_CHARS} characters."}
            )
    return filled


def fill_script(script: str, template: Template, values: Mapping[str, str], *, markup: bool) -> str:
    """A script with the variables' values; in markup they are text, never elements.

    Raises:
        TemplateInvalidError: the script names what the template does not have, or a picture.
    """
    wanted = set(_PLACE.findall(script))
    faults = {
        name: "The script names it; the template has no such text."
        for name in wanted
        if template.variables.get(name, Kind.IMAGE) is Kind.IMAGE
    }
    if faults:
        raise TemplateInvalidError("The script does not fit the template.", faults=faults)
    shown = _shown(template, values)
    return _put(script, {name: escape(text) for name, text in shown.items()} if markup else shown)


def require_no_places(script: str) -> None:
    """Make sure that a script without a template has no places for variables.

    Raises:
        TemplateInvalidError: it names one; nobody wants to hear braces.
    """
    if names := sorted(set(_PLACE.findall(script))):
        raise TemplateInvalidError(
            "The script has places for variables.", faults=dict.fromkeys(names, "Name a template.")
        )


def samples(template: Template, *, image: str) -> dict[str, str]:
    """Values to try a template with; ``image``: SHA-256 of a picture."""
    by_kind = {Kind.TEXT: "示例文字", Kind.AMOUNT: "1234.56", Kind.DATE: "2026-01-31", Kind.IMAGE: image}
    return {name: by_kind[kind] for name, kind in template.variables.items()}


def _scene_faults(given: Mapping[str, Any]) -> dict[str, str]:
    faults = {}
    if given["format"] not in FORMATS:
        faults["format"] = f"One of {', '.join(FORMATS)}."
    for name, low, high in (("height_share", 0.3, 1.5), ("centre", 0.0, 1.0)):
        value = given[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            faults[name] = f"A number from {low} to {high}."
    if not isinstance(given["colour"], str) or not _COLOUR.fullmatch(given["colour"]):
        faults["colour"] = "# and six digits, in small letters."
    if given["logo_place"] not in ("left", "right"):
        faults["logo_place"] = "left or right."
    if not isinstance(given["subtitles"], bool):
        faults["subtitles"] = "true or false."
    return faults


def _text_faults(given: Mapping[str, Any]) -> dict[str, str]:
    variables = given["variables"]
    if not isinstance(variables, dict) or len(variables) > VARIABLES_MAX:
        return {"variables": f"At most {VARIABLES_MAX} names, each with its kind."}
    faults = {
        f"variables.{str(name)[:32]}": f"A name, and one of {', '.join(Kind)}."
        for name, kind in variables.items()
        if not (isinstance(name, str) and _NAME.fullmatch(name) and kind in tuple(Kind))
    }
    for name in ("title", "line"):
        text = given[name]
        if not isinstance(text, str) or len(text) > 2 * LINE_CHARS or not _plain(text):
            faults[name] = "A line of text."
        elif any(variables.get(each, "image") == "image" for each in _PLACE.findall(text)):
            faults[name] = "It names a variable that is not here, or a picture."
        elif "{{" in _PLACE.sub("", text) or "}}" in _PLACE.sub("", text):
            faults[name] = "A variable stands as {{name}}."
    for name in ("background", "logo"):
        text = given[name]
        place = _PLACE.fullmatch(text) if isinstance(text, str) else None
        whole = isinstance(text, str) and (not text or _SHA256.fullmatch(text) is not None)
        if not whole and (place is None or variables.get(place[1]) != "image"):
            faults[name] = "The SHA-256 of a picture, or {{name}} of a variable that is one."
    return faults


def _shown(template: Template, values: Mapping[str, str]) -> dict[str, str]:
    """Each value as it is written."""
    faults = dict.fromkeys(set(values) - set(template.variables), "The template has no such variable.")
    faults |= dict.fromkeys(set(template.variables) - set(values), "It is missing.")
    shown = {}
    for name, kind in template.variables.items():
        if name in values and name not in faults:
            text = _written(kind, values[name])
            if text is None:
                faults[name] = f"It is not of the kind {kind}."
            shown[name] = text or ""
    if faults:
        raise TemplateInvalidError("The variables do not fit the template.", faults=faults)
    return shown


def _written(kind: Kind, value: str) -> str | None:
    """None: the value is not of that kind."""
    if kind is Kind.TEXT:
        fits = 0 < len(value) <= LINE_CHARS and _plain(value) and not re.search(r"\{\{|\}\}", value)
        return value if fits else None
    if kind is Kind.AMOUNT:
        return f"¥{Decimal(value):,.2f}" if _AMOUNT.fullmatch(value) and value.isascii() else None
    if kind is Kind.DATE:
        try:
            day = date.fromisoformat(value)
        except ValueError:
            return None
        return f"{day.year}年{day.month}月{day.day}日" if len(value) == 10 else None
    return value if _SHA256.fullmatch(value) else None


def _put(text: str, values: Mapping[str, str]) -> str:
    # one pass: what a value says is never read as a place again
    return _PLACE.sub(lambda match: values[match[1]], text)


def _plain(text: str) -> bool:
    """One line of printable characters: no controls, none that are invisible or turn the text around."""
    return text.isprintable()


def lines_of(filled: Filled) -> Sequence[str]:
    """The lines of the lower third that are not empty."""
    return [text for text in (filled.title, filled.line) if text.strip()]
