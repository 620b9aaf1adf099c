from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from audit import blocks, leaf, search, selectors, services
from audit.events import Actor, AuditQueried, GateDecided, GenerationFinished, GenerationQueued, KeyAdded
from audit.leaf import KeyKind
from audit.search import Wanted

ANNA, BO = Actor("usr_0123456789abcdef", "demo"), Actor("usr_fedcba9876543210", "demo")
OTHER = Actor("usr_0000000000000000", "other")
MODEL = "m" * 64


def append(event, actor=ANNA):
    with transaction.atomic():
        return services.append(event, actor=actor)


@pytest.fixture(params=[2, 16])
def block(request, monkeypatch):
    """Blocks that are full, or not yet."""
    monkeypatch.setattr(leaf, "BLOCK", request.param)
    monkeypatch.setattr(blocks, "BLOCK", request.param)


@pytest.fixture
def filled(block, sequencing):
    """Index 0 is the log's own opening; then twenty jobs of two people and three others."""
    for number in range(10):
        append(GenerationQueued(job=f"job-{number}", consents=("con_1",)), ANNA if number % 2 else BO)
        done = GenerationFinished(
            job=f"job-{number}", output=f"{number:064x}", bytes=1, mime="video/mp4", models=(MODEL,)
        )
        append(done, ANNA if number % 2 else BO)
    append(GateDecided(job="job-9", stage="admit", decision="admit", models=("n" * 64,)), ANNA)
    append(GenerationQueued(job="job-x", consents=("con_1",)), OTHER)
    last = append(AuditQueried(kinds=("job",), hits=1), BO)
    selectors.receipt(last, timeout_s=10)


def indexes(wanted, **options):
    return [entry.index for entry in search.find(wanted, limit=options.pop("limit", 50), **options).entries]


def keys(*pairs):
    return [[pair] for pair in pairs]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"keys": keys((KeyKind.JOB, "job-3"))}, [8, 7]),
        ({"keys": keys((KeyKind.JOB, "nothing"))}, []),
        ({"keys": keys((KeyKind.OUTPUT, f"{3:064x}"))}, [8]),
        ({"keys": keys((KeyKind.CONSENT, "con_1"), (KeyKind.ACTOR, ANNA.id))}, [19, 15, 11, 7, 3]),
        ({"keys": keys((KeyKind.ACTOR, BO.id), (KeyKind.TYPE, "audit.queried"))}, [23]),
        ({"keys": [[(KeyKind.JOB, "job-0"), (KeyKind.JOB, "job-9")]]}, [21, 20, 19, 2, 1]),
        ({"keys": [[]]}, []),
        ({"keys": keys((KeyKind.MODEL, MODEL), (KeyKind.JOB, "job-1"))}, [4]),
        ({"keys": keys((KeyKind.MODEL, "n" * 64))}, [21]),
        ({"keys": keys((KeyKind.MODEL, "f" * 64))}, []),
        ({"keys": keys((KeyKind.JOB, MODEL))}, []),
    ],
)
def test_entries_are_found_by_everything_that_is_wanted(filled, wanted, found):
    assert indexes(Wanted(tenant="demo", **wanted)) == found


def test_another_tenants_entries_are_not_found(filled):
    assert indexes(Wanted(tenant="other", keys=keys((KeyKind.CONSENT, "con_1")))) == [22]
    assert 22 not in indexes(Wanted(tenant="demo"))
    assert indexes(Wanted(tenant="nobody")) == [0], "only the log's own opening"


def test_an_unknown_person_has_no_entries(filled):
    assert indexes(Wanted(tenant="demo", keys=keys((KeyKind.ACTOR, "usr_x")))) == []


@pytest.mark.parametrize("limit", [1, 3, 7, 50])
def test_pages_follow_each_other_without_gap_and_repetition(filled, limit):
    wanted, seen, before = Wanted(tenant="demo", keys=keys((KeyKind.ACTOR, ANNA.id))), [], None
    while True:
        page = search.find(wanted, limit=limit, before=before)
        seen += [entry.index for entry in page.entries]
        before = page.next
        if before is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert seen == [21, 20, 19, 16, 15, 12, 11, 8, 7, 4, 3]


def test_a_question_that_meets_little_stops_at_its_budget_and_goes_on(filled, monkeypatch):
    monkeypatch.setattr(search, "BUDGET", 6)
    wanted = Wanted(tenant="demo", keys=keys((KeyKind.MODEL, MODEL)))
    first = search.find(wanted, limit=50)
    assert first.next is not None
    seen, before = [entry.index for entry in first.entries], first.next
    while before is not None:
        page = search.find(wanted, limit=50, before=before)
        seen, before = seen + [entry.index for entry in page.entries], page.next
    assert seen == [20 - 2 * step for step in range(10)]


def test_a_time_span_is_half_open(filled):
    moment = datetime.fromisoformat(selectors.entry(12).ts)
    exact = Wanted(tenant="demo", since=moment, until=moment + timedelta(microseconds=1))
    assert indexes(exact) == [12]
    assert 12 not in indexes(Wanted(tenant="demo", until=moment))
    assert indexes(Wanted(tenant="demo", since=datetime(2090, 1, 1, tzinfo=UTC))) == []
    assert indexes(Wanted(tenant="demo", until=datetime(1990, 1, 1, tzinfo=UTC))) == []
    assert indexes(Wanted(tenant="demo", since=datetime.min.replace(tzinfo=UTC)), limit=3) == [23, 21, 20]


def test_the_span_is_found_by_bisection(filled, monkeypatch):
    monkeypatch.setattr(search, "SLACK", timedelta())
    assert search._index_at(datetime.fromisoformat(selectors.entry(12).ts)) <= 12
    assert search._index_at(datetime(1990, 1, 1, tzinfo=UTC)) == 0
    assert search._index_at(datetime(2090, 1, 1, tzinfo=UTC)) == 24


def test_events_of_the_log_itself_are_seen_by_every_tenant(filled):
    event = append(KeyAdded(key="ab", purpose="log"), Actor("system", "system"))
    receipt = selectors.receipt(event, timeout_s=10)
    assert indexes(Wanted(tenant="demo", keys=keys((KeyKind.TYPE, "key.added")))) == [receipt.index]
