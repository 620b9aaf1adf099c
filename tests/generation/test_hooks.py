"""How the outside is told: the rows, the tries, and a real receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from consent import services as consents
from generation import hooks, services, webhook
from generation.errors import CallbackRefusedError, NotFoundError, RefusedError, RoleError
from generation.hooks import Callback
from generation.models import Delivery, Hook, Job
from tests.generation import fakes
from tests.generation.receiver import Receiver, receiving


@pytest.fixture
def receiver(tmp_path: Path, settings: Any) -> Iterator[Receiver]:
    with receiving(tmp_path) as server:
        settings.LIKENESS_HOOK_HOSTS = [f"127.0.0.1:{server.port}", "bank.example", "other.example"]
        settings.LIKENESS_HOOK_ROOTS = str(server.roots)
        yield server


@pytest.fixture
def by(home: Path, db: None, people: dict[str, Any]) -> dict[str, Any]:
    return {name: user.actor for name, user in people.items()}


@pytest.fixture
def hook(receiver: Receiver, by: dict[str, Any]) -> Hook:
    return hooks.add(receiver.url(), by=by["operator"]).hook


def sent(row: Delivery) -> Delivery:
    hooks.deliver(row.pk)
    row.refresh_from_db()
    return row


def again(row: Delivery, *, after_s: float) -> Delivery:
    """The next try, as if that time had passed."""
    Delivery.objects.filter(pk=row.pk).update(due=row.due - timedelta(seconds=after_s))
    return sent(row)


@pytest.mark.parametrize(
    "url",
    [
        "http://bank.example/hook",
        "https://127.0.0.1/hook",
        "https://169.254.169.254/latest",
        "https://elsewhere.example/hook",
        "https://user@bank.example/hook",
        "https://bank.example:8000/hook",
    ],
)
def test_an_address_that_is_not_listed_is_not_registered(url: str, receiver: Receiver, by: Any) -> None:
    with pytest.raises(CallbackRefusedError):
        hooks.add(url, by=by["operator"])

    assert not Hook.objects.exists()


def test_without_a_list_nobody_is_called(by: Any) -> None:
    with pytest.raises(CallbackRefusedError):
        hooks.add("https://bank.example/hook", by=by["operator"])


@pytest.mark.parametrize("role", ["requester", "legal", "business", "expert", "auditor"])
def test_only_an_operator_changes_hooks(role: str, hook: Hook, by: Any) -> None:
    for change in (
        lambda: hooks.add("https://bank.example/", by=by[role]),
        lambda: hooks.remove(hook.pk, by=by[role]),
        lambda: hooks.ping(hook.pk, by=by[role]),
    ):
        with pytest.raises(RoleError):
            change()


def test_another_tenants_hook_is_not_found(hook: Hook, person: Any) -> None:
    other = person("operator", tenant="other").actor

    with pytest.raises(NotFoundError):
        hooks.remove(hook.pk, by=other)
    assert not hooks.registered(by=other).exists()
    assert not hooks.deliveries(by=other).exists()


def test_an_address_is_registered_once_and_ten_at_most(receiver: Receiver, by: Any) -> None:
    for number in range(hooks.HOOKS_MAX):
        hooks.add(f"https://bank.example/{number}", by=by["operator"])

    with pytest.raises(CallbackRefusedError):
        hooks.add("https://bank.example/more", by=by["operator"])
    gone = hooks.remove(Hook.objects.first().pk, by=by["operator"])  # type: ignore[union-attr]
    with pytest.raises(CallbackRefusedError):
        hooks.add("https://bank.example/1", by=by["operator"])
    assert hooks.add(gone.url, by=by["operator"]).hook.active


def test_the_secret_is_in_no_row_and_of_this_hook_alone(receiver: Receiver, by: Any) -> None:
    one = hooks.add("https://bank.example/1", by=by["operator"])
    two = hooks.add("https://bank.example/2", by=by["operator"])

    assert one.secret != two.secret
    assert one.secret == hooks.secret_of(one.hook.pk)
    assert one.secret not in json.dumps(list(Hook.objects.values()), default=str)


def test_a_message_is_signed_and_arrives(hook: Hook, receiver: Receiver, by: Any) -> None:
    row = sent(hooks.ping(hook.pk, by=by["operator"]))

    path, headers, body = receiver.seen[0]
    secret = hooks.secret_of(hook.pk)
    stamp = int(headers["Likeness-Timestamp"])
    assert (row.state, row.attempts, row.status, row.problem) == ("delivered", 1, 204, "")
    assert headers["Likeness-Signature"] == webhook.sign(secret, stamp, body)
    assert headers["Likeness-Delivery"] == str(row.pk) == json.loads(body)["id"]
    assert abs(stamp - timezone.now().timestamp()) < 60
    assert path == "/hook"


def test_a_message_is_sent_once(hook: Hook, receiver: Receiver, by: Any) -> None:
    row = sent(hooks.ping(hook.pk, by=by["operator"]))

    sent(row)

    assert len(receiver.seen) == 1


def test_a_receiver_that_fails_is_asked_three_times_within_ten_minutes(
    hook: Hook, receiver: Receiver, by: Any
) -> None:
    receiver.answers = [500, 503, 500]
    row = sent(hooks.ping(hook.pk, by=by["operator"]))

    assert (row.state, row.attempts, row.problem) == ("waiting", 1, "status")
    assert 0 < (row.due - timezone.now()).total_seconds() <= 60
    assert sent(row).attempts == 1  # not before it is due
    row = again(row, after_s=60)
    row = again(row, after_s=300)

    assert (row.state, row.attempts, row.status) == ("dead", 3, 500)
    assert row.finished is not None
    assert sum(hooks.RETRY_AFTER_S) + 3 * webhook.ANSWER_WITHIN_S < 600
    assert len({headers["Likeness-Delivery"] for _, headers, _ in receiver.seen}) == 1
    assert [each.pk for each in hooks.deliveries(by=by["auditor"], state="dead")] == [row.pk]


def test_a_receiver_that_recovers_gets_it(hook: Hook, receiver: Receiver, by: Any) -> None:
    receiver.answers = [500]
    row = again(sent(hooks.ping(hook.pk, by=by["operator"])), after_s=60)

    assert (row.state, row.attempts, row.problem) == ("delivered", 2, "")


@pytest.mark.parametrize(("status", "problem"), [(302, "redirect"), (410, "status")])
def test_what_another_try_would_not_change_is_dead_at_once(
    status: int, problem: str, hook: Hook, receiver: Receiver, by: Any
) -> None:
    receiver.answers = [status]
    row = sent(hooks.ping(hook.pk, by=by["operator"]))

    assert (row.state, row.attempts, row.problem) == ("dead", 1, problem)


def test_a_host_that_left_the_list_is_called_no_more(
    hook: Hook, receiver: Receiver, by: Any, settings: Any
) -> None:
    row = hooks.ping(hook.pk, by=by["operator"])
    settings.LIKENESS_HOOK_HOSTS = ["bank.example"]

    assert (sent(row).state, row.problem, receiver.seen) == ("dead", "host_refused", [])


def test_a_name_that_begins_to_lead_inside_is_not_called(
    receiver: Receiver, by: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LIKENESS_HOOK_HOSTS = [f"bank.example:{receiver.port}"]
    hook = hooks.add(f"https://bank.example:{receiver.port}/", by=by["operator"]).hook
    monkeypatch.setattr(webhook.socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("127.0.0.1", 0))])

    row = sent(hooks.ping(hook.pk, by=by["operator"]))

    assert (row.state, row.problem, receiver.seen) == ("dead", "address_refused", [])


def test_what_waits_for_a_removed_hook_is_dead(hook: Hook, receiver: Receiver, by: Any) -> None:
    row = hooks.ping(hook.pk, by=by["operator"])
    hooks.remove(hook.pk, by=by["operator"])

    assert (sent(row).state, row.problem, receiver.seen) == ("dead", "hook_removed", [])
    with pytest.raises(NotFoundError):
        hooks.ping(hook.pk, by=by["operator"])


def test_what_the_broker_lost_and_what_is_due_is_sent_again(hook: Hook, by: Any, sent: list[Any]) -> None:
    row = hooks.ping(hook.pk, by=by["operator"])
    sent.clear()

    assert hooks.send_due() == 0  # its message went out with the commit
    Delivery.objects.update(asked=None)
    assert hooks.send_due() == 1
    assert hooks.send_due() == 0
    assert sent == [("call", str(row.pk))]


def test_a_worker_that_died_in_a_try_is_replaced(hook: Hook, receiver: Receiver, by: Any) -> None:
    row = hooks.ping(hook.pk, by=by["operator"])
    assert hooks._claim(row.pk) is not None
    assert hooks._claim(row.pk) is None  # somebody is at it

    row.refresh_from_db()
    row = again(row, after_s=hooks.CLAIM_S)

    assert (row.state, row.attempts) == ("delivered", 2)


# ---- callbacks of a request


@pytest.mark.parametrize(
    "url",
    ["http://bank.example/x", "https://10.0.0.1/x", "https://other.example/x", "https://bank.example:1/"],
)
def test_a_callback_elsewhere_is_refused(url: str, receiver: Receiver, by: Any) -> None:
    hook = hooks.add("https://bank.example/hook", by=by["operator"]).hook

    with pytest.raises(CallbackRefusedError):
        hooks.require(Callback(url, str(hook.pk)), tenant="demo")


def test_a_callback_with_a_strangers_secret_is_refused(receiver: Receiver, by: Any, person: Any) -> None:
    other = hooks.add("https://bank.example/hook", by=person("operator", tenant="other").actor).hook
    removed = hooks.add("https://bank.example/hook", by=by["operator"]).hook
    hooks.remove(removed.pk, by=by["operator"])

    for secret in (str(other.pk), str(removed.pk), "", "nothing", "0" * 32):
        with pytest.raises(CallbackRefusedError):
            hooks.require(Callback("https://bank.example/x", secret), tenant="demo")


@pytest.fixture
def asked(quick: Any, receiver: Receiver, green_clip: bytes) -> Any:
    """Ask for a job with a callback; the tenant has a hook."""
    added = hooks.add(receiver.url("/all"), by=quick.by["operator"]).hook
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    media = quick.upload(green_clip)

    def ask(**changes: Any) -> Job:
        own = Callback(receiver.url("/mine"), str(added.pk))
        return quick.submit(licence, media, callback=own, **changes)

    ask.licence = licence  # type: ignore[attr-defined]
    return ask


def bodies(receiver: Receiver) -> dict[str, Any]:
    return {path: json.loads(body) for path, _, body in receiver.seen}


def test_a_finished_job_is_told_to_both_addresses(asked: Any, receiver: Receiver, work: Any) -> None:
    job = asked()
    work()

    told = bodies(receiver)
    assert set(told) == {"/all", "/mine"}
    for body in told.values():
        assert set(body) == {"id", "event", "at", "job", "state", "code", "links"}
        assert (body["event"], body["job"], body["state"], body["code"]) == (
            "job.done", str(job.pk), "done", "",
        )  # fmt: skip
        assert body["links"] == {"job": f"/api/v1/jobs/{job.pk}/"}
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}


def test_a_refused_and_a_cancelled_job_are_told(
    asked: Any, receiver: Receiver, quick: Any, work: Any
) -> None:
    with pytest.raises(RefusedError):
        asked(purpose="marketing")
    services.cancel(asked().pk, by=quick.by["requester"])
    work()

    assert sorted((body["event"], body["code"]) for path, _, data in receiver.seen if path == "/all"
                  for body in [json.loads(data)]) == [
        ("job.cancelled", "job.cancelled"), ("job.refused", "scope.purpose"),
    ]  # fmt: skip


def test_a_withdrawn_output_is_told(asked: Any, receiver: Receiver, quick: Any, work: Any) -> None:
    asked()
    work()
    receiver.seen.clear()

    consents.revoke(asked.licence.id, reason="withdrawn", by=quick.by["legal"])
    work()

    assert bodies(receiver)["/mine"]["event"] == "job.withdrawn"


def test_a_change_that_is_rolled_back_tells_nobody(asked: Any, receiver: Receiver, quick: Any) -> None:
    job = asked()
    with transaction.atomic():
        services.cancel(job.pk, by=quick.by["requester"])
        assert Delivery.objects.count() == 2
        transaction.set_rollback(True)

    assert not Delivery.objects.exists()
