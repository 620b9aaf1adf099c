"""Tables of the platform itself."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils import timezone


class IdempotencyKey(models.Model):
    """One request that must not happen twice, and the answer that it got."""

    tenant = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    route = models.CharField(max_length=255)
    body_sha256 = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)  # null: still running
    location = models.CharField(max_length=255, blank=True)
    answer = models.TextField(blank=True)
    created = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        """What the database enforces."""

        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "key"], name="idempotencykey_once_a_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} {self.key}"
