"""A model of every order of events, over the real schema; each guard is broken once to see it notice."""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from audit.events import Actor
from consent import selectors, services
from consent.errors import ConsentError, ShreddedError
from consent.models import Consent
from consent.terms import Representative
from tests.consent import fakes
from tests.consent.samples import USE, make_terms

PEOPLE = [f"usr_{number:016x}" for number in range(4)]
ROLES = ("legal", "business", "expert")
pick = st.integers(0, 50)
people = st.sampled_from(PEOPLE)


class Machine(RuleBasedStateMachine):
    """Four people who hold every role; one tenant an example."""

    def __init__(self) -> None:
        super().__init__()
        self.tenant = "t" + secrets.token_hex(4)
        self.persons: list[Any] = []
        self.rows: list[str] = []

    def actor(self, person: str) -> Actor:
        return Actor(id=person, tenant=self.tenant, roles=frozenset({*ROLES, "requester"}))

    def row(self, number: int) -> Consent:
        return Consent.objects.get(id=self.rows[number % len(self.rows)])

    def sql(self, statement: str, *values: object) -> None:
        """As the application's role, past the services; the guards may refuse."""
        with suppress(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, values)

    def attempt(self, change: Any, *args: object, **kwargs: object) -> None:
        with suppress(ConsentError):
            change(*args, **kwargs)

    @rule(status=st.sampled_from(["living", "deceased"]), who=people)
    def enrol(self, status: str, who: str) -> None:
        picture = fakes.picture("wang", len(self.persons))
        self.persons.append(
            services.enrol(
                name="王五", status=status, kind="likeness", portraits=[picture], by=self.actor(who)
            )
        )

    @precondition(lambda self: self.persons)
    @rule(i=pick, who=people, days=st.integers(-1, 3))
    def submit(self, i: int, who: str, days: int) -> None:
        terms = make_terms(
            not_after=timezone.now() + timedelta(days=days, hours=1),
            not_before=timezone.now() - timedelta(days=2),
            representative=Representative("王二", "b" * 64),
        )
        try:
            made = services.submit(self.persons[i % len(self.persons)].id, terms=terms, by=self.actor(who))
        except ConsentError:
            return
        self.rows.append(made.id)

    @precondition(lambda self: self.rows)
    @rule(i=pick, role=st.sampled_from(ROLES), who=people)
    def approve(self, i: int, role: str, who: str) -> None:
        self.attempt(services.approve, self.row(i).id, role=role, by=self.actor(who))

    @precondition(lambda self: self.rows)
    @rule(i=pick, role=st.sampled_from(ROLES), who=people)
    def approve_past_the_services(self, i: int, role: str, who: str) -> None:
        row = self.row(i)
        self.sql(
            "INSERT INTO consent_approval (tenant, consent_id, role, person, document_sha256, created)"
            " VALUES (%s, %s, %s, %s, %s, now())",
            *(row.tenant, row.id, role, who, row.document_sha256),
        )

    @precondition(lambda self: self.rows)
    @rule(i=pick)
    def everybody_approves_past_the_services(self, i: int) -> None:
        for role, who in zip((*ROLES, *ROLES), (*PEOPLE, *PEOPLE), strict=False):
            self.approve_past_the_services(i, role, who)
        self.activate_past_the_services(i)

    @precondition(lambda self: self.rows)
    @rule(i=pick)
    def activate_past_the_services(self, i: int) -> None:
        self.sql("UPDATE consent_consent SET state = 'active' WHERE id = %s", self.row(i).id)

    @precondition(lambda self: self.rows)
    @rule(i=pick, state=st.sampled_from(["suspended", "active", "expired", "in_review"]))
    def move_past_the_services(self, i: int, state: str) -> None:
        self.sql("UPDATE consent_consent SET state = %s WHERE id = %s", state, self.row(i).id)

    @precondition(lambda self: self.rows)
    @rule(i=pick)
    def withdraw_past_the_services(self, i: int) -> None:
        self.sql(
            "UPDATE consent_consent SET state = 'revoked', withdrawn = now(), epoch = epoch + 1"
            " WHERE id = %s",
            self.row(i).id,
        )

    @precondition(lambda self: self.rows)
    @rule(i=pick)
    def widen_past_the_services(self, i: int) -> None:
        self.sql(
            "UPDATE consent_consent SET not_after = now() + interval '9 years' WHERE id = %s", self.row(i).id
        )

    @precondition(lambda self: self.rows)
    @rule(i=pick, who=people)
    def reject(self, i: int, who: str) -> None:
        self.attempt(services.reject, self.row(i).id, reason="no", by=self.actor(who))

    @precondition(lambda self: self.rows)
    @rule(i=pick, who=people)
    def revoke(self, i: int, who: str) -> None:
        self.attempt(services.revoke, self.row(i).id, reason="no", by=self.actor(who))

    @precondition(lambda self: self.persons)
    @rule(i=pick, who=people)
    def enrol_anew(self, i: int, who: str) -> None:
        data = fakes.picture("wang", 100 + len(self.rows))
        person = self.persons[i % len(self.persons)]
        self.attempt(services.add_portrait, person.id, data=data, by=self.actor(who))

    @invariant()
    def active_means_approved_as_it_stands(self) -> None:
        for row in Consent.objects.filter(id__in=self.rows, state="active").select_related("identity"):
            given = [a for a in row.approvals.all() if a.document_sha256 == row.document_sha256]
            approvals = {a.role: a.person for a in given}
            assert {"legal", "business"} <= set(approvals)
            assert approvals["legal"] != approvals["business"]
            for approval in given:
                # a portrait that was added afterwards is not in the document that they approved
                shown = row.identity.portraits.filter(created__lte=approval.created)
                concerned = set(shown.values_list("added_by", flat=True))
                assert approval.person not in concerned | {row.submitted_by, row.identity.enrolled_by}
            assert row.identity.status == "living" or "expert" in approvals

    @invariant()
    def withdrawn_stays_withdrawn_and_destroyed(self) -> None:
        for row in Consent.objects.filter(id__in=self.rows, withdrawn__isnull=False):
            assert row.epoch == 1
            assert row.state != "active"
        for person in self.persons:
            rows = list(person.consents.all())
            alive = any(row.state in ("active", "suspended") for row in rows)
            last = max((row.withdrawn for row in rows if row.withdrawn), default=None)
            if last is not None and not alive:
                for asset in person.assets.filter(created__lt=last):
                    assert asset.wrapped_key is None

    @invariant()
    def permitted_only_by_a_row_that_holds(self) -> None:
        now = timezone.now()
        for person in self.persons:
            found = selectors.permission(person.id, tenant=self.tenant, use=USE, now=now)
            row = Consent.objects.filter(id=found.consent_id).first()
            holds = row is not None and row.state == "active" and row.not_before <= now <= row.not_after
            assert (found.reasons == ()) == holds
            try:
                opened = selectors.licensed_source(person.id, tenant=self.tenant)
                selectors.open_portrait(
                    opened.portrait_id, tenant=self.tenant, purpose_consent=found.consent_id or ""
                )
            except (ConsentError, ShreddedError):
                continue
            assert holds


def play(*, examples: int, steps: int) -> None:
    # Generate only: shrinking spends the time that a hunt for a broken guard needs.
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


@pytest.mark.slow
def test_no_order_of_events_breaks_a_rule(live_database, home):
    play(examples=6, steps=20)


def scene(machine: Machine, *, status: str = "living") -> None:
    machine.enrol(status=status, who=PEOPLE[0])
    machine.submit(i=0, who=PEOPLE[1], days=2)


def approved(machine: Machine, *approvals: tuple[str, int]) -> None:
    for role, number in approvals:
        machine.approve_past_the_services(i=0, role=role, who=PEOPLE[number])
    machine.activate_past_the_services(i=0)


def submitter_is_the_expert(machine: Machine) -> None:
    scene(machine, status="deceased")
    approved(machine, ("legal", 2), ("business", 3), ("expert", 1))


def whoever_added_a_portrait_approves(machine: Machine) -> None:
    scene(machine)
    machine.enrol_anew(i=0, who=PEOPLE[2])
    approved(machine, ("legal", 2), ("business", 3))


def one_role_is_enough(machine: Machine) -> None:
    scene(machine)
    approved(machine, ("legal", 2))


def nobody_asks_the_expert(machine: Machine) -> None:
    scene(machine, status="deceased")
    approved(machine, ("legal", 2), ("business", 3))


def revoked_comes_back(machine: Machine) -> None:
    scene(machine)
    approved(machine, ("legal", 2), ("business", 3))
    machine.revoke(i=0, who=PEOPLE[0])
    machine.enrol_anew(i=0, who=PEOPLE[0])
    machine.activate_past_the_services(i=0)


def term_is_widened(machine: Machine) -> None:
    scene(machine)
    approved(machine, ("legal", 2), ("business", 3))
    machine.widen_past_the_services(i=0)


def withdrawal_keeps_the_key(machine: Machine) -> None:
    scene(machine)
    machine.withdraw_past_the_services(i=0)


GUARDS = {
    submitter_is_the_expert: ("consent_approval_begins", "NEW.person = c.submitted_by", "false"),
    whoever_added_a_portrait_approves: ("consent_approval_begins", "p.added_by = NEW.person", "false"),
    one_role_is_enough: ("consent_activate", "< 2", "< 1"),
    nobody_asks_the_expert: ("consent_activate", "i.status <> 'living'", "false"),
    revoked_comes_back: ("consent_changes", "PERFORM consent_move", "-- PERFORM consent_move"),
    term_is_widened: ("consent_changes", "OLD.state <> 'draft' AND", "false AND"),
    withdrawal_keeps_the_key: ("consent_shreds", "a.wrapped_key IS NOT NULL", "false"),
}


def break_guard(function: str, old: str, new: str) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [function])
        (source,) = cursor.fetchone()
        assert old in source
        cursor.execute(source.replace(old, new))


def check(machine: Machine) -> None:
    machine.active_means_approved_as_it_stands()
    machine.withdrawn_stays_withdrawn_and_destroyed()
    machine.permitted_only_by_a_row_that_holds()


@pytest.mark.parametrize("order", GUARDS)
def test_broken_guard_is_noticed(live_database, home, order):
    whole = Machine()
    order(whole)
    check(whole)
    break_guard(*GUARDS[order])
    broken = Machine()
    order(broken)
    with pytest.raises(AssertionError):
        check(broken)
