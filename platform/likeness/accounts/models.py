"""Tables of accounts: who may sign in, and the keys of programs."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone

from audit.events import Actor
from likeness.accounts.roles import Role


def new_actor_id() -> str:
    """Give a fresh pseudonym: the log names people by it and by nothing else."""
    return "usr_" + secrets.token_hex(8)


class UserManager(BaseUserManager["User"]):
    """Finds users by their address, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> User:
        """Give the user of an address."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """Somebody who may sign in, in one tenant, with roles."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    tenant = models.CharField(max_length=64, db_index=True)
    actor_id = models.CharField(max_length=20, unique=True, default=new_actor_id, editable=False)
    roles = models.JSONField(default=list, blank=True)
    language = models.CharField(max_length=10, default="en")
    is_active = models.BooleanField(default=True)
    created = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["tenant"]
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        """What the database enforces."""

        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=~models.Q(tenant=""), name="user_has_tenant"),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def actor(self) -> Actor:
        """What services and the log know of this user."""
        return Actor(id=self.actor_id, tenant=self.tenant, roles=frozenset(self.roles))

    def has_role(self, role: Role) -> bool:
        """Say whether the user has the role and may use it."""
        return self.is_active and role in self.roles


class ApiKey(models.Model):
    """A program's key: found by its public part, proven by the hash of its secret."""

    id = models.CharField(max_length=8, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    digest = models.CharField(max_length=64)
    label = models.CharField(max_length=80)
    created = models.DateTimeField(default=timezone.now, editable=False)
    expires = models.DateTimeField()
    last_used = models.DateTimeField(null=True, blank=True)
    revoked = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"lk_{self.id}"
