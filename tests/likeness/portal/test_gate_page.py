from __future__ import annotations

import pytest
from django.urls import reverse

from consent import selectors
from tests.consent import fakes
from tests.likeness.portal.conftest import upload

pytestmark = pytest.mark.django_db


def block(client, data=b"", **changes):
    form = {"image": upload(data or fakes.picture("villain")), "reason": "Court order 12"}
    return client.post(reverse("block-list"), form | changes, follow=True)


def test_a_face_is_blocked_by_a_photo(sign_in):
    response = block(sign_in("operator"))
    assert selectors.blocks(tenant="demo").count() == 1
    assert "Court order 12" in response.content.decode()


@pytest.mark.parametrize(
    ("data", "changes"),
    [(b"nobody", {}), (b"", {"reason": ""}), (b"", {"image": ""}), (b"", {"image": upload(b"")})],
)
def test_what_cannot_be_blocked_is_said_on_the_form(sign_in, data, changes):
    response = block(sign_in("operator"), data, **changes)
    assert response.status_code == 422
    assert 'class="wrong"' in response.content.decode()
    assert not selectors.blocks(tenant="demo").exists()


def test_somebody_else_takes_a_face_off_again(sign_in):
    block(sign_in("operator"))
    entry = selectors.blocks(tenant="demo").get()
    sign_in("legal").post(reverse("block-remove", args=[entry.id]))
    assert not selectors.blocks(tenant="demo").exists()


def test_who_blocked_a_face_does_not_unblock_it(sign_in):
    block(sign_in("legal"))
    entry = selectors.blocks(tenant="demo").get()
    response = sign_in("legal").post(reverse("block-remove", args=[entry.id]), follow=True)
    assert 'class="note error"' in response.content.decode()
    assert selectors.blocks(tenant="demo").exists()


def test_an_entry_of_another_tenant_is_not_there(sign_in, stranger):
    block(stranger)
    entry = selectors.blocks(tenant="other").get()
    assert sign_in("legal").post(reverse("block-remove", args=[entry.id])).status_code == 404
    assert selectors.blocks(tenant="other").exists()
