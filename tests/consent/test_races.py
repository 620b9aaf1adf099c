"""Two sessions at once, on real commits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections, transaction

from consent import rows, selectors, services
from consent.errors import ConsentError
from tests.consent import fakes


def together(*changes: Callable[[], Any]) -> list[Any]:
    """What each change gave or raised, all begun at one moment."""
    start, found = threading.Barrier(len(changes)), [None] * len(changes)

    def work(number: int) -> None:
        start.wait()
        try:
            found[number] = changes[number]()
        except ConsentError as error:
            found[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(changes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive(), "two sessions wait for each other"
    return found


def test_one_role_approves_once_even_at_the_same_moment(live_database, world, person):
    row = world.submit()
    people = [person("legal").actor for _ in range(3)]
    found = together(*[lambda by=by: services.approve(row.id, role="legal", by=by) for by in people])
    assert sum(isinstance(answer, ConsentError) for answer in found) == 2
    assert row.approvals.count() == 1


def test_last_two_approvals_at_the_same_moment_make_it_active(live_database, world):
    row = world.submit()
    together(
        lambda: services.approve(row.id, role="legal", by=world.by["legal"]),
        lambda: services.approve(row.id, role="business", by=world.by["business"]),
    )
    assert selectors.consent(row.id, tenant="demo").state == "active"


def test_two_revocations_are_one(live_database, world):
    row = world.activate()
    together(*[lambda: services.revoke(row.id, reason="x", by=world.by["legal"])] * 3)
    assert selectors.epoch(row.id) == 1
    assert len(fakes.withdrawn) == 1


@pytest.mark.parametrize("attempt", range(3))
def test_revocation_and_approval_leave_nothing_half_done(live_database, world, attempt):
    person = world.enrol()
    active, waiting = world.activate(person), world.submit(person)
    services.approve(waiting.id, role="legal", by=world.by["legal"])
    together(
        lambda: services.revoke(active.id, reason="x", by=world.by["requester"]),
        lambda: services.approve(waiting.id, role="business", by=world.by["business"]),
    )
    state = selectors.consent(waiting.id, tenant="demo").state
    keys = person.assets.filter(wrapped_key__isnull=False).count()
    assert (state, keys) in {("active", 1), ("in_review", 0)}


def test_approval_waits_for_a_revocation_that_has_begun(live_database, world):
    person = world.enrol()
    active, waiting = world.activate(person), world.submit(person)
    services.approve(waiting.id, role="legal", by=world.by["legal"])
    begun, answer = threading.Event(), []

    def approve() -> None:
        begun.wait()
        try:
            answer.append(services.approve(waiting.id, role="business", by=world.by["business"]))
        except ConsentError as error:
            answer.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=approve)
    thread.start()
    with transaction.atomic():
        rows.lock_consent(active.id, tenant="demo")
        begun.set()
        thread.join(timeout=0.5)
        assert thread.is_alive(), "the approval did not wait"
        services.revoke(active.id, reason="x", by=world.by["requester"])
    thread.join(timeout=30)
    assert isinstance(answer[0], ConsentError)
    assert selectors.consent(waiting.id, tenant="demo").state == "in_review"


def test_gallery_counts_every_change(live_database, world):
    row = world.activate()
    together(
        *[
            lambda name=name: services.block(
                image=fakes.picture(name), identity_id=None, reason="x", by=world.by["legal"]
            )
            for name in ("chen", "li", "wu")
        ],
        lambda: services.block(image=None, identity_id=row.identity_id, reason="x", by=world.by["operator"]),
        lambda: services.revoke(row.id, reason="x", by=world.by["requester"]),
    )
    assert selectors.gallery_version(tenant="demo") in {
        4,
        5,
    }  # the identity may be withdrawn before its block
    assert len(selectors.blocked_faces(tenant="demo").entries) in {3, 5}
