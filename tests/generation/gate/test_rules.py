from __future__ import annotations

import math
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.gate import rules
from generation.gate.rules import ADMIT, SUBMIT, Facts, Policy, Verdict, decide

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GOOD = Facts(
    gathered=NOW,
    requester=True,
    licence_reasons=(),
    consent_id="con_1",
    epoch=0,
    outputs_left=1,
    source_licensed=True,
    source_sha256="aa",
    media_sha256="bb",
    media_problems=(),
    short_side_px=720,
    frames=100,
    duration_s=4.0,
    models=("m1", "m2"),
    stored_sha256="bb",
    templates_model="m2",
    embedder="m2",
    gallery_model="m2",
    gallery=3,
    same=0.5,
    review=0.6,
    frames_looked_at=5,
    strong_faces=5,
    strong_without_embedding=0,
    blocked_distance=math.inf,
    strangers=0,
    stranger_distance=math.inf,
    performers=("con_2",),
    faces_at_once=1,
)
NAMES = [field.name for field in fields(Facts)]
CHEAP = [
    "gathered",
    "requester",
    "licence_reasons",
    "consent_id",
    "epoch",
    "outputs_left",
    "source_licensed",
    "source_sha256",
    "media_sha256",
    "media_problems",
    "short_side_px",
    "frames",
    "duration_s",
]


def test_everything_in_order_is_admitted() -> None:
    decision = decide(GOOD, ADMIT, NOW)
    assert (decision.verdict, decision.reasons, decision.rule) == (Verdict.ADMIT, (), "likeness.admit")


def test_no_rules_refuse() -> None:
    decision = decide(GOOD, Policy("empty", 1, ()), NOW)
    assert decision.verdict is Verdict.REFUSE
    assert decision.reasons == ("gate.no_rules",)


def test_no_facts_refuse() -> None:
    assert decide(Facts(), ADMIT, NOW).verdict is Verdict.REFUSE


@given(missing=st.sets(st.sampled_from(NAMES), min_size=1))
def test_any_missing_fact_refuses(missing: set[str]) -> None:
    facts = replace(GOOD, **dict.fromkeys(missing))
    assert decide(facts, ADMIT, NOW).verdict is Verdict.REFUSE


@pytest.mark.parametrize("name", CHEAP)
def test_a_missing_cheap_fact_refuses_at_submit(name: str) -> None:
    assert decide(replace(GOOD, **{name: None}), SUBMIT, NOW).verdict is Verdict.REFUSE


@pytest.mark.parametrize("name", ["duration_s", "same", "review", "blocked_distance", "stranger_distance"])
def test_not_a_number_refuses(name: str) -> None:
    assert decide(replace(GOOD, **{name: math.nan}), ADMIT, NOW).verdict is Verdict.REFUSE


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"gathered": NOW - timedelta(hours=1)}, ("gate.stale",)),
        ({"gathered": NOW + timedelta(minutes=1)}, ("gate.stale",)),
        ({"requester": False}, ("actor.role",)),
        ({"licence_reasons": ("licence.expired", "scope.channel")}, ("licence.expired", "scope.channel")),
        ({"consent_id": ""}, ("licence.missing",)),
        ({"outputs_left": 0}, ("scope.outputs",)),
        ({"licence_reasons": ("licence.missing",), "outputs_left": 0}, ("licence.missing",)),
        ({"source_licensed": False}, ("source.not_licensed",)),
        ({"media_problems": ("media.truncated",)}, ("media.truncated",)),
        ({"frames": 0}, ("media.empty",)),
        ({"duration_s": 0.0}, ("media.empty",)),
        ({"duration_s": math.inf}, ("media.empty",)),
        ({"short_side_px": 239}, ("media.too_small",)),
        ({"models": ()}, ("models.missing",)),
        ({"models": ("m1", "")}, ("models.missing",)),
        ({"stored_sha256": "cc"}, ("input.changed",)),
        ({"templates_model": "m3"}, ("embedding.mismatch",)),
        ({"gallery_model": "m3"}, ("embedding.mismatch",)),
        ({"same": 0.7}, ("calibration.invalid",)),
        ({"same": 0.0}, ("calibration.invalid",)),
        ({"blocked_distance": 0.6}, ("face.blocked",)),
        ({"blocked_distance": 0.1}, ("face.blocked",)),
        ({"frames_looked_at": 0}, ("coverage.incomplete",)),
        ({"strong_without_embedding": 1}, ("coverage.incomplete",)),
        ({"strong_faces": 0, "performers": ()}, ("target.no_face",)),
        ({"strangers": 1, "stranger_distance": 0.61}, ("performer.no_release",)),
        ({"strangers": 1, "stranger_distance": 0.6}, ("face.review",)),
        ({"performers": ()}, ("performer.no_release",)),
        ({"performers": ("con_2", "con_3")}, ("target.ambiguous",)),
        ({"faces_at_once": 2}, ("target.ambiguous",)),
    ],
)
def test_each_fault_is_refused_with_its_code(changes: dict[str, Any], reasons: tuple[str, ...]) -> None:
    decision = decide(replace(GOOD, **changes), ADMIT, NOW)
    assert decision.verdict is Verdict.REFUSE
    assert decision.reasons == reasons


def test_a_distance_just_outside_the_band_passes() -> None:
    assert decide(replace(GOOD, blocked_distance=0.6001), ADMIT, NOW).admitted


def test_the_first_rule_that_refused_is_named_and_every_reason_kept() -> None:
    decision = decide(replace(GOOD, requester=False, blocked_distance=0.1), ADMIT, NOW)
    assert decision.rule == "actor_may_request"
    assert decision.reasons == ("actor.role", "face.blocked")


def test_a_rule_that_fails_refuses() -> None:
    def broken(facts: Facts, now: datetime) -> tuple[str, ...]:
        raise ZeroDivisionError

    decision = decide(GOOD, Policy("broken", 1, (broken,)), NOW)
    assert (decision.verdict, decision.reasons) == (Verdict.REFUSE, ("gate.error",))


def test_the_policy_hash_names_its_rules() -> None:
    assert ADMIT.sha256 != SUBMIT.sha256
    assert ADMIT.sha256 != replace(ADMIT, rules=ADMIT.rules[:-1]).sha256
    assert ADMIT.sha256 != replace(ADMIT, version=2).sha256


def test_every_cheap_rule_is_asked_again_at_admission() -> None:
    assert set(SUBMIT.rules) < set(ADMIT.rules)
    assert rules.nobody_is_blocked in ADMIT.rules
