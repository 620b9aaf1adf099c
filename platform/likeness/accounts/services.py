"""Changes to accounts: users, their roles, and API keys."""

from __future__ import annotations

import hashlib
import secrets
import string
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from likeness.accounts.models import ApiKey, User
from likeness.accounts.roles import Role
from likeness.errors import AccountExistsError, PasswordRefusedError, ProfileError, RoleUnknownError
from likeness.private import create_once, read_private

DEMO_TENANT = "demo"
KEY_DAYS_MAX = 365
_BASE62 = string.digits + string.ascii_letters
_SECRET_LENGTH = 43  # 43 letters of 62 are 256 bits
_ID_LENGTH = 8


@transaction.atomic
def create_user(
    *,
    email: str,
    tenant: str,
    roles: Iterable[str],
    password: str | None = None,
    name: str = "",
    language: str = "en",
) -> User:
    """Make a user; without a password nobody signs in as them, but keys work.

    Raises:
        AccountExistsError: the address is taken.
        RoleUnknownError: a role that does not exist.
        PasswordRefusedError: the password is too weak; ``fields`` says why.
    """
    user = User(email=email.strip().lower(), tenant=tenant, name=name, language=language)
    user.roles = checked_roles(roles)
    _set_password(user, password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        if User.objects.filter(email=user.email).exists():
            raise AccountExistsError(f"{user.email} has an account already.") from None
        raise
    return user


def checked_roles(roles: Iterable[str]) -> list[str]:
    """Give the roles sorted and without doubles.

    Raises:
        RoleUnknownError: a role that does not exist.
    """
    known = {role.value for role in Role}
    for role in roles:
        if role not in known:
            raise RoleUnknownError(f"There is no role {role!r}.")
    return sorted(set(roles))


def ensure_demo_users() -> dict[str, User]:
    """Make one user a role in the tenant "demo", all with ``demo_password()``; safe to run again.

    Raises:
        ProfileError: never in the production profile.
    """
    if settings.LIKENESS_PROFILE == "production":
        raise ProfileError("Demonstration accounts are not made in the production profile.")
    found: dict[str, User] = {}
    for role in Role:
        email = f"{role}@demo.example"
        user = User.objects.filter(email=email).first()
        found[role.value] = user or create_user(
            email=email, tenant=DEMO_TENANT, roles=[role], password=demo_password(), name=role.title()
        )
    return found


def demo_password() -> str:
    """Give the password of the demonstration accounts: random, in keys/demo.password."""
    path = Path(settings.LIKENESS_KEYS) / "demo.password"
    if not path.exists():
        create_once(path, secrets.token_urlsafe(15).encode())
    return read_private(path).decode()


def create_api_key(*, user: User, label: str, days: int = 90) -> str:
    """Make a key for a program that acts as the user; the answer is shown once and not stored."""
    identifier, secret = _letters(_ID_LENGTH), _letters(_SECRET_LENGTH)
    ApiKey.objects.create(
        id=identifier,
        user=user,
        label=label,
        digest=digest_of(secret),
        expires=timezone.now() + timedelta(days=max(1, min(days, KEY_DAYS_MAX))),
    )
    return f"lk_{identifier}_{secret}"


def revoke_api_key(key_id: str, *, user: User) -> None:
    """Stop a key of the user at once; one that is stopped stays so."""
    ApiKey.objects.filter(id=key_id, user=user, revoked=None).update(revoked=timezone.now())


def digest_of(secret: str) -> str:
    """Give what is stored of a key; 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _letters(count: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(count))


def _set_password(user: User, password: str | None) -> None:
    if password is None:
        user.set_unusable_password()
        return
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PasswordRefusedError(list(error.messages)) from error
    user.set_password(password)
