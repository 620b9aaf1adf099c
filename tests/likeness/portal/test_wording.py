"""Every code that a package can give has words."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from django.conf import settings

from audit.events import TYPES
from consent import catalogue, roles
from consent.models import State
from generation.gate import text as words_gate
from generation.models import JobState, PresentationState
from generation.presenter.errors import PresenterError
from likeness.accounts.roles import Role
from likeness.portal import access
from likeness.portal.wording import events, faults, quality, reading, reasons, states, terms
from tests.consent.samples import make_terms

ROOT = Path(settings.BASE_DIR)


def test_every_type_of_entry_is_told():
    assert set(events.EVENTS) >= set(TYPES)


@pytest.mark.parametrize("choice", [JobState, State, PresentationState])
def test_every_state_has_a_chip(choice):
    missing = {value for value in choice.values if value not in states.CHIPS} - {"subject_signed"}
    assert not missing


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        ("purpose", catalogue.Purpose),
        ("channel", catalogue.Channel),
        ("operation", catalogue.Operation),
        ("product", catalogue.Product),
        ("status", catalogue.Status),
        ("kind", catalogue.Kind),
        ("territory", catalogue.TERRITORIES),
        ("language", catalogue.LANGUAGES),
        ("prohibited", catalogue.PROHIBITED),
        ("consent", catalogue.CONSENT_CODES),
        ("law", catalogue.LAWS),
        ("role", Role),
    ],
)
def test_every_value_of_the_catalogue_has_a_word(table, codes):
    assert {str(code) for code in codes} == set(terms.TABLES[table])


def test_every_reason_of_the_gate_and_of_a_licence_is_told():
    sources = [*(ROOT / "generation" / "gate").glob("*.py"), ROOT / "consent" / "licence.py"]
    sources += [ROOT / "consent" / "decision.py", ROOT / "generation" / "finishing.py"]
    found = {
        code
        for path in sources
        for code in re.findall(
            r'"((?:licence|scope|source|actor|media|models|input|embedding|calibration|face|coverage|target|'
            r'performer|gate|identity|pose|similarity)\.[a-z_]+)"',
            path.read_text(),
        )
    }
    known = set(reasons.REASONS) | set(TYPES) | set(faults.EXPLAINED)
    assert len(found) > 20
    assert found - {"face.kept"} <= known  # a note about a frame, no reason


def test_every_refusal_of_a_script_is_told():
    table = tomllib.loads((ROOT / "generation" / "gate" / "lexicon.toml").read_text("utf-8"))
    codes = {f"text.{name}" for name, rows in table.items() if isinstance(rows, dict)}
    codes |= {*words_gate._COMPILED, "text.licence", "text.review", "voice.no_licence"}
    assert len(codes) > 8
    assert codes <= set(reasons.REASONS)


def test_every_error_of_the_presenter_is_told():
    codes, classes = set(), [PresenterError]
    while classes:
        kind = classes.pop()
        classes += kind.__subclasses__()
        if kind is not PresenterError:
            codes.add(kind.code)
    assert codes <= set(faults.EXPLAINED)


def test_every_finding_of_the_enrolment_gate_is_told():
    text = (ROOT / "generation" / "engine" / "faces" / "findings.py").read_text()
    found = set(re.findall(r'"(portrait\.[a-z_]+)"', text))
    assert found
    assert found <= set(quality.FINDINGS)


def test_a_finding_keeps_its_numbers_in_every_language():
    message = "The head is turned by 31 degrees; at most 15."
    assert quality.finding("portrait.turned", message) == message


def test_an_unknown_finding_keeps_the_gates_own_sentence():
    assert quality.finding("portrait.new", "Something new.") == "Something new."


def test_an_unknown_reason_keeps_the_services_own_sentence():
    assert reasons.reason("new.code", sentence="Something new.").sentence == "Something new."


def test_what_the_portal_allows_is_what_the_services_allow():
    allowed = roles.ALLOWED
    assert access.ENROL == allowed[roles.Action.ENROL] == allowed[roles.Action.SUBMIT]
    assert allowed[roles.Action.REJECT] == access.REVIEWERS
    assert allowed[roles.Action.REVOKE] == access.REVOKE
    assert allowed[roles.Action.BLOCK] == access.BLOCK
    assert allowed[roles.Action.UNBLOCK] == access.UNBLOCK
    assert allowed[roles.Action.ERASE] == access.ERASE
    assert allowed[roles.Action.DISCLOSE] == access.DISCLOSE


def test_a_licence_is_read_out_whole():
    from consent.terms import Party, build

    party = Party("idn_" + "0" * 16, "sub_" + "0" * 16, "王五", "living", "likeness", "Bank", ["a" * 64])
    licence = build(make_terms(max_seconds=90), party, licence_id="con_" + "0" * 16)
    sections = reading.read(licence.document)
    text = " ".join(line.text + " ".join(line.items) for section in sections for line in section.lines)
    for words in ("王五", "Product explainer", "90 seconds", "Never by itself", "72 hours", "Bank"):
        assert words in text


def test_no_measure_no_words():
    assert quality.measures_of({"measures": {}}) == ()
    assert quality.measures_of({"measures": {"eyes_apart_px": "many"}}) == ()
