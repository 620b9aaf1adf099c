"""Where a file comes from, in words: ours or not, which job, whose consent, which marks, what is proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse

from audit import selectors as log
from audit.errors import AuditError
from audit.leaf import KeyKind
from consent import selectors as consents
from consent.errors import ConsentError
from generation import selectors as jobs
from generation.errors import GenerationError
from likeness import provenance, provenance_overlay
from likeness.portal import access, licences, people
from likeness.portal.forms import LookupForm, blame
from likeness.portal.jobs import person_of
from likeness.portal.pages import DOMAIN_ERRORS, Page
from likeness.portal.uploads import on_disk
from likeness.portal.wording import provenance as words
from likeness.portal.wording.events import Told, tell

STEPS = 12
"""Entries of a job that are shown."""
SHOWN_S = 0.05


@dataclass(frozen=True, slots=True)
class Line:
    """One layer as it is shown: how it was found, the id in it, and how sure that is."""

    code: str
    tone: str
    name: Any
    words: Any
    detail: str
    figures: str


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the log about the job."""

    index: int
    ts: str
    told: Told
    person: str


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
                found = provenance.trace(path, by=self.actor)
                overlay = provenance_overlay.draw(path, found, tenant=self.tenant)
        except DOMAIN_ERRORS as error:
            blame(form, error, field="file")
            return self._page(request, {"form": form}, status=422)
        answer = found.as_json()
        picture = provenance_overlay.as_address(overlay) if overlay else ""
        context = {"form": LookupForm(), "name": upload.name, "answer": answer, "overlay": picture}
        return self._page(request, {**context, **self._told(answer)})

    def _page(self, request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        context["may_search"] = access.allows(access.SEARCH_LOG, self.actor.roles)
        return self.show(request, "portal/provenance/lookup.html", context, status=status)

    def _told(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """The answer in words; what belongs to another tenant stays unnamed."""
        may_see_log = access.allows(access.SEE_LOG, self.actor.roles)
        told: dict[str, Any] = {
            "verdict": words.VERDICTS.get(str(answer.get("verdict")), words.VERDICTS["conflict"]),
            "reasons": [words.REASONS[why] for why in answer.get("reasons", ()) if why in words.REASONS],
            "layers": lines_of(answer.get("layers", ())),
            "place": _place(answer),
            "alike": self._alike(answer),
            "may_see_log": may_see_log,
        }
        try:
            job = jobs.job(str(answer.get("job") or ""), tenant=self.tenant)
            told["job"] = job
            told["face"] = person_of(job.identity_id, tenant=self.tenant)
            told["requester"] = people.names(self.tenant).get(job.requester, job.requester)
            told["steps"] = self._steps(job.id.hex) if may_see_log else []
            row = consents.consent(job.consent_id, tenant=self.tenant)
            told["card"] = licences.cards_of([row], tenant=self.tenant)[0]
        except (GenerationError, ConsentError):
            return told
        return told

    def _steps(self, job: str) -> list[Step]:
        """What the log says of the job, oldest first."""
        names = people.names(self.tenant)
        try:
            entries = [entry for entry in log.entries(KeyKind.JOB, job) if entry.tenant == self.tenant]
        except AuditError:
            return []
        return [
            Step(entry.index, entry.ts, tell(entry.event), names.get(entry.actor, entry.actor))
            for entry in entries[-STEPS:]
        ]

    def _alike(self, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Outputs that look like the file, with their jobs; those of others were never looked for."""
        found = next((layer for layer in answer.get("layers", ()) if layer["name"] == "perceptual"), None)
        return list(found["detail"].get("outputs", ())) if found else []


def lines_of(layers: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Each layer in words, in the detector's order."""
    return [_line(layer) for layer in layers]


def _line(layer: Mapping[str, Any]) -> Line:
    code, detail = str(layer["name"]), layer["detail"]
    tone, told = words.state_of(code, str(layer["state"]))
    named = str(
        detail.get("id") or detail.get("produce_id") or detail.get("mark") or detail.get("name") or ""
    )
    figures = []
    if layer["statistic"] is not None:
        figures.append(f"{'r' if code == 'perceptual' else 'z'} = {layer['statistic']:.2f}")
    if layer["bound"] is not None:
        figures.append(words.chance_of(layer["bound"]))
    if layer["seconds"] >= SHOWN_S:
        figures.append(f"{layer['seconds']:.1f} s")
    return Line(code, tone, words.LAYERS.get(code, code), told, named, " · ".join(figures))


def _place(answer: Mapping[str, Any]) -> str:
    geometry = (answer.get("marks") or {}).get("invisible", {}).get("geometry")
    return words.place_of(geometry) if geometry else ""
