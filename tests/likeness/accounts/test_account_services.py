from __future__ import annotations

import stat
from datetime import timedelta

import pytest
from django.contrib.auth import authenticate
from django.db import IntegrityError, transaction
from django.utils import timezone

from likeness.accounts import services
from likeness.accounts.authentication import find_key
from likeness.accounts.models import ApiKey, User
from likeness.accounts.roles import Role
from likeness.errors import AccountExistsError, PasswordRefusedError, ProfileError, RoleUnknownError

GOOD = "correct horse battery"
pytestmark = pytest.mark.django_db


def make(**changes):
    return services.create_user(
        **{"email": "Ada@Demo.example ", "tenant": "demo", "roles": ["legal"], **changes}
    )


def test_a_user_signs_in_with_the_address_in_any_case():
    user = make(password=GOOD)
    assert user.email == "ada@demo.example"
    assert authenticate(username="ADA@demo.example", password=GOOD) == user
    assert authenticate(username="ada@demo.example", password="wrong") is None


def test_a_user_without_a_password_never_signs_in():
    make()
    assert authenticate(username="ada@demo.example", password="") is None


def test_an_inactive_user_never_signs_in():
    user = make(password=GOOD)
    user.is_active = False
    user.save()
    assert authenticate(username="ada@demo.example", password=GOOD) is None


def test_an_address_is_taken_once():
    make()
    with pytest.raises(AccountExistsError, match=r"ada@demo\.example"):
        make(email="ada@demo.example", tenant="other")
    assert User.objects.count() == 1


@pytest.mark.parametrize("roles", [["admin"], ["legal", ""], ["LEGAL"]])
def test_an_unknown_role_is_refused(roles):
    with pytest.raises(RoleUnknownError):
        make(roles=roles)


@pytest.mark.parametrize("password", ["", "short", "password1234", "ada@demo.example", "123456123456"])
def test_a_weak_password_is_refused_with_reasons(password):
    with pytest.raises(PasswordRefusedError) as caught:
        make(password=password)
    assert caught.value.fields["password"]


def test_the_database_refuses_a_user_without_tenant():
    with pytest.raises(IntegrityError, match="user_has_tenant"), transaction.atomic():
        make(tenant="")


def test_the_actor_is_a_pseudonym():
    actor = make(roles=["legal", "business", "legal"]).actor
    assert actor.id.startswith("usr_")
    assert len(actor.id) == 20
    assert actor.roles == {"legal", "business"}
    assert "ada" not in repr(actor)


def test_demo_users_have_one_role_each_and_one_private_password(home):
    users = services.ensure_demo_users()
    again = services.ensure_demo_users()
    assert {name: user.pk for name, user in users.items()} == {name: user.pk for name, user in again.items()}
    assert set(users) == {role.value for role in Role}
    assert authenticate(username="legal@demo.example", password=services.demo_password()) == users["legal"]
    assert stat.S_IMODE((home / "keys" / "demo.password").stat().st_mode) == 0o600


def test_no_demo_users_in_production(settings):
    settings.LIKENESS_PROFILE = "production"
    with pytest.raises(ProfileError):
        services.ensure_demo_users()
    assert not User.objects.exists()


def test_a_key_opens_for_its_user_alone():
    user = make()
    token = services.create_api_key(user=user, label="ci")
    key = find_key(token)
    assert key.user == user
    assert key.last_used is None
    assert find_key(token).last_used is not None


def test_a_secret_is_not_stored():
    token = services.create_api_key(user=make(), label="ci")
    secret = token.rpartition("_")[2]
    assert len(secret) == 43
    stored = ApiKey.objects.values().get()
    assert secret not in repr(stored)


@pytest.mark.parametrize(
    "damage",
    [
        lambda token: token[:-1],
        lambda token: token[:-1] + ("a" if token[-1] != "a" else "b"),
        lambda token: token + "a",
        lambda token: token.replace("lk_", "sk_"),
        lambda token: token.rpartition("_")[0],
        lambda _: "",
        lambda _: "lk__",
        lambda _: "lk_\x00_x",
        lambda _: "lk_" + "x" * 10_000,
    ],
)
def test_a_damaged_key_opens_nothing(damage):
    token = services.create_api_key(user=make(), label="ci")
    assert find_key(damage(token)) is None


def test_a_revoked_key_opens_nothing():
    user = make()
    token = services.create_api_key(user=user, label="ci")
    services.revoke_api_key(token.split("_")[1], user=user)
    assert find_key(token) is None


def test_nobody_revokes_anothers_key():
    token = services.create_api_key(user=make(), label="ci")
    services.revoke_api_key(token.split("_")[1], user=make(email="bob@demo.example"))
    assert find_key(token) is not None


def test_an_expired_key_opens_nothing():
    token = services.create_api_key(user=make(), label="ci")
    ApiKey.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert find_key(token) is None


def test_an_inactive_users_key_opens_nothing():
    token = services.create_api_key(user=make(), label="ci")
    User.objects.update(is_active=False)
    assert find_key(token) is None


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (90, 90), (10_000, 365)])
def test_a_key_lives_a_year_at_most(asked, given):
    services.create_api_key(user=make(), label="ci", days=asked)
    left = ApiKey.objects.get().expires - timezone.now()
    assert timedelta(days=given - 1, hours=23) < left <= timedelta(days=given)
