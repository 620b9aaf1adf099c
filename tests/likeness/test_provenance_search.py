from __future__ import annotations

import csv
import hashlib
import io
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from audit import selectors, services
from audit.events import OutputDownloaded
from consent.errors import PortraitRefusedError
from generation.models import Presentation
from likeness import provenance_search
from likeness.errors import RequestInvalidError, RoleError
from likeness.provenance_query import Query, parse
from tests.consent import fakes
from tests.likeness.conftest import JOB, MANIFEST, MARK, MODEL, OUTPUT


def types(query, story, role="auditor"):
    found = provenance_search.search(query, by=story.by[role])
    assert {hit.proof for hit in found.hits} <= {"verified"}
    return [hit.entry.type for hit in reversed(found.hits)]


ALL = [
    "identity.enrolled",
    "consent.submitted",
    "gate.decided",
    "generation.finished",
    "label.applied",
    "output.downloaded",
]


WAYS = [
    ({"person": "{person}"}, ALL),
    ({"person": "{subject}"}, ALL),
    ({"person": "王"}, ALL),
    ({"person": "李四"}, ALL[:1]),
    ({"person": "nobody"}, []),
    ({"consent": "{consent}"}, ALL[1:]),
    ({"licence": "{document}"}, ALL[1:]),
    ({"licence": "0" * 64}, []),
    ({"job": JOB}, ALL[2:]),
    ({"output": OUTPUT}, ALL[2:]),
    ({"mark": MARK.upper()}, ALL[2:]),
    ({"manifest": MANIFEST}, ALL[2:]),
    ({"model": MODEL}, ["gate.decided"]),
    ({"event": "label.applied"}, ["label.applied"]),
    ({"operator": "{operator}"}, ["identity.enrolled"]),
    ({"operator": "operator-", "person": "王五"}, []),
    ({"operator": "{requester}", "person": "王五", "event": "gate.decided"}, ALL[2:3]),
    ({"person": "王五", "since": "2090-01-01"}, []),
    ({"person": "王五", "since": "2020-01-01", "until": "2090-01-01"}, ALL),
]


def test_every_way_leads_to_the_entries_about_it(story):
    names = {"person": story.person.id, "subject": story.person.subject, "consent": story.licence.id}
    names |= {"document": story.licence.document_sha256}
    names |= {role: story.by[role].id for role in ("operator", "requester")}
    for asked, found in WAYS:
        query = parse({field: value.format(**names) for field, value in asked.items()})
        assert types(query, story) == found, asked


def test_an_operator_is_found_by_address(story, people):
    found = provenance_search.search(parse({"operator": people["operator"].email}), by=story.by["auditor"])
    assert [hit.entry.event["identity"] for hit in found.hits] == [story.other.id]


def test_a_photograph_leads_to_the_person(story):
    found = provenance_search.search(Query(photo=fakes.picture("wang", 5)), by=story.by["auditor"])
    assert [hit.entry.type for hit in reversed(found.hits)] == ALL
    assert [(one.identity, one.name, one.sure) for one in found.people] == [(story.person.id, "王五", True)]


def test_a_photograph_of_a_stranger_leads_nowhere(story):
    found = provenance_search.search(Query(photo=fakes.picture("zhao")), by=story.by["auditor"])
    assert (found.hits, found.people) == ((), ())


def test_a_photograph_and_a_name_must_both_be_met(story):
    asked = Query(photo=fakes.picture("wang", 5), person="李四")
    assert types(asked, story) == []


def test_a_photograph_without_a_face_is_refused(story):
    with pytest.raises(PortraitRefusedError):
        provenance_search.search(Query(photo=b"no face"), by=story.by["auditor"])


def test_faces_of_another_model_make_the_answer_partial(story, settings):
    settings.LIKENESS_FACE_EMBEDDER = "tests.consent.fakes.analyse_otherwise"
    assert not provenance_search.search(Query(photo=fakes.picture("wang")), by=story.by["auditor"]).whole


def test_another_tenant_finds_nothing_of_it(story, person):
    stranger = person("auditor", tenant="other").actor
    for asked in ({"person": "王五"}, {"person": story.person.id}, {"job": JOB}, {"output": OUTPUT}):
        found = provenance_search.search(parse(asked), by=stranger)
        assert (found.hits, found.people) == ((), ())
    assert provenance_search.search(Query(photo=fakes.picture("wang")), by=stranger).people == ()


def test_only_an_auditor_searches(story):
    for role in ("requester", "legal", "business", "expert", "operator"):
        with pytest.raises(RoleError):
            provenance_search.search(Query(job=JOB), by=story.by[role])


def test_the_question_is_logged_without_its_value(story):
    provenance_search.search(parse({"person": "王五", "since": "2020-01-01"}), by=story.by["auditor"])
    event = newest(story)
    assert (event["type"], event["kinds"], event["hits"]) == ("audit.queried", ["person", "since"], 6)
    assert "王五" not in json.dumps(event, ensure_ascii=False)


def newest(story):
    with transaction.atomic():
        marker = services.append(OutputDownloaded(job="f" * 32, output="0" * 64), actor=story.by["auditor"])
    index = selectors.receipt(marker, timeout_s=10).index
    return selectors.entry(index - 1).event


def test_an_entry_that_is_not_signed_yet_is_pending(story):
    entry = selectors.latest(1)[0]
    head = selectors.checkpoint()
    assert provenance_search.prove([entry], None)[0].proof == "pending"
    assert provenance_search.prove([entry], replace(head, size=entry.index))[0].proof == "pending"


def test_an_entry_that_was_changed_does_not_prove(story):
    entry = selectors.latest(1)[0]
    changed = replace(entry, body=entry.body.replace(b"output", b"Output"))
    (hit,) = provenance_search.prove([changed], selectors.checkpoint())
    assert "does not lead to the root" in hit.proof


def test_pages_go_on_where_the_last_one_ended(story):
    first = provenance_search.search(Query(person="王五", limit=4), by=story.by["auditor"])
    rest = provenance_search.search(Query(person="王五", limit=4, before=first.next), by=story.by["auditor"])
    told = [hit.entry.type for hit in (*first.hits, *rest.hits)]
    assert told == ALL[::-1]
    assert rest.next is None


def test_an_export_holds_every_page(story, monkeypatch):
    monkeypatch.setattr("audit.search.BUDGET", 2)
    found = provenance_search.export(Query(person="王五", limit=1), by=story.by["auditor"])
    assert len(found.hits) == len(ALL)
    rows = list(csv.DictReader(io.StringIO(found.as_csv())))
    assert [row["type"] for row in rows] == ALL[::-1]
    assert {row["proof"] for row in rows} == {"verified"}
    assert rows[0]["output"] == OUTPUT
    assert json.loads(json.dumps(found.as_json()))["hits"][0]["event"]["output"] == OUTPUT


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x"])
def test_no_cell_is_a_formula(text):
    assert provenance_search._cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"nonsense": "x"}, "nonsense"),
        ({"photo": "x"}, "photo"),
        ({"person": "x" * 121}, "person"),
        ({"person": "a\u202eb"}, "person"),
        ({"job": "12"}, "job"),
        ({"consent": "con_1"}, "consent"),
        ({"mark": "g" * 16}, "mark"),
        ({"output": "a" * 63}, "output"),
        ({"licence": "０" * 64}, "licence"),
        ({"event": "nothing.happened"}, "event"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-02-30"}, "since"),
        ({"since": "2026-01-01T10:00"}, "since"),
        ({"since": "2026-01-02", "until": "2026-01-01"}, "until"),
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"before": "-1"}, "before"),
        ({"before": "9" * 40}, "before"),
    ],
)
def test_a_malformed_question_names_its_field(asked, field):
    with pytest.raises(RequestInvalidError) as refused:
        parse(asked)
    assert list(refused.value.fields) == [field]


def test_a_day_lasts_until_its_end():
    query = parse({"since": "2026-01-01", "until": "2026-01-01"})
    assert query.until == query.since + timedelta(days=1) == datetime(2026, 1, 2, tzinfo=UTC)
    assert parse({"until": "9999-12-31"}).until
    assert query.kinds == ("since", "until")


@pytest.mark.parametrize(
    "asked", ["您好，请还款。", " 您好，请还款。\n", hashlib.sha256("您好，请还款。".encode()).hexdigest()]
)
def test_the_words_of_a_script_lead_to_what_was_made_of_them(story, asked):
    Presentation.objects.create(
        id=uuid.UUID(JOB), tenant=story.by["auditor"].tenant, client_id="one", request_sha256="0" * 64,
        requester=story.by["requester"].id, identity_id="idn", performer_id="idn", script="\n您好，请还款。",
        kind="text", language="zh", voice="sample-zh", purpose="p", channel="c", territory="CN",
        nonce="0" * 32,
    )  # fmt: skip

    assert types(parse({"script": asked}), story) == ALL[2:]
    assert types(parse({"script": "再见。"}), story) == []
