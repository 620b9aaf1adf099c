"""What the studio asks for: who says what, where it will be shown, and how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from generation.presenter.normalise import LENGTH_MAX
from generation.presenting import PresentRequest, new_client_id
from likeness.portal import casting
from likeness.portal.wording.terms import choices

COLOUR = "#3c6e96"
FIELDS = (
    *("script", "kind", "language", "voice", "purpose", "channel", "territory", "format", "colour"),
    *("identity", "performer"),
)


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

    def __init__(self, *args: Any, tenant: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, people in (
            ("identity", casting.tellers(tenant)),
            ("performer", casting.performers(tenant)),
        ):
            options: list[tuple[str, Any]] = [(each.id, each.name) for each in people]
            _offer(self, name, options if len(options) == 1 else [("", _("Choose a person")), *options])
        _offer(self, "voice", casting.voice_choices())


class StudioForm(SceneForm):
    """One script and its scene; ``client_id`` is made with the page, so that two clicks are one video."""

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


def request_of(values: Mapping[str, Any]) -> PresentRequest:
    """A request from a form's values or from what was typed so far; the services judge it."""
    given = {name: str(values.get(name) or "") for name in FIELDS}
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
    )


def lines(script: str) -> str:
    """A script with the line ends that the person sees: browsers send them as CR LF."""
    return script.replace("\r\n", "\n").replace("\r", "\n")
