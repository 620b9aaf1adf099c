from __future__ import annotations

import time

import pytest
from django.db import transaction
from django.urls import reverse

from audit import selectors, services
from audit.events import Actor, IdentityEnrolled
from likeness.portal import health


def say(tenant: str) -> int:
    """One entry of a tenant, in the signed log; gives its index."""
    with transaction.atomic():
        event = IdentityEnrolled(identity="idn_" + "1" * 16, subject="sub_" + "1" * 16)
        event_id = services.append(event, actor=Actor("usr_" + "1" * 16, tenant))
    return selectors.receipt(event_id, timeout_s=10).index


@pytest.fixture
def running(home, sequencing):
    """A log that runs."""


def test_the_newest_entries_of_the_tenant_are_listed(running, sign_in):
    mine, theirs = say("demo"), say("other")
    html = sign_in("auditor").get(reverse("log-list")).content.decode()
    assert f'href="{reverse("log-entry", args=[mine])}"' in html
    assert f'href="{reverse("log-entry", args=[theirs])}"' not in html
    assert "Up to date" in html


def test_an_entry_has_its_proof_as_a_file(running, sign_in):
    index = say("demo")
    client = sign_in("auditor")
    assert "identity.enrolled" in client.get(reverse("log-entry", args=[index])).content.decode()
    response = client.get(reverse("log-proof", args=[index]))
    assert response.content.decode() == selectors.proof(index)
    assert response.headers["Content-Disposition"] == f'attachment; filename="{index:09d}.tlog-proof"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_checkpoint_is_handed_out(running, sign_in):
    say("demo")
    response = sign_in("operator").get(reverse("log-checkpoint"))
    assert response.content.decode().startswith("likeness.local/audit\n")


@pytest.mark.parametrize("name", ["log-entry", "log-proof"])
def test_entries_of_others_and_missing_ones_are_not_there(running, sign_in, name):
    theirs = say("other")
    client = sign_in("auditor")
    assert client.get(reverse(name, args=[theirs])).status_code == 404
    assert client.get(reverse(name, args=[10_000])).status_code == 404


@pytest.mark.parametrize("name", ["log-entry", "log-proof", "log-checkpoint", "log-list"])
def test_a_requester_has_no_log(live_database, sign_in, name):
    args = [0] if name in ("log-entry", "log-proof") else []
    assert sign_in("requester").get(reverse(name, args=args)).status_code == 403


def test_a_silent_log_is_said_and_never_looks_well(live_database, sign_in):
    client = sign_in("auditor")
    assert "No signed checkpoint" in client.get(reverse("log-list")).content.decode()
    assert client.get(reverse("log-checkpoint")).status_code == 503
    assert "No signed checkpoint" in client.get(reverse("home")).content.decode()


def test_health_follows_the_sequencer(running):
    say("demo")
    assert health.sequencer_runs()
    assert health.log_health().state == "healthy"


def test_a_log_without_a_sequencer_is_stopped(running, monkeypatch):
    say("demo")
    monkeypatch.setattr(health, "LOCK", 12345)
    assert health.log_health().state == "stopped"


def test_a_timeline_names_the_entries_of_a_licence(running, sign_in, world):
    row = world.submit()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not selectors.entries(selectors.KeyKind.CONSENT, row.id):
        time.sleep(0.05)
    html = sign_in("legal").get(reverse("consent-detail", args=[row.id])).content.decode()
    assert "entry " in html
    assert "/record/" in html


def test_a_download_is_logged_and_playing_is_not(running, sign_in, world):
    job = world.job("done")
    client = sign_in("auditor")
    client.get(reverse("job-output", args=[job.id]))
    client.post(reverse("job-download", args=[job.id]))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not selectors.entries(selectors.KeyKind.JOB, job.id.hex):
        time.sleep(0.05)
    say("demo")  # whatever else was said about the job is in the log before this
    entries = selectors.entries(selectors.KeyKind.JOB, job.id.hex)
    assert [entry.type for entry in entries] == ["output.downloaded"]
