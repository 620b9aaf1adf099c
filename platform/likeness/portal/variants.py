"""One script in several languages and by several people: the form, and the page that follows every cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generation import selectors, summing, variants
from generation.presenter.errors import TemplateInvalidError
from generation.presenter.normalise import LENGTH_MAX
from generation.presenting import PresentRequest, new_client_id
from generation.variants import Said, VariantsRequest
from likeness.portal import access, casting, people
from likeness.portal.forms import blame
from likeness.portal.jobs import STOP_POLLING
from likeness.portal.pages import DOMAIN_ERRORS, Change, Page
from likeness.portal.presentations import PresentationRow, names_of, rows_of
from likeness.portal.studio import COLOURS
from likeness.portal.studio_files import blame_values, take_files
from likeness.portal.studio_forms import SceneForm, lines, request_of, typed
from likeness.portal.wording.faults import reason_of
from likeness.portal.wording.reasons import Reason
from likeness.portal.wording.terms import choices, word

LANGUAGES = ("zh", "en")
"""Those that voices speak here; the licence of each teller decides once more."""


class VariantsForm(SceneForm):
    """Who says what in which language; the rest is the same for all."""

    client_id = forms.CharField(widget=forms.HiddenInput, max_length=48, initial=new_client_id)
    identities = forms.MultipleChoiceField(
        label=gettext_lazy("Tellers"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one teller.")},
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Written as"), choices=choices("writing"), widget=forms.RadioSelect, initial="text"
    )

    def __init__(self, *args: Any, tenant: str, **kwargs: Any) -> None:
        super().__init__(*args, tenant=tenant, **kwargs)
        for name in ("identity", "language", "voice"):
            del self.fields[name]
        offered = [(each.id, each.name) for each in casting.tellers(tenant)]
        self.fields["identities"].choices = offered  # type: ignore[attr-defined]  # a choice field
        for language in LANGUAGES:
            self.fields[f"script_{language}"] = forms.CharField(
                label=word("language", language),
                strip=False,
                required=False,
                max_length=2 * LENGTH_MAX,
                widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off"}),
            )
            self.fields[f"voice_{language}"] = forms.ChoiceField(
                label=gettext_lazy("Voice"), required=False, choices=casting.voice_choices()
            )

    def scripts(self) -> Iterator[tuple[Any, Any]]:
        """The script and the voice of each language."""
        for language in LANGUAGES:
            yield self[f"script_{language}"], self[f"voice_{language}"]

    def clean(self) -> dict[str, Any]:
        """At least one language has something to say."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if not any(str(values.get(f"script_{each}", "")).strip() for each in LANGUAGES):
            self.add_error(f"script_{LANGUAGES[0]}", _("Write what is to be said in at least one language."))
        return values

    def request(self) -> VariantsRequest:
        """The valid form as a request."""
        values = self.cleaned_data
        said = [
            Said(each, lines(values[f"script_{each}"]), values["kind"], values[f"voice_{each}"])
            for each in LANGUAGES
            if values[f"script_{each}"].strip()
        ]
        plain: PresentRequest = request_of({**values, "identity": "", "script": "", "voice": ""})
        return VariantsRequest(tuple(values["identities"]), tuple(said), plain)


@dataclass(frozen=True, slots=True)
class CellView:
    """One language by one teller; ``row`` is None where nothing was kept of it."""

    cell: Any
    language: str
    row: PresentationRow | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One teller with a cell for each language."""

    teller: str
    cells: tuple[CellView, ...]


class VariantsCreateView(Page):
    """Ask for several versions of one script."""

    section: ClassVar[str] = "studio"
    roles = access.SUBMIT_JOBS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show an empty form."""
        return self.compose(request, VariantsForm(tenant=self.tenant))

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Ask for every cell; the same page sent twice asks once."""
        form = VariantsForm(request.POST, request.FILES, tenant=self.tenant)
        if not form.is_valid() or not take_files(form, by=self.actor):
            return self.compose(request, form, status=422)
        client_id = form.cleaned_data["client_id"]
        try:
            variants.present(form.request(), client_id=client_id, by=self.actor)
        except TemplateInvalidError as error:
            blame_values(form, error, script=f"script_{LANGUAGES[0]}")
        except DOMAIN_ERRORS as error:
            blame(form, error)
        else:
            return redirect("variants-detail", client_id=client_id)
        return self.compose(request, form, status=422)

    def compose(self, request: HttpRequest, form: VariantsForm, *, status: int = 200) -> HttpResponse:
        """The page with the form."""
        context = {"form": form, "colours": COLOURS}
        return self.show(request, "portal/variants/form.html", context, status=status)


class VariantsStartView(VariantsCreateView):
    """Go on from the studio with what was typed there."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Show the form with the script, its teller and its scene."""
        given: dict[str, Any] = typed(request.POST)
        language = given["language"] if given["language"] in LANGUAGES else LANGUAGES[0]
        initial = given | {
            f"script_{language}": given["script"],
            f"voice_{language}": given["voice"],
            "identities": [given["identity"]] if given["identity"] else [],
        }
        return self.compose(request, VariantsForm(tenant=self.tenant, initial=initial))


class VariantsDetailView(Page):
    """A matrix of what became of each language and teller."""

    section: ClassVar[str] = "videos"

    def get(self, request: HttpRequest, client_id: str) -> HttpResponse:
        """Show it; htmx asks for the matrix alone."""
        row = summing.find(client_id, tenant=self.tenant)
        cells = summing.cells(row)
        state = summing.state_of(cells)
        moving = state == "running"
        context = {
            "set": row,
            "requester": people.names(self.tenant).get(row.requester, row.requester),
            "languages": list(dict.fromkeys(cell.language for cell in cells)),
            "rows": _matrix(cells, self.tenant),
            "state": state,
            "moving": moving,
            "ready": sum(cell.state == "succeeded" for cell in cells),
            "all": len(cells),
            "may_cancel": moving and access.allows(access.CANCEL_JOBS, self.actor.roles),
            "may_download": access.allows(access.DOWNLOAD, self.actor.roles),
        }
        if request.headers.get("HX-Request"):
            status = 200 if moving else STOP_POLLING
            return self.show(request, "portal/variants/matrix.html", context, status=status)
        return self.show(request, "portal/variants/detail.html", context)


class VariantsCancelView(Change):
    """Stop every cell that has not ended."""

    roles = access.CANCEL_JOBS

    def change(self, **kwargs: Any) -> str:
        """Cancel them."""
        variants.cancel(kwargs["client_id"], by=self.actor)
        return _("What has not ended is being cancelled.")

    def back(self, **kwargs: Any) -> str:
        """To the matrix."""
        return reverse("variants-detail", kwargs=kwargs)


def _matrix(cells: Iterable[summing.Cell], tenant: str) -> tuple[MatrixRow, ...]:
    found = tuple(cells)
    kept = selectors.presentations(tenant=tenant).filter(client_id__in=[cell.presentation for cell in found])
    made = {each.row.client_id: each for each in rows_of(kept, tenant=tenant)}
    names = names_of(tenant)
    by_teller: dict[str, list[CellView]] = {}
    for cell in found:
        by_teller.setdefault(cell.identity, []).append(_view(cell, made))
    return tuple(MatrixRow(names.get(who, who), tuple(views)) for who, views in by_teller.items())


def _view(cell: summing.Cell, made: Mapping[str, PresentationRow]) -> CellView:
    codes = dict.fromkeys(cell.reasons or ((cell.code,) if cell.code else ()))
    reasons = tuple(reason_of(code, sentence=cell.message, hint=cell.hint) for code in codes)
    return CellView(cell, word("language", cell.language), made.get(cell.presentation), reasons)
