"""Languages x identities in one request: every cell for itself, the whole in one word."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from generation import hooks, presenting, services, summing, variants
from generation.errors import (
    ClientIdTakenError,
    JobStateError,
    NotFoundError,
    PresentInvalidError,
    QuotaError,
    RoleError,
)
from generation.models import Delivery, Presentation, VariantSet
from generation.presenting import PresentRequest
from generation.variants import Said, VariantsRequest
from tests.generation import fakes

OPERATIONS = ["face_swap", "lip_sync"]
ZH, EN = Said("zh", "您好，请还款。"), Said("en", "Hello, please repay.")


@pytest.fixture
def cast(quick: Any) -> VariantsRequest:
    """Two tellers, one of whom may speak English; a performer for both."""
    both = quick.enrol(fakes.portrait(fakes.RED), operations=OPERATIONS, languages=["zh", "en"])
    chinese = quick.enrol(fakes.portrait(fakes.BLUE), operations=OPERATIONS)
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer", languages=["zh", "en"])
    plain = PresentRequest(
        identity_id="",
        performer_id=performer.identity_id,
        script="",
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
    )
    return VariantsRequest((both.identity_id, chinese.identity_id), (ZH, EN), plain)


def ask(request: VariantsRequest, quick: Any, client_id: str = "spring") -> VariantSet:
    return variants.present(request, client_id=client_id, by=quick.by["requester"])


def states(row: VariantSet) -> list[tuple[str, int, str, str]]:
    """Language, number of the identity, state, code."""
    order = list(dict.fromkeys(cell["identity"] for cell in row.cells))
    return [(c.language, order.index(c.identity), c.state, c.code) for c in summing.cells(row)]


def end(row: VariantSet, state: str, *client_ids: str) -> None:
    made = Presentation.objects.filter(variants=row, client_id__in=client_ids)
    made.update(state=state, code="" if state == "cancelled" else "tts_failed")


def test_a_language_that_the_licence_does_not_cover_is_refused_and_the_others_go_on(
    cast: VariantsRequest, quick: Any, sent: list[Any]
) -> None:
    row = ask(cast, quick)

    assert states(row) == [
        ("zh", 0, "queued", ""),
        ("zh", 1, "queued", ""),
        ("en", 0, "queued", ""),
        ("en", 1, "rejected", "scope.language"),
    ]
    assert summing.state_of(summing.cells(row)) == "running"
    assert [task for task, _ in sent] == ["drive"] * 3


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (Said("fr", "Bonjour."), "presentation_invalid"),
        (Said("en", ""), "script_empty"),
        (Said("en", "您\u202e好"), "script_character"),
        (Said("en", "x", kind="html"), "presentation_invalid"),
        (Said("en", "x", voice="nobody"), "voice_missing"),
        (Said("zh", "本产品保本保息。"), "text.promise"),
    ],
)
def test_a_script_that_cannot_be_said_fails_its_own_cells_only(
    said: Said, code: str, cast: VariantsRequest, quick: Any
) -> None:
    other = ZH if said.language != "zh" else EN
    row = ask(replace(cast, identities=cast.identities[:1], scripts=(said, other)), quick)

    assert [(state, found) for *_, state, found in states(row)] == [("rejected", code), ("queued", "")]


def test_an_identity_that_does_not_exist_fails_its_own_cells_only(cast: VariantsRequest, quick: Any) -> None:
    row = ask(replace(cast, identities=(cast.identities[0], "idn_0000000000000000"), scripts=(ZH,)), quick)

    cell = summing.cells(row)[1]
    assert (cell.state, cell.code, cell.presentation) == ("rejected", "not_found", "")
    assert cell.message
    assert cell.hint


@pytest.mark.parametrize(
    "changes",
    [
        {"identities": ()},
        {"scripts": ()},
        {"identities": ("idn_1", "idn_1")},
        {"scripts": (ZH, replace(ZH, script="再见。"))},
        {"identities": tuple(f"idn_{number}" for number in range(51))},
    ],
)
def test_a_request_of_no_shape_is_refused_and_nothing_is_kept(
    changes: dict[str, Any], cast: VariantsRequest, quick: Any
) -> None:
    with pytest.raises(PresentInvalidError):
        ask(replace(cast, **changes), quick)

    assert not VariantSet.objects.exists()


@pytest.mark.parametrize("client_id", ["", "ab", "a" * 49, "a b", "../x"])
def test_a_bad_id_is_refused(client_id: str, cast: VariantsRequest, quick: Any) -> None:
    with pytest.raises(PresentInvalidError):
        ask(cast, quick, client_id)


def test_only_a_requester_asks_and_only_in_their_tenant(cast: VariantsRequest, quick: Any) -> None:
    with pytest.raises(RoleError):
        variants.present(cast, client_id="spring", by=quick.by["auditor"])
    ask(cast, quick)
    with pytest.raises(NotFoundError):
        summing.find("spring", tenant="other")


def test_the_same_request_goes_on_where_it_was_interrupted(
    cast: VariantsRequest, quick: Any, sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = presenting.present, []

    def dying(*args: Any, **kwargs: Any) -> Presentation:
        asked.append(kwargs["client_id"])
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(presenting, "present", dying)
    with pytest.raises(KeyboardInterrupt):
        ask(cast, quick)

    assert summing.settle() == 0
    row = ask(cast, quick)

    assert [state for *_, state, _ in states(row)] == ["queued", "queued", "queued", "rejected"]
    assert len(sent) == 3
    assert ask(cast, quick).pk == row.pk
    assert Presentation.objects.filter(variants=row).count() == 4
    with pytest.raises(ClientIdTakenError):
        ask(replace(cast, scripts=(ZH,)), quick)


def test_a_cell_whose_id_is_taken_fails_alone(cast: VariantsRequest, quick: Any) -> None:
    single = replace(cast.plain, identity_id=cast.identities[0], script="再见。")
    presenting.present(single, client_id="spring-zh-1", by=quick.by["requester"])

    row = ask(replace(cast, scripts=(ZH,)), quick)

    assert states(row) == [("zh", 0, "rejected", "client_id_taken"), ("zh", 1, "queued", "")]


@pytest.mark.parametrize(
    ("ends", "word"),
    [
        (("succeeded", "succeeded"), "succeeded"),
        (("succeeded", "failed"), "partial"),
        (("rejected", "succeeded"), "partial"),
        (("failed", "cancelled"), "failed"),
        (("succeeded", "running"), "running"),
        (("queued", "failed"), "running"),
        (("withdrawn", "withdrawn"), "failed"),
    ],
)
def test_the_whole_is_summed_up(ends: tuple[str, ...], word: str) -> None:
    assert summing.state_of(summing.Cell("zh", "idn", "x", state) for state in ends) == word


def test_the_end_of_the_last_cell_is_told_once(cast: VariantsRequest, quick: Any, settings: Any) -> None:
    settings.LIKENESS_HOOK_HOSTS = ["bank.example"]
    hook = hooks.add("https://bank.example/all", by=quick.by["operator"]).hook
    own = hooks.Callback("https://bank.example/mine", str(hook.pk))
    row = ask(replace(cast, plain=replace(cast.plain, callback=own)), quick)

    end(row, "failed", "spring-zh-1", "spring-zh-2")
    services.reap()
    assert not Delivery.objects.filter(event__startswith="variants").exists()
    end(row, "failed", "spring-en-1")
    services.reap()
    services.reap()

    told = [json.loads(each.body) for each in Delivery.objects.filter(event="variants.failed")]
    row.refresh_from_db()
    assert row.finished is not None
    assert [(each["variants"], each["state"]) for each in told] == [("spring", "failed")] * 2
    assert told[0]["links"] == {"variants": "/api/v1/presentations/spring/variants"}
    # the refused cell was told to the tenant's hook as its own presentation, to nobody else
    assert [each.url for each in Delivery.objects.filter(event="presentation.rejected")] == [hook.url]


def test_all_that_moves_is_stopped(cast: VariantsRequest, quick: Any) -> None:
    ask(cast, quick)
    row = variants.cancel("spring", by=quick.by["operator"])

    assert [state for *_, state, _ in states(row)] == ["cancelled"] * 3 + ["rejected"]
    with pytest.raises(JobStateError):
        variants.cancel("spring", by=quick.by["operator"])
    with pytest.raises(RoleError):
        variants.cancel("spring", by=quick.by["auditor"])


# ---- quota


def test_more_than_the_quota_is_refused_before_anything_is_kept(
    cast: VariantsRequest, quick: Any, settings: Any, sent: list[Any]
) -> None:
    settings.LIKENESS_PRESENTATIONS_OPEN = 3

    with pytest.raises(QuotaError):
        ask(cast, quick)

    assert not VariantSet.objects.exists()
    assert sent == []


def test_what_has_ended_makes_room_again(cast: VariantsRequest, quick: Any, settings: Any) -> None:
    settings.LIKENESS_PRESENTATIONS_OPEN = 1
    by = quick.by["requester"]
    single = replace(cast.plain, identity_id=cast.identities[0], script="再见。")
    presenting.present(single, client_id="one", by=by)

    with pytest.raises(QuotaError):
        presenting.present(replace(single, script="好。"), client_id="two", by=by)
    assert presenting.present(single, client_id="one", by=by)  # known: takes no room
    presenting.cancel("one", by=by)

    assert presenting.present(replace(single, script="好。"), client_id="two", by=by).state == "queued"


def test_room_that_others_took_meanwhile_leaves_cells_for_later(
    cast: VariantsRequest, quick: Any, settings: Any
) -> None:
    settings.LIKENESS_PRESENTATIONS_OPEN = 4
    row = variants._write(cast, "spring", variants._digest(cast), by=quick.by["requester"])
    settings.LIKENESS_PRESENTATIONS_OPEN = 1

    with pytest.raises(QuotaError):
        ask(cast, quick)
    assert summing.settle() == 0
    settings.LIKENESS_PRESENTATIONS_OPEN = 4

    assert [state for *_, state, _ in states(ask(cast, quick))] == ["queued"] * 3 + ["rejected"]
    assert VariantSet.objects.get().pk == row.pk
