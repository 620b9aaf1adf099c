"""What the studio asks for: who says what, where it will be shown, and how it looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, cast

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy as _

from generation import templating
from generation.presenter.normalise import LENGTH_MAX
from generation.presenter.templates import LINE_CHARS, Template
from generation.presenting import PresentRequest, new_client_id
from generation.templating import TemplateUse
from likeness.portal import casting, scene_templates
from likeness.portal.wording.terms import choices

COLOUR = "#3c6e96"
FIELDS = (
    *("script", "kind", "language", "voice", "purpose", "channel", "territory", "format", "colour"),
    *("identity", "performer"),
)
MORE = ("template", "recording", "voice_identity", "revises", "subtitles")
TAKEN = {each.name for each in fields(PresentRequest)}
"""What a request can say."""
VALUE, FILE = "value_", "file_"
"""Before a variable's name: the field of its value, and the one that takes its picture."""
PICTURE = {"accept": "image/png,image/jpeg", "data-upload": "picture"}
SOUND = {"accept": "audio/*", "data-upload": "sound"}
WIDGETS: dict[str, Any] = {
    "text": lambda: forms.TextInput(attrs={"maxlength": LINE_CHARS}),
    "amount": lambda: forms.TextInput(attrs={"inputmode": "decimal", "placeholder": "1234.56"}),
    "date": lambda: forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    "image": forms.HiddenInput,
}


class SceneForm(forms.Form):
    """Everything but the words."""

    identity = forms.ChoiceField(label=_("Teller"), help_text=_("Whose licensed face is shown."))
    performer = forms.ChoiceField(label=_("Performer"), help_text=_("Whose portrait the script drives."))
    language = forms.ChoiceField(
        label=_("Language"), choices=choices("language", ("zh", "en")), widget=forms.RadioSelect, initial="zh"
    )
    voice = forms.ChoiceField(label=_("Voice"), required=False)
    purpose = forms.ChoiceField(label=_("Purpose"), choices=choices("purpose"))
    channel = forms.ChoiceField(label=_("Channel"), choices=choices("channel"))
    territory = forms.ChoiceField(label=_("Territory"), choices=choices("territory"), initial="CN")
    format = forms.ChoiceField(
        label=_("Format"), choices=choices("format"), widget=forms.RadioSelect, initial="landscape"
    )
    colour = forms.RegexField(
        label=_("Background"),
        regex=r"^#[0-9a-fA-F]{6}$",
        initial=COLOUR,
        widget=forms.TextInput(attrs={"type": "color", "list": "colours"}),
    )
    subtitles = forms.BooleanField(label=_("Subtitles in the picture"), required=False, initial=True)
    template = forms.ChoiceField(label=_("Template"), required=False)

    def __init__(self, *args: Any, tenant: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, people in (
            ("identity", casting.tellers(tenant)),
            ("performer", casting.performers(tenant)),
        ):
            options: list[tuple[str, Any]] = [(each.id, each.name) for each in people]
            _offer(self, name, options if len(options) == 1 else [("", _("Choose a person")), *options])
        _offer(self, "voice", casting.voice_choices())
        used = {each.template.name: each for each in scene_templates.in_use(tenant=tenant)}
        _offer(self, "template", [("", _("None: as chosen below")), *((name, name) for name in used)])
        self.version = used.get(str(self["template"].value() or ""))
        self.template_read: Template | None = None
        self.drawable = self.version is not None and not templating.problem_of(self.version)
        if self.version is not None:
            self._add_variables(scene_templates.readable(self.version))

    def variables(self) -> Iterable[tuple[str, BoundField, BoundField | None]]:
        """The variables of the chosen template: kind, field of the value, field that takes a picture."""
        for name, kind in self.template_read.variables.items() if self.template_read else ():
            taken = self[FILE + name] if kind == "image" else None
            yield str(kind), self[VALUE + name], taken

    def _add_variables(self, template: Template | None) -> None:
        self.template_read = template
        if template is None:
            return
        for name in ("format", "colour"):  # the template decides about them
            self.fields[name].required = False
        for name, kind in template.variables.items():
            self.fields[VALUE + name] = forms.CharField(
                label=name, required=False, strip=kind != "text", widget=WIDGETS[kind]()
            )
            if kind == "image":
                self.fields[FILE + name] = forms.FileField(
                    label=name, required=False, widget=forms.FileInput(attrs=PICTURE)
                )


class StudioForm(SceneForm):
    """One script and its scene; ``client_id`` is made with the page, so that two clicks are one video."""

    recording = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)
    recording_file = forms.FileField(
        label=_("Recording"), required=False, widget=forms.FileInput(attrs=SOUND)
    )
    voice_identity = forms.ChoiceField(label=_("Whose voice it is"), required=False)
    revises = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    client_id = forms.CharField(widget=forms.HiddenInput, max_length=64, initial=new_client_id)
    script = forms.CharField(
        label=_("Script"),
        strip=False,
        max_length=2 * LENGTH_MAX,  # what is too long is told in words, with the rest
        widget=forms.Textarea(attrs={"rows": 9, "spellcheck": "false", "autocomplete": "off"}),
        error_messages={"required": _("Write what is to be said.")},
    )
    kind = forms.ChoiceField(
        label=_("Written as"), choices=choices("writing"), widget=forms.RadioSelect, initial="text"
    )

    def __init__(self, *args: Any, tenant: str, **kwargs: Any) -> None:
        super().__init__(*args, tenant=tenant, **kwargs)
        voices = [(each.id, each.name) for each in casting.voices(tenant)]
        _offer(self, "voice_identity", [("", _("Choose a person")), *voices])

    def request(self) -> PresentRequest:
        """The valid form as a request."""
        return request_of(self.cleaned_data)


class BatchForm(SceneForm):
    """A table of scripts, and what a cell left empty means."""

    batch = forms.CharField(widget=forms.HiddenInput, max_length=40, initial=new_client_id)
    table = forms.FileField(
        label=_("Table of scripts"),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        error_messages={"required": _("Choose a CSV file.")},
    )


def _offer(form: forms.Form, name: str, options: list[tuple[str, Any]]) -> None:
    cast(forms.ChoiceField, form.fields[name]).choices = options


def typed(values: Mapping[str, Any]) -> dict[str, str]:
    """What was typed so far, of all that a request is made of; the rest of a form is left out."""
    names = (*FIELDS, *MORE, *(name for name in values if name.startswith(VALUE)))
    return {name: values.get(name, "") for name in names}


def scene_of(row: Any) -> dict[str, Any]:
    """The form's first values from a presentation: everything but its words."""
    scene = dict(row.scene)
    pinned = scene.pop("template", None)
    values = {VALUE + name: value for name, value in pinned["variables"].items()} if pinned else {}
    return {
        "identity": row.identity_id,
        "performer": row.performer_id,
        "language": row.language,
        "purpose": row.purpose,
        "channel": row.channel,
        "territory": row.territory,
        "template": pinned["name"] if pinned else "",
        **{name: scene[name] for name in ("format", "colour", "subtitles") if name in scene},
        **values,
    }


def request_of(values: Mapping[str, Any]) -> PresentRequest:
    """A request from a form's values or from what was typed so far; the services judge it."""
    given = {name: str(values.get(name) or "") for name in FIELDS}
    more: dict[str, Any] = {
        name: str(values[name])
        for name in ("recording", "voice_identity", "revises")
        if name in TAKEN and values.get(name)
    }
    if more.get("recording"):
        given["voice"] = ""  # the recording is the voice
    else:
        more.pop("voice_identity", None)
    return PresentRequest(
        identity_id=given["identity"],
        performer_id=given["performer"],
        script=lines(given["script"]),
        purpose=given["purpose"],
        channel=given["channel"],
        language=given["language"] or "zh",
        kind=given["kind"] or "text",
        voice=given["voice"],
        territory=given["territory"] or "CN",
        format=given["format"] or "landscape",
        colour=given["colour"] or COLOUR,
        subtitles=bool(values.get("subtitles")),
        template=_use_of(values),
        **more,
    )


def _use_of(values: Mapping[str, Any]) -> TemplateUse | None:
    name = str(values.get("template") or "")
    if not name:
        return None
    said = {key: str(value or "") for key, value in values.items() if key.startswith(VALUE)}
    return TemplateUse(name, variables=tuple(sorted((key[len(VALUE) :], said[key]) for key in said)))


def lines(script: str) -> str:
    """A script with the line ends that the person sees: browsers send them as CR LF."""
    return script.replace("\r\n", "\n").replace("\r", "\n")
