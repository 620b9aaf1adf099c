"""Identities: the people who are enrolled, their portraits, and the licences that they signed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, ClassVar

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from consent import selectors, services
from consent.errors import PortraitRefusedError
from consent.terms import LicenceTerms, Representative, SeparateConsent
from likeness.portal import access, licences
from likeness.portal.forms import EnrolForm, LicenceForm, PortraitForm, blame
from likeness.portal.pages import DOMAIN_ERRORS, Page
from likeness.portal.parts import part_of
from likeness.portal.wording.quality import finding, measures_of

UNPROCESSABLE = 422
FACE_CONSENTS = {"PIPL29_FACE": "face_consent", "DEEPSYN14_EDIT": "editing_consent"}
"""The separate consents of an edited face, and the form's field with the signed text of each."""
PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}
"""First bytes of the kinds that are shown back."""
MAX_SHOWN_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Refused:
    """A portrait that was refused: the picture, kept nowhere and empty when it cannot be shown, and why."""

    picture: str
    failures: tuple[str, ...]


class IdentityListView(Page):
    """Everybody who is enrolled."""

    section: ClassVar[str] = "identities"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them with their first portrait."""
        part = part_of(selectors.identities(tenant=self.tenant), request)
        people = [(row, next(iter(row.portraits.all()), None)) for row in part.rows]
        context = {"people": people, "part": part, **_may(self)}
        return self.show(request, "portal/identities/list.html", context)


class IdentityDetailView(Page):
    """One person: portraits with their quality, and licences."""

    section: ClassVar[str] = "identities"

    def get(self, _request: HttpRequest, identity_id: str) -> HttpResponse:
        """Show the person."""
        return self._show(identity_id)

    def post(self, request: HttpRequest, identity_id: str) -> HttpResponseBase:
        """Add a portrait."""
        form = PortraitForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._show(identity_id, form=form, status=UNPROCESSABLE)
        upload = form.cleaned_data["portrait"]
        data = upload.read()
        try:
            services.add_portrait(identity_id, data=data, by=self.actor)
        except PortraitRefusedError as error:
            refused = refused_of(error, [data])
            return self._show(identity_id, form=form, refused=refused, status=UNPROCESSABLE)
        return redirect("identity-detail", identity_id=identity_id)

    def _show(
        self,
        identity_id: str,
        *,
        form: PortraitForm | None = None,
        refused: Sequence[Refused] = (),
        status: int = 200,
    ) -> HttpResponse:
        row = selectors.identity(identity_id, tenant=self.tenant)
        held = selectors.portraits(identity_id, tenant=self.tenant)
        rows = [
            consent for consent in selectors.consents(tenant=self.tenant) if consent.identity_id == row.id
        ]
        context = {
            "identity": row,
            "portraits": [(portrait, measures_of(portrait.quality)) for portrait in held],
            "cards": licences.rows_of(rows),
            "form": form or PortraitForm(),
            "refused": refused,
            **_may(self),
        }
        return self.show(self.request, "portal/identities/detail.html", context, status=status)


class IdentityEnrolView(Page):
    """Enrol a person; refused portraits are shown with what is wrong."""

    section: ClassVar[str] = "identities"
    roles = access.ENROL

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        return self.show(request, "portal/identities/enrol.html", {"form": EnrolForm()})

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Enrol, or say what is wrong with which picture."""
        form = EnrolForm(request.POST, request.FILES)
        refused: Sequence[Refused] = ()
        if form.is_valid():
            pictures = [upload.read() for upload in form.cleaned_data["portraits"]]
            fields = {name: form.cleaned_data[name] for name in ("name", "status", "kind")}
            try:
                identity = services.enrol(**fields, portraits=pictures, by=self.actor)
            except PortraitRefusedError as error:
                refused = refused_of(error, pictures)
            except DOMAIN_ERRORS as error:
                blame(form, error)
            else:
                return redirect("identity-detail", identity_id=identity.id)
        context = {"form": form, "refused": refused}
        return self.show(request, "portal/identities/enrol.html", context, status=UNPROCESSABLE)


class ConsentSubmitView(Page):
    """Submit the licence that a person signed."""

    section: ClassVar[str] = "identities"
    roles = access.ENROL

    def get(self, request: HttpRequest, identity_id: str) -> HttpResponse:
        """Show the form."""
        identity = selectors.identity(identity_id, tenant=self.tenant)
        form = LicenceForm(kind=identity.kind, initial={"signed_by": identity.name})
        return self.show(request, "portal/consent/submit.html", {"identity": identity, "form": form})

    def post(self, request: HttpRequest, identity_id: str) -> HttpResponseBase:
        """Submit it for review."""
        identity = selectors.identity(identity_id, tenant=self.tenant)
        form = LicenceForm(request.POST, request.FILES, kind=identity.kind)
        if form.is_valid():
            try:
                consent = services.submit(identity.id, terms=terms_of(form, identity), by=self.actor)
            except DOMAIN_ERRORS as error:
                blame(form, error)
            else:
                return redirect("consent-detail", consent_id=consent.id)
        context = {"identity": identity, "form": form}
        return self.show(request, "portal/consent/submit.html", context, status=UNPROCESSABLE)


def terms_of(form: LicenceForm, identity: Any) -> LicenceTerms:
    """The agreed terms as the licence wants them; of each signed file only the hash goes in."""
    data, now = form.cleaned_data, timezone.now()
    names = ("purposes", "channels", "territories", "languages", "prohibited", "signed_by", "visible_label")
    more = ("intended_use", "max_outputs", "max_seconds", "label_whole_clip", "unlabelled_export")
    values = {name: data[name] for name in (*names, *more)}
    operations = ("performance",) if identity.kind == "performer" else tuple(data["operations"])
    voice = [("VOICE_CLONE", "voice_consent")] if "voice" in operations else []
    agreement = _sha256(data["agreement"])
    estate = (
        Representative(name=data["representative"], evidence_sha256=agreement)
        if data["representative"]
        else None
    )
    return LicenceTerms(
        **values,
        operations=operations,
        not_before=datetime.combine(data["not_before"], time.min, tzinfo=UTC),
        not_after=datetime.combine(data["not_after"], time(23, 59, 59), tzinfo=UTC),
        separate_consents=[
            SeparateConsent(code=code, text_sha256=_sha256(data[field]), lang="zh-CN", at=now)
            for code, field in (*FACE_CONSENTS.items(), *voice)
        ],
        signed_at=now,
        text_sha256=agreement,
        representative=estate,
    )


def refused_of(error: PortraitRefusedError, pictures: Sequence[bytes]) -> tuple[Refused, ...]:
    """Each refused picture with its reasons; it travels back inside the page and is stored nowhere."""
    found: dict[int, list[str]] = {}
    for fault in error.failures:
        number = fault.path.partition("[")[2].rstrip("]")
        found.setdefault(int(number) if number.isdigit() else 0, []).append(
            finding(fault.code, fault.message)
        )
    return tuple(
        Refused(data_url(pictures[number]) or data_url(error.preview_png), tuple(reasons))
        for number, reasons in sorted(found.items())
        if number < len(pictures)
    )


def data_url(data: bytes) -> str:
    """The picture as a part of the page; empty when no browser should show it, or when it is too large."""
    kinds = (kind for start, kind in PICTURES.items() if data.startswith(start))
    kind = next(kinds, "") if len(data) <= MAX_SHOWN_BYTES else ""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}" if kind else ""


def _sha256(upload: UploadedFile[Any]) -> str:
    digest = hashlib.sha256()
    for block in upload.chunks():
        digest.update(block)
    return digest.hexdigest()


def _may(page: Page) -> dict[str, bool]:
    roles = page.actor.roles
    return {
        "may_enrol": access.allows(access.ENROL, roles),
        "may_see_portraits": access.allows(access.SEE_PORTRAITS, roles),
        "may_submit_jobs": access.allows(access.SUBMIT_JOBS, roles),
        "may_erase": access.allows(access.ERASE, roles),
    }
