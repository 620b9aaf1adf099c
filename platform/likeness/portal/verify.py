"""Checking an evidence bundle: what it proves and what it does not, in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from audit import selectors, stamping, verify
from audit.errors import AuditError
from likeness.portal.pages import Page
from likeness.portal.uploads import on_disk
from likeness.portal.wording import evidence

MAX_TRUST_BYTES = 65_536


class VerifyForm(forms.Form):
    """A bundle, and what the person brings along to check it by."""

    bundle = forms.FileField(
        label=_("Evidence bundle"),
        widget=forms.FileInput(attrs={"accept": ".zip,application/zip"}),
        error_messages={"required": _("Choose a bundle, or drop one here.")},
    )
    trust = forms.FileField(
        label=_("Key or policy of the log"),
        required=False,
        help_text=_(
            "From somebody other than the sender. Without it, the key of this platform's own log is used."
        ),
    )
    pinned = forms.FileField(
        label=_("Your own checkpoint"),
        required=False,
        help_text=_("One that you kept earlier: the log must have grown from it without a change."),
    )
    file = forms.FileField(
        label=_("The file in question"),
        required=False,
        help_text=_("A video or a picture that you hold; its bytes are compared with the log."),
    )


class VerifyView(Page):
    """Drop a bundle, read what it proves."""

    section: ClassVar[str] = "verify"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the empty form."""
        return self.show(request, "portal/provenance/verify.html", {"form": VerifyForm()})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Check the bundle; nothing of it is kept."""
        form = VerifyForm(request.POST, request.FILES)
        texts = {name: self._text(form, name) for name in ("trust", "pinned")} if form.is_valid() else {}
        if form.errors:
            return self.show(request, "portal/provenance/verify.html", {"form": form}, status=422)
        report = _checked(form.cleaned_data["bundle"], texts, form.cleaned_data["file"])
        context = {
            "form": VerifyForm(),
            "name": form.cleaned_data["bundle"].name,
            "report": report,
            "own_key": not texts["trust"] and report["key"] == "given",
            "proven": evidence.proven(report),
            "not_proven": evidence.not_proven(report),
            "failed": [
                item for item in report["entries"] + report["manifests"] + report["tokens"] if not item["ok"]
            ],
        }
        return self.show(request, "portal/provenance/verify.html", context)

    def _text(self, form: VerifyForm, name: str) -> str:
        upload: UploadedFile[Any] | None = form.cleaned_data[name]
        if upload is None:
            return ""
        try:
            text = bytes(upload.read(MAX_TRUST_BYTES + 1)).decode()
        except UnicodeDecodeError:
            text = ""
        if not text.strip() or len(text) > MAX_TRUST_BYTES:
            form.add_error(name, _("This is no such file."))
        return text


def _checked(
    bundle: UploadedFile[Any], texts: Mapping[str, str], media: UploadedFile[Any] | None
) -> dict[str, Any]:
    """The verifier's report; a key has one line, a policy several words a line."""
    trust = texts["trust"]
    kind = "policy" if "quorum" in trust.split() else "vkey"
    with on_disk(bundle) as path, TemporaryDirectory(prefix="verify-") as folder:
        if media is not None:
            with (Path(folder) / Path(str(media.name)).name).open("wb") as out:
                out.writelines(media.chunks())
        given = {kind: trust or _own_key()}
        return verify.verify(
            str(path),
            pinned=texts["pinned"],
            media=folder if media else "",
            tsa_roots=stamping.roots(),
            **given,
        )


def _own_key() -> str:
    """The key of this platform's log, or nothing while there is none."""
    try:
        return str(selectors.log_key())
    except AuditError:
        return ""
