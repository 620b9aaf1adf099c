"""The banner of the log's witnesses on every page, and the card on the log's own page."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit import pushing, sequencer, signer, witness, witnesses
from audit.sequencer import Sequencer
from audit.witness import Answer, Witness
from likeness.portal.health import Witnessing, log_witnessing

HOUR_S = 3600
EVERYBODY = ["requester", "legal", "business", "expert", "auditor", "operator"]
STALE = "The log was not cosigned within the last hour"
NEVER = "No witness has cosigned the log yet"
REFUSED = "A witness refused the log"
FAULTY = "The policy of the log cannot be read"
OWN = "Same operator: a demonstration, no independent proof."


@pytest.fixture
def log(live_database, home):
    """A log with its first entry and a local witness that is named in the policy."""
    place = home / "witness"
    key = witness.create(place, name="demo.example/w")
    witness.trust(place, signer.local().key)
    with sequencer.connect() as owner:
        writer = Sequencer(owner, signer=signer.local())
        writer.start()
        writer.publish()
        witnesses.ensure_policy()
        head = pushing.newest(owner)

        def cosign(age_s: float = 0) -> None:
            made = Witness(place, now=lambda: time.time() - age_s)
            answer = made.add_checkpoint(str(pushing.request(owner, cosign.old, *head)).encode())
            pushing.accept(owner, key, *head, answer.body)
            cosign.old = head[0]
            made.close()

        cosign.old = 0
        asked = pushing.request(owner, 0, *head)
        refuse = lambda: pushing.freeze(owner, key, asked, Answer(422, "no\n"))  # noqa: E731
        yield SimpleNamespace(cosign=cosign, refuse=refuse, policy=home / "log.policy", owner=owner)


def page(client, name="home"):
    return client.get(reverse(name)).content.decode()


@pytest.mark.parametrize("role", EVERYBODY)
def test_everybody_is_told_that_a_witness_refused(log, sign_in, role):
    log.refuse()
    html = page(sign_in(role))
    assert 'class="note bad"' in html
    assert REFUSED in html
    assert "demo.example/w" in html
    assert ("See the witnesses" in html) == (role != "requester")


@pytest.mark.parametrize("name", ["home", "consent-list", "job-list", "identity-list", "verify", "log-list"])
def test_every_page_has_the_banner(log, sign_in, name):
    log.cosign(2 * HOUR_S)
    html = page(sign_in("auditor"), name)
    assert 'class="note warn"' in html
    assert STALE in html
    assert "2 hours ago" in html


def test_a_page_of_a_well_witnessed_log_has_none(log, sign_in):
    log.cosign()
    html = page(sign_in("auditor"), "log-list")
    assert not [words for words in (STALE, NEVER, REFUSED, FAULTY) if words in html]
    assert OWN in html
    assert "1 of 1 signed entries cosigned" in html
    assert "just now" in html


def test_a_log_that_nobody_cosigned_yet_says_so(log, sign_in):
    html = page(sign_in("auditor"), "log-list")
    assert NEVER in html
    assert "Has cosigned nothing yet." in html


def test_a_faulty_policy_is_said_on_every_page_and_why_on_one(log, sign_in):
    log.policy.write_text("quorum nobody\n")
    client = sign_in("auditor")
    assert FAULTY in page(client)
    assert str(log.policy) not in page(client)
    assert str(log.policy) in page(client, "log-list")


def test_the_worst_is_said_first(log):
    log.cosign(2 * HOUR_S)
    assert log_witnessing().code == "stale"
    log.policy.write_text("quorum nobody\n")
    assert log_witnessing().code == "policy"
    log.refuse()
    assert (log_witnessing().tone, log_witnessing().code) == ("bad", "frozen")
    pushing.resume(log.owner, by="usr_1")
    assert log_witnessing().code == "policy"


def test_a_log_without_a_policy_has_no_banner_and_is_not_called_witnessed(live_database, home, sign_in):
    assert log_witnessing() == Witnessing()
    html = page(sign_in("auditor"), "log-list")
    assert "No witness is asked for." in html
    assert 'class="note' not in html


def test_the_banner_costs_two_queries(log):
    log.cosign()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        log_witnessing()
    assert len(asked) == 2


def test_nobody_is_told_before_signing_in(log):
    log.refuse()
    assert REFUSED not in Client().get(reverse("sign-in")).content.decode()


def test_it_is_said_in_chinese(log, sign_in):
    log.refuse()
    client = sign_in("operator")
    client.post(reverse("language"), {"language": "zh-hans", "next": "/"})
    assert "有见证方拒绝联署日志" in page(client)
    assert "同一运营方：仅作演示，不构成独立证明。" in page(client, "log-list")


@pytest.mark.parametrize("tone", ["bad", "warn"])
def test_the_name_of_a_witness_is_text(tone):
    html = render_to_string(
        "portal/witnessing.html", {"witnessing": Witnessing(tone, "frozen", "<script>x</script>")}
    )
    assert "<script>" not in html
    assert "style=" not in html
