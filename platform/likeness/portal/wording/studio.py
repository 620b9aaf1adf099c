"""Words of the studio: what a reviewer should look at, and how well mouth and sound agree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generation.presenter.sync import Bounds

NOTICES: dict[str, tuple[Any, Any]] = {
    "script_reading": (
        gettext_lazy("This has more than one reading."),
        gettext_lazy("Look at the spoken form; write it out if another reading is meant."),
    ),
    "script_emoji": (
        gettext_lazy("This sign is not spoken."),
        gettext_lazy("Remove it, or leave it silent."),
    ),
    "script_gesture": (
        gettext_lazy("This gesture is not known; nothing moves there."),
        gettext_lazy("Use gesture.nod, gesture.tilt or gesture.brows."),
    ),
}
FIELDS: dict[str, Any] = {
    "id": gettext_lazy("An id has 3 to 64 letters, digits, hyphens and underscores."),
    "language": gettext_lazy("The language is not known; write zh or en."),
    "kind": gettext_lazy("The kind is not known; write text or ssml."),
    "format": gettext_lazy("The format is not known; write landscape, portrait, square or preview."),
    "colour": gettext_lazy("A colour is # and six digits."),
    "recording": gettext_lazy("The recording is not here; choose the file again."),
    "voice_identity": gettext_lazy("Say whose voice the recording is."),
    "voice": gettext_lazy("A recording is one voice; take other voices out of the script."),
}
"""What is wrong with a field, by the name that the presenter gives it."""
MEASURES: dict[str, Any] = {
    "landmarks": gettext_lazy("Lips follow the words"),
    "pixels": gettext_lazy("Seen again in the pixels"),
    "sound": gettext_lazy("Lips follow the loudness"),
    "closures": gettext_lazy("Lips meet at b, p and m"),
    "silences": gettext_lazy("Mouth rests in silences"),
    "rest": gettext_lazy("Lips apart at rest"),
    "shift": gettext_lazy("Sound against the plan"),
}
"""What is measured of mouth and sound, by the name of its number."""
_LINE_OF = {"sound.shift": "shift"}
_READ_AS = re.compile(r".* is read as '(.*?)': .*", re.DOTALL)


def notice(code: str, message: str) -> tuple[str, str]:
    """A notice in the reader's language; one without an entry keeps the presenter's own words."""
    if code not in NOTICES:
        return message, ""
    sentence, hint = (str(words) for words in NOTICES[code])
    if match := _READ_AS.fullmatch(message):
        sentence += " " + _("It will be said as “%(said)s”.") % {"said": match[1]}
    return sentence, hint


def field_words(fields: Mapping[str, Any]) -> str:
    """What is wrong with named fields of a request; empty when there are no words for them."""
    return " ".join(str(FIELDS[name]) for name in fields if name in FIELDS)


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of the sync report; ``tone`` good or bad, ``value`` as a person reads it."""

    tone: str
    label: str
    value: str


def sync_words(report: Mapping[str, Any] | None, *, bounds: Bounds | None = None) -> tuple[Measured, ...]:
    """A finished file's sync report in words; empty when there is none."""
    if not report:
        return ()
    bounds = bounds or Bounds.swapped()
    follow = _("%(r)s of 1, at least %(least)s")

    def agreement(name: str, least: float) -> str:
        return follow % {"r": f"{report[name]['r']:.2f}", "least": f"{least:.2f}"}

    counted, largest = _("%(held)d of %(all)d"), _("%(n)s, at most %(most)s")
    rows = (
        ("landmarks", agreement("landmarks", bounds.landmarks)),
        ("pixels", agreement("pixels", bounds.pixels)),
        ("sound", agreement("sound", bounds.sound)),
        (
            "closures",
            counted % {"held": report["closures_held"], "all": report["closures"]},
        ),
        (
            "silences",
            counted % {"held": report["silences_held"], "all": report["silences"]},
        ),
        (
            "rest",
            largest % {"n": f"{report['rest']:.3f}", "most": f"{bounds.rest:.2f}"},
        ),
        ("shift", _("%(n)s ms") % {"n": f"{report['shift_ms']:.0f}"}),
    )
    missed = {_LINE_OF.get(code, code.partition(".")[0]) for code in report.get("failed", ())}
    return tuple(
        Measured("bad" if name in missed else "good", str(MEASURES[name]), value) for name, value in rows
    )


def missed_words(message: str) -> str:
    """Which measures were missed, by the codes that end a failed check's words; empty for other words."""
    codes = message.rpartition(":")[2].strip(" .").split(", ")
    names = dict.fromkeys(_LINE_OF.get(code, code.partition(".")[0]) for code in codes)
    labels = [str(MEASURES[name]) for name in names if name in MEASURES]
    return _("Missed: %(what)s.") % {"what": _(", ").join(labels)} if labels else ""
