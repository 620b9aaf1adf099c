"""What the enrolment gate measured of a portrait, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

_NUMBER = re.compile(r"\d+(?:\.\d+)?%?")

FINDINGS: dict[str, Any] = {
    "portrait.no_face": _("There is no face in the picture."),
    "portrait.several_faces": _("There are %(value)s faces in the picture; one is needed."),
    "portrait.unclear_face": _("The face is not clear (certainty %(value)s, at least %(limit)s)."),
    "portrait.turned": _("The head is turned by %(value)s degrees; at most %(limit)s."),
    "portrait.nodded": _("The head is bowed or raised by %(value)s degrees; at most %(limit)s."),
    "portrait.tilted": _("The head is tilted by %(value)s degrees; at most %(limit)s."),
    "portrait.small": _("The face is too small: the eyes are %(value)s px apart, at least %(limit)s."),
    "portrait.soft": _("The face is not sharp (%(value)s, at least %(limit)s)."),
    "portrait.dark": _("The face is too dark."),
    "portrait.bright": _("The face is too bright."),
    "portrait.clipped": _("%(value)s of the face is burnt out or black; at most %(limit)s."),
    "portrait.side_light": _("The light comes too much from one side."),
    "portrait.eyes_closed": _("The eyes are closed or half closed."),
    "portrait.smiling": _("The mouth is open; a closed mouth gives a better result."),
    "portrait.smallish": _("The eyes are %(value)s px apart; from %(limit)s on the result is sharper."),
    "portrait.some_side_light": _("The light comes a little from one side."),
    "repeated": _("The same picture is there already."),
    "empty": _("The file is empty."),
}
"""Sentences by code; ``value`` and ``limit`` are the first and the last number of the gate's own sentence."""

EYES_GOOD_PX = 100.0
CHEEKS_GOOD = 15.0
MOUTH_GOOD = 0.03
FRONTAL_DEG = 10.0
"""What is called good below; the first three are the gate's own lines for its warnings."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One line about a portrait: tone is good, warn or bad."""

    tone: str
    text: str


def finding(code: str, message: str) -> str:
    """A refusal or warning in the reader's language; an unknown code keeps the gate's own sentence."""
    sentence = FINDINGS.get(code)
    if sentence is None:
        return message
    numbers = _NUMBER.findall(message) or [""]
    return str(sentence) % {"value": numbers[0], "limit": numbers[-1]}


def measures_of(quality: Mapping[str, Any]) -> tuple[Measure, ...]:
    """A portrait's stored measures as lines; what was not measured is not mentioned."""
    measures = quality.get("measures", quality)
    found = {name: float(value) for name, value in measures.items() if isinstance(value, (int, float))}
    return tuple(_lines(found))


def _lines(has: Mapping[str, float]) -> Iterator[Measure]:
    if "eyes_apart_px" in has:
        size = round(has["eyes_apart_px"])
        text = _("Large enough: %(px)s px between the eyes") if size >= EYES_GOOD_PX else ""
        small = _("Small: %(px)s px between the eyes, good from 100")
        yield Measure("good" if text else "warn", str(text or small) % {"px": size})
    if {"yaw_deg", "pitch_deg"} <= has.keys():
        turned = round(max(abs(has["yaw_deg"]), abs(has["pitch_deg"])))
        frontal = turned <= FRONTAL_DEG
        text = _("Frontal, turned by %(deg)s°") if frontal else _("Turned by %(deg)s°")
        yield Measure("good" if frontal else "warn", str(text) % {"deg": turned})
    if "cheek_difference" in has:
        even = has["cheek_difference"] <= CHEEKS_GOOD
        yield Measure("good" if even else "warn", str(_("Even light") if even else _("Light from one side")))
    if "sharpness" in has:
        yield Measure("good", str(_("Sharp")))
    if "mouth_gap" in has:
        closed = has["mouth_gap"] <= MOUTH_GOOD
        open_text = _("Mouth open: closed swaps better")
        yield Measure("good" if closed else "warn", str(_("Mouth closed") if closed else open_text))
