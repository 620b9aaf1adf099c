"""Where a file comes from, in words: ours or not, which job, whose consent, which marks, what is proven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from consent import selectors as consents
from consent.errors import ConsentError
from generation import selectors as jobs
from generation.errors import GenerationError
from likeness import provenance
from likeness.portal import access, licences, people
from likeness.portal.forms import LookupForm, blame
from likeness.portal.jobs import person_of
from likeness.portal.pages import DOMAIN_ERRORS, Page
from likeness.portal.uploads import on_disk

MARKS = ("invisible", "aigc", "c2pa")
MARK_STATES = {
    "present": ("good", _("Found")),
    "trusted": ("good", _("Found, and signed by us")),
    "valid": ("warn", _("Found, signed by somebody else")),
    "suspected": ("warn", _("Traces of one, not enough to be sure")),
    "malformed": ("bad", _("Found, but damaged")),
    "invalid": ("bad", _("Found, but it does not hold")),
    "absent": ("none", _("Not found")),
    "not-run": ("none", _("Not looked for: the file is too small or of another kind")),
}
"""Tone and words for the state of a mark, by the detector's name of it in small letters."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an answer is headed: tone, icon, title and what it means."""

    tone: str
    icon: str
    title: Any
    sentence: Any


VERDICTS = {
    "present": Verdict(
        "good",
        "shield",
        _("This file was generated here"),
        _("Its marks name a job of this installation, and the job's record is below."),
    ),
    "absent": Verdict(
        "",
        "search",
        _("No mark of ours was found"),
        _(
            "That is not proof that the file is genuine, nor that it is not ours: "
            "marks can be lost when a file is cropped, shrunk or filmed from a screen."
        ),
    ),
    "conflict": Verdict(
        "warn",
        "alert",
        _("The marks contradict each other"),
        _("They name different jobs, or a job that is not known here. Treat the file as tampered with."),
    ),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One kind of mark: how it was found, and the id in it."""

    code: str
    tone: str
    words: Any
    detail: str


class ProvenanceView(Page):
    """Drop a file, get its history."""

    section: ClassVar[str] = "provenance"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the empty form."""
        return self._page(request, {"form": LookupForm()})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Look the file up; it is not kept."""
        form = LookupForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(request, {"form": form}, status=422)
        upload = form.cleaned_data["file"]
        try:
            with on_disk(upload) as path:
                answer = provenance.trace(path, by=self.actor).as_json()
        except DOMAIN_ERRORS as error:
            blame(form, error, field="file")
            return self._page(request, {"form": form}, status=422)
        context = {"form": LookupForm(), "name": upload.name, "answer": answer, **self._told(answer)}
        return self._page(request, context)

    def _page(self, request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        context["may_search"] = access.allows(access.SEARCH_LOG, self.actor.roles)
        return self.show(request, "portal/provenance/lookup.html", context, status=status)

    def _told(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """The answer in words; what belongs to another tenant stays unnamed."""
        told: dict[str, Any] = {
            "verdict": VERDICTS.get(str(answer.get("match")), VERDICTS["conflict"]),
            "marks": marks_of(answer.get("marks") or {}),
            "may_see_log": access.allows(access.SEE_LOG, self.actor.roles),
        }
        try:
            job = jobs.job(str(answer.get("job") or ""), tenant=self.tenant)
            told["job"] = job
            told["face"] = person_of(job.identity_id, tenant=self.tenant)
            told["requester"] = people.names(self.tenant).get(job.requester, job.requester)
            row = consents.consent(job.consent_id, tenant=self.tenant)
            told["card"] = licences.cards_of([row], tenant=self.tenant)[0]
        except (GenerationError, ConsentError):
            return told
        return told


def marks_of(found: Mapping[str, Any]) -> tuple[Mark, ...]:
    """Each kind of mark, in a fixed order."""
    return tuple(_mark(code, found.get(code) or {}) for code in MARKS)


def _mark(code: str, read: Mapping[str, Any]) -> Mark:
    state = str(read.get("state") or "absent").lower()
    tone, words = MARK_STATES.get(state, ("none", state))
    detail = str(read.get("id") or read.get("produce_id") or read.get("mark") or "")
    return Mark(code, tone, words, detail)
