"""Webhooks in the portal: added with their secret shown once, tested, removed, and what they answered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse

from generation import hooks, queueing
from generation.models import Delivery, Hook
from likeness.portal.wording.hooks import PROBLEMS, problem, refusal

pytestmark = pytest.mark.django_db
URL = "https://bank.example/likeness"


@pytest.fixture(autouse=True)
def _edges(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LIKENESS_HOOK_HOSTS = ["bank.example"]
    monkeypatch.setattr(queueing, "send", lambda _task, _key: None)


def add(client: Any, url: str, *, language: str = "en") -> Any:
    client.cookies["django_language"] = language
    return client.post(reverse("hook-list"), {"url": url})


def test_the_secret_is_shown_in_one_answer_and_nowhere_else(sign_in):
    client = sign_in("operator")
    html = add(client, URL).content.decode()
    hook = Hook.objects.get()
    secret = hooks.secret_of(hook.pk)
    assert secret in html
    for name, args in (("hook-list", []), ("hook-detail", [hook.pk])):
        assert secret not in client.get(reverse(name, args=args)).content.decode()


@pytest.mark.parametrize(
    ("url", "language", "said"),
    [
        ("http://bank.example/x", "en", "Only https addresses are called."),
        ("https://evil.example/x", "en", "evil.example is not on the list of hosts that may be told."),
        ("https://evil.example/x", "zh-hans", "请服务器管理人员将其加入 LIKENESS_HOOK_HOSTS"),
        ("https://bank.example:444/x", "en", "bank.example:444 is not on the list"),
        ("https://u@bank.example/x", "en", "Write a whole https address"),
        ("", "en", "This field is required."),
    ],
)
def test_an_address_that_is_not_taken_says_why_and_which_setting(sign_in, url, language, said):
    answer = add(sign_in("operator"), url, language=language)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Hook.objects.exists()


def test_an_address_twice_is_told(sign_in):
    client = sign_in("operator")
    add(client, URL)
    assert "a webhook already" in add(client, URL).content.decode()
    assert refusal("There are 10 hooks already; remove one first.").startswith("There are as many")


def test_without_listed_hosts_nothing_can_be_added(sign_in, settings):
    settings.LIKENESS_HOOK_HOSTS = []
    html = sign_in("operator").get(reverse("hook-list")).content.decode()
    assert "nobody outside is told of anything" in html
    assert "LIKENESS_HOOK_HOSTS" in html
    assert '<button class="button primary" disabled' in html


def test_a_test_message_is_sent_and_its_answer_is_told(sign_in, world):
    hook, client = world.hook(), sign_in("operator")
    client.post(reverse("hook-ping", args=[hook.pk]))
    assert Delivery.objects.get().event == "ping"
    live = client.get(reverse("hook-detail", args=[hook.pk]), headers={"HX-Request": "true"})
    assert live.status_code == 200
    assert 'hx-trigger="every 2s"' in live.content.decode()
    Delivery.objects.update(
        state="dead", status=500, problem="status", finished="2026-01-01T00:00Z", attempts=3
    )
    live = client.get(reverse("hook-detail", args=[hook.pk]), headers={"HX-Request": "true"})
    assert live.status_code == 286
    assert "Given up" in live.content.decode()
    assert "The host answered with an error." in live.content.decode()


def test_a_removed_webhook_can_only_be_looked_at(sign_in, world):
    hook, client = world.hook(), sign_in("operator")
    client.post(reverse("hook-remove", args=[hook.pk]))
    hook.refresh_from_db()
    assert not hook.active
    html = client.get(reverse("hook-detail", args=[hook.pk])).content.decode()
    assert "Send a test message" not in html.replace("Send a test message to see", "")
    assert "1 removed" in client.get(reverse("hook-list")).content.decode()


def test_an_auditor_reads_only(sign_in, world):
    hook = world.hook()
    world.delivery(hook)
    client = sign_in("auditor")
    assert "Add a webhook" not in client.get(reverse("hook-list")).content.decode()
    html = client.get(reverse("hook-detail", args=[hook.pk])).content.decode()
    assert "Video: Ready" in html
    assert "Remove" not in html


def test_every_problem_of_a_delivery_has_words():
    files = [Path(settings.BASE_DIR) / "generation" / name for name in ("webhook.py", "hooks.py")]
    text = "".join(path.read_text() for path in files)
    found = set(re.findall(r'problem="([a-z_]+)"', text)) | set(re.findall(r'\(status, "([a-z]+)"', text))
    assert len(found) > 5
    assert found <= set(PROBLEMS)
    assert problem("new_code") == ("new_code", "")
