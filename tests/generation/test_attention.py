"""What operators are told of: only what is new, of their own tenant, and not yet settled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from generation import hooks, templating, trying
from generation.attention import attention
from generation.models import (
    Delivery,
    DeliveryState,
    Hook,
    Presentation,
    PresentationState,
    SceneTemplate,
    TemplateVersion,
    VersionState,
)

NOW = timezone.now()
pytestmark = pytest.mark.django_db


def presentation(client_id: str, *, tenant: str = "demo", **values: Any) -> Presentation:
    return Presentation.objects.create(
        tenant=tenant, client_id=client_id, script="您好。", kind="text", language="zh", **values
    )


def fell_back(client_id: str, *, name: str = "balance", problem: str = "picture_missing", **more: Any) -> Any:
    record = {"name": name, "version": 1, "wanted": 2, "sha256": "0" * 64, "problem": problem}
    return presentation(client_id, report={"template": record}, **more)


def out_of_sync(client_id: str, **more: Any) -> Presentation:
    return presentation(
        client_id, state=PresentationState.FAILED, code="sync_out_of_bounds", finished=NOW, **more
    )


def dead(hook: Hook, *, problem: str = "refused", finished: Any = NOW) -> Delivery:
    return Delivery.objects.create(
        tenant=hook.tenant,
        hook=hook,
        url=hook.url,
        event="ping",
        body="{}",
        state=DeliveryState.DEAD,
        due=NOW,
        finished=finished,
        problem=problem,
    )


def version(number: int, state: VersionState, *, name: str = "balance", tenant: str = "demo") -> Any:
    row, _ = SceneTemplate.objects.get_or_create(tenant=tenant, name=name)
    return TemplateVersion.objects.create(
        template=row, number=number, document={}, sha256="0" * 64, author="usr_a", state=state,
        trial={"code": "scene_invalid"},
    )  # fmt: skip


def hook_of(tenant: str, url: str = "https://bank.example/hook", **more: Any) -> Hook:
    return Hook.objects.create(tenant=tenant, url=url, creator="usr_a", **more)


def test_what_is_settled_old_or_another_tenants_needs_nobody() -> None:
    presentation("well")
    presentation("fine", report={"template": {"name": "balance", "version": 2, "problem": ""}})
    presentation("slow", state=PresentationState.FAILED, code="tts_failed", finished=NOW)
    fell_back("theirs", tenant="other")
    out_of_sync("also-theirs", tenant="other")
    version(1, VersionState.FAILED)
    version(2, VersionState.READY)  # a later version passed
    version(1, VersionState.FAILED, tenant="other")
    dead(hook_of("other"))
    dead(hook_of("demo", active=False))
    dead(hook_of("demo", "https://bank.example/late"), finished=NOW - timedelta(days=8))

    assert attention("demo") == ()


def test_each_thing_is_named_once_with_how_often_it_happened() -> None:
    fell_back("one")
    last = fell_back("two")
    fell_back("three", problem="altered")
    out_of_sync("four")
    version(1, VersionState.READY)
    version(2, VersionState.FAILED)
    hook = hook_of("demo")
    dead(hook, finished=NOW - timedelta(hours=1))
    newest = dead(hook)

    found = {(each.kind.value, each.subject, each.code): each for each in attention("demo")}

    assert set(found) == {
        ("template_fell_back", "balance", "picture_missing"),
        ("template_fell_back", "balance", "altered"),
        ("trial_failed", "balance", "scene_invalid"),
        ("hook_given_up", str(hook.pk), "refused"),
        ("sync_out_of_bounds", "four", "sync_out_of_bounds"),
    }
    twice = found["template_fell_back", "balance", "picture_missing"]
    assert (twice.count, twice.last, twice.link_id) == (2, last.created, "two")
    given_up = found["hook_given_up", str(hook.pk), "refused"]
    assert (given_up.count, given_up.link_id) == (2, str(newest.pk))
    times = [each.last for each in attention("demo")]
    assert times == sorted(times, reverse=True)


def test_a_hook_is_told_of_a_fallback_and_of_a_failed_trial(
    people: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hook_of("demo")
    row = fell_back("one")
    templating.note_fallback(row, row.report["template"])
    made = version(1, VersionState.TRYING)
    monkeypatch.setattr(trying, "_measured", lambda _version: 1 / 0)
    trying.try_version(made.pk)
    trying.try_version(made.pk)  # a second time tells nobody again

    told = {each.event: each.body for each in Delivery.objects.order_by("created")}

    assert list(told) == ["template.fell_back", "template.trial_failed"]
    assert Delivery.objects.count() == 2
    assert '"code": "picture_missing"' in told["template.fell_back"]
    assert '"code": "internal"' in told["template.trial_failed"]
    assert hooks.PING not in told
