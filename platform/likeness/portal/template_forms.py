"""A new version of a template: written field by field, or sent as the JSON that a version is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from audit.events import Actor
from generation import services
from generation.presenter.errors import TemplateInvalidError
from generation.presenter.templates import LINE_CHARS, VARIABLES_MAX
from likeness.portal.pages import DOMAIN_ERRORS
from likeness.portal.uploads import opened
from likeness.portal.wording.faults import explain
from likeness.portal.wording.templates import faults, field_fault
from likeness.portal.wording.terms import choices

PLACES = (("right", gettext_lazy("Upper right")), ("left", gettext_lazy("Upper left")))
PICTURES = {"accept": "image/png,image/jpeg"}
DOCUMENT_BYTES = 64 * 1024
EMPTY_ROWS = 3
_PLAIN = ("format", "colour", "title", "line", "logo_place", "subtitles", "height_share", "centre")


class NoDocumentError(Exception):
    """A file that holds no JSON object; the message is in the reader's language."""


class VersionForm(forms.Form):
    """The fields of a version; the pictures of the version that it starts from stay unless changed."""

    format = forms.ChoiceField(
        label=gettext_lazy("Format"),
        choices=choices("format"),
        widget=forms.RadioSelect,
        initial="landscape",
        required=False,
    )
    colour = forms.CharField(
        label=gettext_lazy("Background"),
        initial="#3c6e96",
        required=False,
        widget=forms.TextInput(attrs={"type": "color"}),
    )
    subtitles = forms.BooleanField(
        label=gettext_lazy("Subtitles in the picture"), required=False, initial=True
    )
    height_share = forms.FloatField(
        label=gettext_lazy("Height of the person"),
        initial=1.0,
        required=False,
        widget=forms.NumberInput(attrs={"step": "0.05", "min": "0.3", "max": "1.5"}),
        help_text=gettext_lazy("0.3 to 1.5 of the picture's height."),
    )
    centre = forms.FloatField(
        label=gettext_lazy("Where the person stands"),
        initial=0.5,
        required=False,
        widget=forms.NumberInput(attrs={"step": "0.05", "min": "0", "max": "1"}),
        help_text=gettext_lazy("0 is the left edge, 1 the right one."),
    )
    title = forms.CharField(
        label=gettext_lazy("First line"),
        max_length=2 * LINE_CHARS,
        required=False,
        help_text=gettext_lazy("Large; a variable stands as {{name}}."),
    )
    line = forms.CharField(label=gettext_lazy("Second line"), max_length=2 * LINE_CHARS, required=False)
    background_file = forms.FileField(
        label=gettext_lazy("Background picture"), required=False, widget=forms.FileInput(attrs=PICTURES)
    )
    background_place = forms.CharField(
        label=gettext_lazy("Or a variable for it"),
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"placeholder": "{{photo}}"}),
    )
    background_keep = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    background_none = forms.BooleanField(label=gettext_lazy("Leave the picture out"), required=False)
    logo_file = forms.FileField(
        label=gettext_lazy("Logo"), required=False, widget=forms.FileInput(attrs=PICTURES)
    )
    logo_place_name = forms.CharField(
        label=gettext_lazy("Or a variable for it"),
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"placeholder": "{{logo}}"}),
    )
    logo_keep = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    logo_none = forms.BooleanField(label=gettext_lazy("Leave the picture out"), required=False)
    logo_place = forms.ChoiceField(
        label=gettext_lazy("Where the logo stands"), choices=PLACES, required=False, initial="right"
    )
    document = forms.FileField(
        label=gettext_lazy("Version as JSON"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".json,application/json"}),
        help_text=gettext_lazy("When a file is chosen, the fields on this page are left aside."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.variable_faults: list[str] = []

    def rows(self) -> Iterator[tuple[int, str, str]]:
        """The rows of the table of variables: number, name, kind; some empty ones at the end."""
        found = list(self._variables())
        found += [("", "text")] * min(EMPTY_ROWS, VARIABLES_MAX - len(found))
        for number, (name, kind) in enumerate(found):
            yield number, name, kind

    def scene(self, *, by: Actor) -> dict[str, Any]:
        """The document that was sent or written; chosen pictures are taken in first.

        Raises:
            NoDocumentError: the file holds no JSON object.
            TemplateInvalidError: a name stands twice in the table of variables.
        """
        values = self.cleaned_data
        if values["document"]:
            return _document(values["document"])
        scene = {name: values[name] for name in _PLAIN if values[name] not in (None, "")}
        scene["subtitles"] = values["subtitles"]
        scene["colour"] = values["colour"].lower()
        for name, place in (("background", "background_place"), ("logo", "logo_place_name")):
            kept = "" if values[f"{name}_none"] else values[f"{name}_keep"]
            scene[name] = self._taken(f"{name}_file", by=by) or values[place] or kept
        names = [name for name, _kind in self._variables()]
        if len(set(names)) < len(names):
            raise TemplateInvalidError("A name stands twice.", faults={"variables": "Once each."})
        scene["variables"] = dict(self._variables())
        return {name: value for name, value in scene.items() if value not in ("", {})}

    def blame(self, error: TemplateInvalidError) -> None:
        """Put the faults of a document beside the fields that they are about."""
        if self.cleaned_data.get("document"):
            for fault in faults(error.fields):
                self.add_error("document", fault)
            return
        for path in sorted(error.fields):
            name = path.partition(".")[0]
            if name == "variables":
                self.variable_faults.append(_of_variable(path))
            elif name in ("background", "logo") or name in self.fields:
                self.add_error(f"{name}_file" if name in ("background", "logo") else name, field_fault(path))
            else:  # the hash of a picture that is gone
                self.add_error("background_file", field_fault("background"))

    def _variables(self) -> Iterator[tuple[str, str]]:
        if not self.is_bound:
            yield from dict(self.initial.get("variables", {})).items()
            return
        for number in range(VARIABLES_MAX):
            name = self.data.get(f"variable_name_{number}", "").strip()
            if name:
                yield name[:64], self.data.get(f"variable_kind_{number}", "")[:16]

    def _taken(self, field: str, *, by: Actor) -> str:
        upload = self.cleaned_data[field]
        if not upload:
            return ""
        try:
            with opened(upload) as stream:
                return str(services.upload_picture(stream, by=by).sha256)
        except DOMAIN_ERRORS as error:
            words = explain(error)
            self.add_error(field, f"{words.sentence} {words.hint}")
            return ""


class TemplateForm(VersionForm):
    """The first version of a template."""

    field_order = ("name",)
    name = forms.CharField(
        label=pgettext_lazy("template", "Name"),
        max_length=48,
        help_text=gettext_lazy("3 to 48 small letters, digits and hyphens; it stays."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "balance-notice"}),
    )


def initial_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """A version's document as the form's first values."""
    given = {name: value for name, value in document.items() if name in (*_PLAIN, "variables")}
    for name, place in (("background", "background_place"), ("logo", "logo_place_name")):
        value = str(document.get(name, ""))
        given |= {place: value} if value.startswith("{{") else {f"{name}_keep": value}
    return given


def _document(upload: Any) -> dict[str, Any]:
    with opened(upload) as stream:
        data = stream.read(DOCUMENT_BYTES + 1)
    if len(data) > DOCUMENT_BYTES:
        raise NoDocumentError(_("The file is larger than a template can be."))
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 0)
        if line:
            raise NoDocumentError(_("The file is not JSON: line %(n)d.") % {"n": line}) from None
        raise NoDocumentError(_("The file is not JSON in UTF-8.")) from None
    if not isinstance(found, dict):
        raise NoDocumentError(_("The file must hold one JSON object, from { to }."))
    # what REST takes, too: the document inside "scene"
    inner = found.get("scene")
    return inner if set(found) == {"scene"} and isinstance(inner, dict) else found


def _of_variable(path: str) -> str:
    name = path.partition(".")[2]
    words = field_fault("variables")
    return f"{name}: {words}" if name else words
