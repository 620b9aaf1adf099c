"""The log's tables as Django reads them; PostgreSQL guards them (migrations/*.sql)."""

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
    """One witness's line under a checkpoint; it confirms a resting log again, each time at a POSIX second."""

    pk = models.CompositePrimaryKey("size", "witness", "time")
    size = models.BigIntegerField()
    witness = models.TextField()
    time = models.BigIntegerField()
    line = models.TextField()

    objects: ClassVar[models.Manager["Cosignature"]]

    class Meta:
        """The SQL migration makes the table."""

        managed = False
        db_table = "audit_cosignature"

    def __str__(self) -> str:
        return f"{self.witness} on checkpoint {self.size}"


class Timestamp(models.Model):
    """An authority's timestamp on a checkpoint; `token` is its whole answer, `time` the one in it."""

    pk = models.CompositePrimaryKey("size", "authority")
    size = models.BigIntegerField()
    authority = models.TextField()
    token = models.BinaryField()
    time = models.DateTimeField()

    objects: ClassVar[models.Manager["Timestamp"]]

    class Meta:
        """The SQL migration makes the table."""

        managed = False
        db_table = "audit_timestamp"

    def __str__(self) -> str:
        return f"{self.authority} on checkpoint {self.size}"


class Alarm(models.Model):
    """A witness refused a head, or a person let the log go on; the newest row decides."""

    seq = models.BigIntegerField(primary_key=True)
    frozen = models.BooleanField()
    witness = models.TextField()
    evidence = models.TextField()
    created = models.DateTimeField()

    objects: ClassVar[models.Manager["Alarm"]]

    class Meta:
        """The SQL migration makes the table."""

        managed = False
        db_table = "audit_alarm"

    def __str__(self) -> str:
        return f"{self.witness}: {'frozen' if self.frozen else 'resumed'}"


class Key(models.Model):
    """One thing that an entry of a block can be found by."""

    pk = models.CompositePrimaryKey("k", "block")
    k = models.BigIntegerField()
    block = models.BigIntegerField()

    objects: ClassVar[models.Manager["Key"]]

    class Meta:
        """The SQL migration makes the table."""

        managed = False
        db_table = "audit_key"

    def __str__(self) -> str:
        return f"key {self.k} of block {self.block}"
