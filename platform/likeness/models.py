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


class CheckCount(models.Model):
    """How often the public check was asked in a span of time: by one address, as a keyed hash, or by all."""

    key = models.CharField(max_length=32)
    began = models.DateTimeField(db_index=True)
    seconds = models.PositiveIntegerField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        """What the database enforces."""

        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["key", "began", "seconds"], name="checkcount_once_a_span"),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.began}"
