from __future__ import annotations

import pytest
from django.urls import reverse

from likeness.portal import parts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(parts, "SIZE", 2)


def test_a_long_list_comes_in_parts_that_lead_to_each_other(sign_in, world):
    for name in ("甲", "乙", "丙"):
        world.enrol(name)
    client = sign_in("requester")
    first = client.get(reverse("identity-list")).content.decode()
    assert "丙" in first
    assert "甲" not in first
    assert 'href="?part=2"' in first
    second = client.get(reverse("identity-list") + "?part=2").content.decode()
    assert "甲" in second
    assert 'href="?part=1"' in second
    assert "part=3" not in second


def test_a_part_keeps_the_state_that_was_chosen(sign_in, world):
    person = world.enrol()
    for _ in range(3):
        world.submit(person)
    html = sign_in("legal").get(reverse("consent-list") + "?state=in_review").content.decode()
    assert 'href="?state=in_review&amp;part=2"' in html


@pytest.mark.parametrize("part", ["0", "-1", "x", "²", "99", "9" * 30, ""])
def test_a_part_that_is_not_there_is_404(sign_in, part):
    assert sign_in("requester").get(reverse("identity-list") + f"?part={part}").status_code == 404
