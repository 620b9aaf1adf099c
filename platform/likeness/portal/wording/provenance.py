"""Verdicts, reasons and layers of a traced file, told in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from likeness.provenance_verdict import Why


@dataclass(frozen=True, slots=True)
class Heading:
    """How an answer is headed: tone, icon, title and what it means."""

    tone: str
    icon: str
    title: Any
    sentence: Any


VERDICTS: Mapping[str, Heading] = {
    "ours": Heading(
        "good",
        "shield",
        _("This file was generated here"),
        _("Its marks name a job of this installation, and the job's record is below."),
    ),
    "ours-altered": Heading(
        "good",
        "shield",
        _("This file was generated here, and altered since"),
        _(
            "A hidden mark of ours was read from it; "
            "the signature or the labels around it are gone or broken."
        ),
    ),
    "conflict": Heading(
        "warn",
        "alert",
        _("The marks contradict each other or the record"),
        _("Treat the file as tampered with, and rely on nothing that it says."),
    ),
    "undecided": Heading(
        "warn",
        "alert",
        _("Undecided"),
        _("Something was seen that could not be read, or not everything could be tried on this file."),
    ),
    "absent": Heading(
        "",
        "search",
        _("No mark of ours was found"),
        _(
            "That is not proof that the file is genuine, nor that it is not ours: "
            "marks can be lost when a file is cropped, shrunk or filmed from a screen."
        ),
    ),
}
REASONS: Mapping[str, Any] = {
    Why.MARK_UNKNOWN: _("A mark of ours names an output that has no record here."),
    Why.MARKS_DIFFER: _("The marks name different outputs."),
    Why.CONTENT_DIFFERS: _(
        "The mark is ours, but the picture is not the one that was delivered: the mark was copied."
    ),
    Why.CONTENT_UNCOMPARED: _(
        "The pictures could not be compared with the record: that the mark was copied is not ruled out."
    ),
    Why.CONTENT_REARRANGED: _("The pictures are those of the record, but in another order."),
    Why.MARK_INVERTED: _("The mark was subtracted more than once: somebody tried to remove it."),
    Why.LABEL_UNSIGNED: _(
        "Only the label in the metadata names an output of ours, and anybody can write one."
    ),
    Why.CREDENTIAL_ELSEWHERE: _("The metadata is of this installation, but names no output of yours."),
    Why.MARK_SUSPECTED: _("There are traces of a mark, too weak to be read."),
    Why.SEARCH_INCOMPLETE: _("Not everything could be tried on this file."),
    Why.LOOKS_ALIKE: _("It looks like an output of ours. That is a place to look, and no proof."),
}
LAYERS: Mapping[str, Any] = {
    "sha256": _("Bytes (SHA-256)"),
    "c2pa": _("Content credential (C2PA)"),
    "aigc": _("AIGC label in the metadata"),
    "invisible": _("Invisible watermark"),
    "sound": _("Mark in the sound"),
    "legacy": _("Marks of other tools"),
    "perceptual": _("Likeness to our outputs"),
}
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_NOT_RUN = ("none", _("Not looked for"))
STATES: Mapping[str, Mapping[str, tuple[str, Any]]] = {
    "sha256": {
        "match": ("good", _("Exactly a file that we delivered")),
        "unknown": ("none", _("Not a file that we delivered, byte for byte")),
    },
    "c2pa": {
        "trusted": ("good", _("Found, and signed by us")),
        "valid": ("warn", _("Found, signed by somebody else")),
        "invalid": ("bad", _("Found, but it does not hold")),
        "absent": ("none", _("Not found")),
    },
    "aigc": {
        "present": ("good", _("Found")),
        "malformed": ("bad", _("Found, but damaged")),
        "absent": ("none", _("Not found")),
    },
    "perceptual": {
        "agrees": ("good", _("The pictures of the output that the marks name")),
        "differs": ("bad", _("Not the pictures of the output that the marks name")),
        "alike": ("warn", _("Looks like an output of ours")),
        "none": ("none", _("Like none of our outputs")),
    },
    "legacy": {
        "recognised": ("warn", _("A known message of another tool")),
        "suspected": ("warn", _("Perhaps a mark of another tool")),
        "nothing": ("none", _("Not found")),
    },
    "hidden": {
        "present": ("good", _("Found and read")),
        "suspected": ("warn", _("Traces of one, not enough to be sure")),
        "absent": ("none", _("Not found")),
    },
}
"""Tone and words for the state of a layer, by the detector's name of it in small letters."""


def state_of(layer: str, state: str) -> tuple[str, Any]:
    """Tone and words; a state without words is told as not looked for."""
    return STATES.get(layer, STATES["hidden"]).get(state.lower(), _NOT_RUN)


def place_of(geometry: Mapping[str, Any]) -> str:
    """What was done to the picture, from where its mark lies."""
    parts = []
    if abs(geometry["scale"] - 1) > 0.01 or geometry["dy"] > 4 or geometry["dx"] > 4:
        parts.append(gettext("cut out or scaled (%(n)d %%)") % {"n": round(100 * geometry["scale"])})
    if geometry["quarter_turns"]:
        parts.append(gettext("turned by %(n)d°") % {"n": 90 * geometry["quarter_turns"]})
    if abs(geometry["degrees"]) > 0.2:
        parts.append(gettext("tilted by %(n)s°") % {"n": f"{geometry['degrees']:.1f}"})
    if geometry["mirror"]:
        parts.append(gettext("mirrored"))
    if not parts:
        return gettext("The mark lies on the whole picture, unmoved.")
    return gettext("The picture was %(changes)s.") % {"changes": gettext(", ").join(parts)}


def chance_of(bound: float) -> str:
    """A bound in words: one in ten to some power."""
    power = 0
    while power < 18 and bound * 10 ** (power + 1) <= 1:
        power += 1
    raised = str(power).translate(_RAISED)
    return gettext("by chance at most once in 10%(power)s files") % {"power": raised}
