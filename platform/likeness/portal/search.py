"""Searching the log: filters in the address, hits on a timeline, tables as files, evidence for a job."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.events import TYPES
from likeness import provenance_search
from likeness.errors import RequestInvalidError
from likeness.portal import access, people
from likeness.portal.evidence import as_file, evidence_file
from likeness.portal.forms import blame
from likeness.portal.pages import DOMAIN_ERRORS, Page
from likeness.portal.uploads import opened
from likeness.portal.wording.events import Told, tell
from likeness.provenance_query import Query, parse
from likeness.provenance_search import Hit, Results

ABOUT = ("job", "consent", "identity", "output")
MORE = ("consent", "job", "output", "mark", "manifest", "licence", "model", "script")
"""Fields of the form that are folded away while they are empty."""


class SearchForm(forms.Form):
    """What a hit must be about; all that is given must be met."""

    person = forms.CharField(label=_("Person"), required=False, help_text=_("Name, identity or pseudonym."))
    operator = forms.CharField(label=_("Done by"), required=False, help_text=_("Name, address or pseudonym."))
    event = forms.ChoiceField(label=_("What happened"), required=False)
    since = forms.CharField(
        label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.CharField(
        label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    consent = forms.CharField(label=_("Licence"), required=False)
    job = forms.CharField(label=_("Job"), required=False)
    output = forms.CharField(label=_("Output, SHA-256"), required=False)
    mark = forms.CharField(label=_("Invisible mark"), required=False)
    manifest = forms.CharField(label=_("Content credential, SHA-256"), required=False)
    licence = forms.CharField(label=_("Document, SHA-256"), required=False)
    model = forms.CharField(label=_("Model, SHA-256"), required=False)
    script = forms.CharField(label=_("Script, its words or SHA-256"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words: list[tuple[str, str | Promise]] = sorted(
            ((name, tell({"type": name}).label) for name in TYPES), key=lambda item: str(item[1])
        )
        self.fields["event"].choices = [("", _("Anything")), *words]  # type: ignore[attr-defined]  # a choice field


class PhotoForm(forms.Form):
    """A picture of the person who is looked for."""

    photo = forms.FileField(
        label=_("Photo of one face"), widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png"})
    )


@dataclass(frozen=True, slots=True)
class Line:
    """A hit as it is shown: what happened, who did it, and what it is about as (field, value)."""

    hit: Hit
    told: Told
    person: str
    about: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Day:
    """The hits of one day, newest first."""

    day: date
    lines: tuple[Line, ...]


class SearchView(Page):
    """Everything in the log about something; for auditors."""

    section: ClassVar[str] = "provenance"
    roles = access.SEARCH_LOG

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the hits of the filters in the address, or hand them out as a file."""
        asked = {name: value for name, value in request.GET.dict().items() if str(value).strip()}
        export = str(asked.pop("export", ""))
        try:
            query = parse({name: str(value) for name, value in asked.items()})
            if export in {"csv", "json"}:
                return as_file(provenance_search.export(query, by=self.actor), export)
            found = provenance_search.search(query, by=self.actor) if asked else None
        except RequestInvalidError as error:
            form = SearchForm(asked)
            form.is_valid()
            blame(form, error)
            return self._page(request, form, status=422)
        return self._page(request, SearchForm(initial=asked), query=query, found=found)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Look for the person on a photograph, which is not kept."""
        form = PhotoForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(request, SearchForm(), photo=form, status=422)
        with opened(form.cleaned_data["photo"]) as stream:
            query = Query(photo=stream.read())
        try:
            found = provenance_search.search(query, by=self.actor)
        except DOMAIN_ERRORS as error:
            blame(form, error, field="photo")
            return self._page(request, SearchForm(), photo=form, status=422)
        return self._page(request, SearchForm(), query=query, found=found)

    def _page(
        self,
        request: HttpRequest,
        form: SearchForm,
        *,
        query: Query | None = None,
        found: Results | None = None,
        photo: PhotoForm | None = None,
        status: int = 200,
    ) -> HttpResponse:
        filters = {name: str(value) for name, value in request.GET.items() if value and name != "before"}
        context: dict[str, Any] = {
            "form": form,
            "photo": photo or PhotoForm(),
            "more": [form[name] for name in MORE],
            "more_open": any(form[name].value() or form[name].errors for name in MORE),
            "query": query,
            "found": found,
            "filters": urlencode(filters),
        }
        if found is not None:
            context |= {"days": days(found.hits, names=people.names(self.tenant)), "job": _job(found.hits)}
        return self.show(request, "portal/provenance/search.html", context, status=status)


class EvidenceView(Page):
    """The evidence for one job, as a file."""

    roles = access.SEARCH_LOG

    def get(self, _request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
        """Send it; that it was taken is logged."""
        return evidence_file(str(job_id), by=self.actor)


def days(hits: Iterable[Hit], *, names: dict[str, str]) -> list[Day]:
    """Hits as the days of a timeline."""
    found: dict[date, list[Line]] = {}
    for hit in hits:
        at = timezone.localtime(datetime.fromisoformat(hit.entry.ts))
        event = hit.entry.event
        about = tuple((name, str(event[name])) for name in ABOUT if isinstance(event.get(name), str))
        line = Line(hit, tell(event), names.get(hit.entry.actor, hit.entry.actor), about)
        found.setdefault(at.date(), []).append(line)
    return [Day(day, tuple(lines)) for day, lines in found.items()]


def _job(hits: Sequence[Hit]) -> uuid.UUID | None:
    """The one job that all the hits are about which name a job."""
    jobs = {str(hit.entry.event["job"]) for hit in hits if "job" in hit.entry.event}
    try:
        return uuid.UUID(jobs.pop()) if len(jobs) == 1 else None
    except ValueError:
        return None
