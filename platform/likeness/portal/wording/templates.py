"""Words of templates: what a field may hold, what is wrong with it, and why a version is not used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

FIELDS: dict[str, Any] = {
    "name": gettext_lazy("A name has 3 to 48 small letters, digits and hyphens."),
    "format": gettext_lazy("The format is not known; write landscape, portrait, square or preview."),
    "height_share": gettext_lazy("A number from 0.3 to 1.5."),
    "centre": gettext_lazy("A number from 0 to 1."),
    "colour": gettext_lazy("A colour is # and six digits, in small letters."),
    "background": gettext_lazy("The picture is not here; upload it, or name a variable that is a picture."),
    "logo": gettext_lazy("The picture is not here; upload it, or name a variable that is a picture."),
    "logo_place": gettext_lazy("The logo stands left or right."),
    "title": gettext_lazy("One line; a variable stands as {{name}} and is listed below."),
    "line": gettext_lazy("One line; a variable stands as {{name}} and is listed below."),
    "subtitles": gettext_lazy("Subtitles are true or false."),
    "variables": gettext_lazy("Each variable has a name of small letters, and a kind; at most 20."),
}
"""What is wrong with a field of a template, by its name."""
VALUES: dict[str, Any] = {
    "text": gettext_lazy("Write one line of at most 40 characters."),
    "amount": gettext_lazy("Write digits, with at most two after the point, such as 1234.56."),
    "date": gettext_lazy("Choose a day."),
    "image": gettext_lazy("Choose a picture."),
}
"""What is wrong with the value of a variable, by its kind."""
PROBLEMS: dict[str, Any] = {
    "altered": gettext_lazy("its stored text is not the one that was approved"),
    "invalid": gettext_lazy("this version of the platform does not understand it"),
    "picture_missing": gettext_lazy("a picture of it is gone"),
}
"""Why a version that was approved is not used."""


def field_fault(path: str, said: str = "") -> str:
    """What is wrong with a field; one that templates do not have is named."""
    name = path.partition(".")[0]
    if name in FIELDS:
        return str(FIELDS[name])
    return _("There is no field “%(name)s” in a template.") % {"name": path[:32]} if path else said


def value_fault(kind: str) -> str:
    """What the value of a variable of this kind must be."""
    return str(VALUES[kind])


def place_fault(name: str) -> str:
    """A place in a script, or a line of the look, that cannot be filled."""
    if name in ("title", "line"):
        return _("With these values a line at the lower left is longer than 40 characters.")
    return _("The script names {{%(name)s}}; choose a template that has it, or write it out.") % {
        "name": name[:32]
    }


def problem(code: str) -> str:
    """Why a version is not used; an unknown code is shown as it is."""
    return str(PROBLEMS.get(code, code))


def faults(fields: Mapping[str, Sequence[str]]) -> list[str]:
    """Every fault once, with the field that it is about, for a document that was sent as a file."""
    return [f"{path}: {field_fault(path)}" for path in sorted(fields)]
