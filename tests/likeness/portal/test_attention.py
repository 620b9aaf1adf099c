"""What waits for an operator: told while it stands, gone when it was mended."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from likeness.portal import attention
from tests.likeness.portal.conftest import SCENE

pytestmark = pytest.mark.django_db


def titles(world: Any) -> list[str]:
    return [each.title for each in attention.matters(by=world.by["operator"])]


def fell(world: Any) -> Any:
    world.template()
    world.template(document={**SCENE, "background": "f" * 64})
    pinned = {"name": "balance", "version": 1, "wanted": 2, "problem": "picture_missing", "variables": {}}
    return world.presentation(scene={"format": "preview", "template": pinned}, report={"template": pinned})


def failed_trial(world: Any) -> Any:
    trial = {"code": "scene_invalid", "message": "The lower third is wider than the frame."}
    return world.template("failed", trial=trial)


def given_up(world: Any) -> Any:
    return world.delivery(world.hook(), "dead")


def held_back(world: Any) -> Any:
    job = world.job("failed", code="sync_out_of_bounds", finished=timezone.now())
    return world.presentation("generating", job=job)


@pytest.mark.parametrize(
    ("happen", "title", "next_step"),
    [
        (fell, "The template “balance” fell back", "Put the last good version back"),
        (failed_trial, "The trial of version 1 of “balance” failed", "write a new version"),
        (given_up, "1 message to a webhook was given up", "Then send a test message."),
        (
            held_back,
            "A video was held back: “您好。您的余额为¥1,234.56。”",
            "another portrait of the performer",
        ),
    ],
)
def test_it_stands_on_the_operators_page_with_what_to_do_next(sign_in, world, happen, title, next_step):
    happen(world)
    html = sign_in("operator").get(reverse("home")).content.decode()
    assert "Needs attention" in html
    assert title in html
    assert next_step in html
    assert "Needs attention" not in sign_in("requester").get(reverse("home")).content.decode()


def test_nothing_to_do_is_no_box(sign_in):
    assert "Needs attention" not in sign_in("operator").get(reverse("home")).content.decode()


def test_a_template_that_was_mended_is_no_matter(sign_in, world):
    fell(world)
    sign_in("operator").post(reverse("template-rollback", args=["balance", 1]))
    assert titles(world) == []


def test_a_newer_version_takes_the_place_of_a_failed_trial(world):
    failed_trial(world)
    world.template("trying", document={**SCENE, "title": "x"})
    assert titles(world) == []


def test_a_later_message_that_was_taken_settles_an_earlier_one(world):
    row = given_up(world)
    world.delivery(row.hook, "waiting")
    assert len(titles(world)) == 1
    world.delivery(row.hook)
    assert titles(world) == []


def test_a_removed_webhook_is_no_matter(sign_in, world):
    row = given_up(world)
    sign_in("operator").post(reverse("hook-remove", args=[row.hook.pk]))
    assert titles(world) == []


def test_a_video_that_was_made_again_is_no_matter(world):
    held_back(world)
    world.presentation("generating", job=world.job("done"))
    assert titles(world) == []


def test_another_tenants_matters_are_not_told(stranger, world):
    given_up(world)
    failed_trial(world)
    assert "Needs attention" not in stranger.get(reverse("home")).content.decode()
