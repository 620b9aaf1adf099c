"""The portal's forms: shape and choices only; rules stay in the services."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from consent import selectors as consents
from consent.catalogue import LANGUAGES, PROHIBITED, TERRITORIES
from generation.statutory import PURPOSE_CHARS, RECIPIENT_CHARS
from likeness.portal.wording.faults import explain
from likeness.portal.wording.terms import choices

MAX_PORTRAITS = 10
REASON_CHARS = 500
TERM_DAYS = 365


class PicturesField(forms.FileField):
    """Several pictures in one field."""

    widget = forms.ClearableFileInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[Any]]:
        """Check each file on its own; at least one, at most ``MAX_PORTRAITS``."""
        files = data if isinstance(data, (list, tuple)) else [data] if data else []
        if len(files) > MAX_PORTRAITS:
            raise forms.ValidationError(_("At most %(n)d pictures at a time."), params={"n": MAX_PORTRAITS})
        if not files:
            raise forms.ValidationError(_("Choose at least one picture."))
        return [super(PicturesField, self).clean(file, initial) for file in files]


class Pictures(forms.FileInput):
    """A file input that takes several pictures."""

    allow_multiple_selected = True


class EnrolForm(forms.Form):
    """A person and their portraits."""

    name = forms.CharField(
        label=_("Name"), max_length=60, help_text=_("In exactly the characters in which the person signs.")
    )
    kind = forms.ChoiceField(
        label=_("What the person lends"),
        choices=[
            ("likeness", _("Their face, for others to wear")),
            ("performer", _("Their performance, in which the face is replaced")),
        ],
        initial="likeness",
        widget=forms.RadioSelect,
    )
    status = forms.ChoiceField(
        label=_("The person is"), choices=choices("status"), initial="living", widget=forms.RadioSelect
    )
    portraits = PicturesField(
        label=_("Portraits"), widget=Pictures(attrs={"accept": "image/jpeg,image/png", "multiple": True})
    )


class PortraitForm(forms.Form):
    """One more portrait of a person."""

    portrait = forms.FileField(
        label=_("Portrait"), widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png"})
    )


class ReasonForm(forms.Form):
    """Why something is rejected or revoked."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_CHARS,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Write the reason; it is kept with the decision.")},
    )


class LicenceForm(forms.Form):
    """What a person agreed to, as it goes into the licence; a performer lends one thing only."""

    operations = forms.MultipleChoiceField(
        label=_("What may be made"),
        choices=choices("operation", ("face_swap", "lip_sync", "voice")),
        initial=["face_swap"],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Lip sync is what the studio needs; a recorded voice needs a consent of its own."),
    )
    purposes = forms.MultipleChoiceField(
        label=_("Purpose"), choices=choices("purpose"), widget=forms.CheckboxSelectMultiple
    )
    channels = forms.MultipleChoiceField(
        label=_("Channel"), choices=choices("channel"), widget=forms.CheckboxSelectMultiple
    )
    territories = forms.MultipleChoiceField(
        label=_("Territory"),
        choices=choices("territory", tuple(sorted(TERRITORIES))),
        initial=["CN"],
        widget=forms.CheckboxSelectMultiple,
    )
    languages = forms.MultipleChoiceField(
        label=_("Language"),
        choices=choices("language", tuple(sorted(LANGUAGES))),
        initial=["zh", "en"],
        widget=forms.CheckboxSelectMultiple,
    )
    intended_use = forms.CharField(
        label=_("What it is for, in words"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One or two sentences that the person would recognise."),
    )
    not_before = forms.DateField(
        label=_("First day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    not_after = forms.DateField(
        label=_("Last day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    max_outputs = forms.IntegerField(
        label=_("Outputs at most"), min_value=1, max_value=1_000_000, initial=200
    )
    max_seconds = forms.IntegerField(
        label=_("Seconds per output at most"), min_value=1, max_value=86_400, initial=600
    )
    prohibited = forms.MultipleChoiceField(
        label=_("Forbidden content"),
        choices=choices("prohibited", tuple(sorted(PROHIBITED))),
        initial=sorted(PROHIBITED),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    visible_label = forms.CharField(
        label=_("Words on the visible label"),
        max_length=20,
        required=False,
        initial="AI生成",
        empty_value="AI生成",
        help_text=_("They are added to what the law of the place asks for."),
    )
    label_whole_clip = forms.BooleanField(label=_("Show the label on every frame"), required=False)
    unlabelled_export = forms.BooleanField(
        label=_("Allow copies without the visible label, for a named recipient, where the law does"),
        required=False,
    )
    signed_by = forms.CharField(
        label=_("Signed by"),
        max_length=60,
        help_text=_("The person, or who represents them, in exact characters."),
    )
    representative = forms.CharField(
        label=_("Represented by"),
        max_length=60,
        required=False,
        help_text=_("Only for a deceased person: who decides for the estate."),
    )
    agreement = forms.FileField(
        label=_("Signed agreement"),
        help_text=_("Only its SHA-256 goes into the licence; the file stays with you."),
    )
    face_consent = forms.FileField(label=_("Separate consent: processing of the face"))
    editing_consent = forms.FileField(label=_("Separate consent: editing by deep synthesis"))
    voice_consent = forms.FileField(label=_("Separate consent: use of the voice"), required=False)

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if kind == "performer":
            del self.fields["operations"], self.fields["voice_consent"]
        today = timezone.localdate()
        self.fields["not_before"].initial = today
        self.fields["not_after"].initial = today + timedelta(days=TERM_DAYS)

    def clean(self) -> dict[str, Any]:
        """A voice is lent by a consent of its own."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if "voice" in values.get("operations", ()) and not values.get("voice_consent"):
            self.add_error("voice_consent", _("The voice needs a separate consent: choose its signed text."))
        return values


class JobForm(forms.Form):
    """Whose face, onto which footage, and for what."""

    field_order = ("identity", "target")
    target = forms.FileField(
        label=_("Footage"),
        widget=forms.FileInput(attrs={"accept": "video/mp4,video/quicktime,image/jpeg,image/png"}),
        help_text=_("A video or a picture of a performer who has released it."),
    )
    purpose = forms.ChoiceField(label=_("Purpose"), choices=choices("purpose"))
    channel = forms.ChoiceField(label=_("Channel"), choices=choices("channel"))
    territory = forms.ChoiceField(label=_("Territory"), choices=choices("territory"), initial="CN")
    language = forms.ChoiceField(label=_("Language"), choices=choices("language"), initial="zh")

    def __init__(self, *args: Any, tenant: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [row for row in consents.identities(tenant=tenant) if row.kind == "likeness"]
        options = [("", _("Choose a person")), *((row.id, row.name) for row in people)]
        self.fields["identity"] = forms.ChoiceField(label=_("Whose face"), choices=options)


class ExportForm(forms.Form):
    """Who gets a copy without the visible label, and why."""

    recipient = forms.CharField(
        label=_("Recipient"), max_length=RECIPIENT_CHARS, help_text=_("The organisation or person, in full.")
    )
    agreement = forms.CharField(
        label=_("Agreement"),
        max_length=64,
        help_text=_("The number of the agreement with the recipient; it stands in the log."),
    )
    purpose = forms.CharField(
        label=_("Purpose"), max_length=PURPOSE_CHARS, widget=forms.Textarea(attrs={"rows": 2})
    )
    declared = forms.BooleanField(
        label=_(
            "The recipient has declared in writing: they know that the content was generated by AI, label it "
            "as the law asks before it is shown to the public, and answer for its use."
        ),
        error_messages={"required": _("Without the declaration no copy is made.")},
    )


class BlockForm(forms.Form):
    """A face that nobody may wear."""

    image = forms.FileField(
        label=_("Photo"), widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png"})
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=REASON_CHARS, widget=forms.Textarea(attrs={"rows": 2})
    )


class LookupForm(forms.Form):
    """A file whose origin is asked for."""

    file = forms.FileField(
        label=_("File"),
        error_messages={"required": _("Choose a video, a picture or a recording, or drop one here.")},
    )


def blame(form: forms.Form, error: Exception, *, field: str | None = None) -> None:
    """Put a service's refusal onto the form, in words; onto its fields where the service names them."""
    words = explain(error)
    named = _named(getattr(error, "fields", None) or {}, form.fields)
    for name, messages in named.items():
        form.add_error(name, list(messages))
    if not named:
        form.add_error(field if field in form.fields else None, f"{words.sentence} {words.hint}".strip())


def _named(fields: dict[str, Sequence[str]], known: Any) -> dict[str, Sequence[str]]:
    """Messages by form field, from the service's field names or JSON paths (``$.name``)."""
    found: dict[str, Sequence[str]] = {}
    for path, messages in fields.items():
        name = path.removeprefix("$.").split(".")[-1].split("[")[0]
        if name in known:
            found[name] = messages
    return found
