"""The log's tables as Django reads them; PostgreSQL guards them (migrations/0001_log.sql)."""

from typing import ClassVar

from django.db import models


class Entry(models.Model):
    """One leaf of the tree."""

    idx = models.BigIntegerField(primary_key=True)
    leaf_hash = models.BinaryField()
    event_id = models.UUIDField(unique=True)
    body = models.BinaryField()

    objects: ClassVar[models.Manager["Entry"]]

    class Meta:
        """The SQL migration makes the table."""

        managed = False
        db_table = "audit_entry"

    def __str__(self) -> str:
        return f"entry {self.idx}"


class Checkpoint(models.Model):
    """One signed tree head."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    note = models.TextField()

    objects: ClassVar[models.Manager["Checkpoint"]]

    class Meta:
        """The SQL migration makes the table."""

        managed = False
        db_table = "audit_checkpoint"

    def __str__(self) -> str:
        return f"checkpoint {self.size}"


class Cosignature(models.Model):
    """One witness's line under a checkpoint."""

    pk = models.CompositePrimaryKey("size", "witness")
    size = models.BigIntegerField()
    witness = models.TextField()
    line = models.TextField()

    objects: ClassVar[models.Manager["Cosignature"]]

    class Meta:
        """The SQL migration makes the table."""

        managed = False
        db_table = "audit_cosignature"

    def __str__(self) -> str:
        return f"{self.witness} on checkpoint {self.size}"


class Key(models.Model):
    """One thing that an entry can be found by."""

    pk = models.CompositePrimaryKey("kind", "k", "idx")
    kind = models.SmallIntegerField()
    k = models.BinaryField()
    idx = models.BigIntegerField()

    objects: ClassVar[models.Manager["Key"]]

    class Meta:
        """The SQL migration makes the table."""

        managed = False
        db_table = "audit_key"

    def __str__(self) -> str:
        return f"key {self.kind} of entry {self.idx}"
