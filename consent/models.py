"""Tables: who a likeness belongs to, what was agreed, who approved it, and whose face is blocked.

The migration ``guards`` adds the database's own rules: four eyes, terminal states, immutable documents.
"""

from __future__ import annotations

import secrets
from functools import partial

from django.db import models
from django.db.models import Q
from django.utils import timezone

from consent import catalogue


def new_id(prefix: str) -> str:
    """A random id; a ``sub_`` is the pseudonym by which alone the log names a person."""
    return f"{prefix}_{secrets.token_hex(8)}"


class State(models.TextChoices):
    """Where a consent is; ``draft`` and ``subject_signed`` are for agreements that are signed here."""

    DRAFT = "draft"
    SUBJECT_SIGNED = "subject_signed"
    IN_REVIEW = "in_review"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    REVOKED = "revoked"


IN_FORCE = (State.ACTIVE, State.SUSPENDED)
REVOCABLE = (State.SUBJECT_SIGNED, State.IN_REVIEW, State.ACTIVE, State.SUSPENDED)


class Role(models.TextChoices):
    """In which capacity somebody approves."""

    LEGAL = "legal"
    BUSINESS = "business"
    EXPERT = "expert"


class BlockList(models.TextChoices):
    """Why a face is blocked; the list decides who may take it off again."""

    DENIED = "denied"
    PUBLIC_FIGURE = "public_figure"
    COURT_ORDER = "court_order"


class Identity(models.Model):
    """One person whose likeness or performance is enrolled."""

    id = models.CharField(max_length=20, primary_key=True, default=partial(new_id, "idn"), editable=False)
    tenant = models.CharField(max_length=64, db_index=True)
    subject = models.CharField(max_length=20, unique=True, default=partial(new_id, "sub"), editable=False)
    name = models.CharField(max_length=60)
    status = models.CharField(max_length=10, choices=[(str(value), str(value)) for value in catalogue.Status])
    kind = models.CharField(max_length=10, choices=[(str(value), str(value)) for value in catalogue.Kind])
    enrolled_by = models.CharField(max_length=64)
    created = models.DateTimeField(default=timezone.now, editable=False)
    erased = models.DateTimeField(null=True)  # since when name, pictures and documents are gone

    class Meta:
        """What the database itself enforces."""

        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[str(value) for value in catalogue.Status]), name="identity_status"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[str(value) for value in catalogue.Kind]), name="identity_kind"
            ),
            models.CheckConstraint(condition=~Q(tenant=""), name="identity_has_tenant"),
        ]

    def __str__(self) -> str:
        return self.id


class Asset(models.Model):
    """The data key of protected material; without the key the material is gone."""

    id = models.CharField(max_length=20, primary_key=True, default=partial(new_id, "ast"), editable=False)
    tenant = models.CharField(max_length=64)
    identity = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="assets", null=True)
    wrapped_key = models.BinaryField(null=True)
    kek_id = models.CharField(max_length=20)
    created = models.DateTimeField(default=timezone.now, editable=False)
    shredded = models.DateTimeField(null=True)

    class Meta:
        """What the database itself enforces."""

        constraints = [
            models.CheckConstraint(
                condition=Q(wrapped_key__isnull=True, shredded__isnull=False)
                | Q(wrapped_key__isnull=False, shredded__isnull=True),
                name="asset_has_key_until_shredded",
            ),
            models.UniqueConstraint(
                fields=["identity"], condition=Q(shredded__isnull=True), name="asset_one_key_in_use"
            ),
        ]

    def __str__(self) -> str:
        return self.id


class Portrait(models.Model):
    """One enrolled picture: its hash, where its ciphertext lies, and how good it is."""

    id = models.CharField(max_length=20, primary_key=True, default=partial(new_id, "por"), editable=False)
    tenant = models.CharField(max_length=64)
    identity = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="portraits")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="portraits")
    sha256 = models.CharField(max_length=64)
    bytes = models.PositiveIntegerField()
    blob = models.CharField(max_length=64)
    preview_blob = models.CharField(max_length=64)
    quality = models.JSONField()
    added_by = models.CharField(max_length=64)
    created = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        """Order of reading, and what the database itself enforces."""

        ordering = ["created", "id"]
        constraints = [
            models.UniqueConstraint(fields=["asset", "sha256"], name="portrait_once_an_asset"),
        ]

    def __str__(self) -> str:
        return self.id


class Template(models.Model):
    """The embedding of one portrait, encrypted; it names the model that made it."""

    portrait = models.OneToOneField(Portrait, on_delete=models.CASCADE, related_name="template")
    tenant = models.CharField(max_length=64)
    sealed = models.BinaryField()
    model_sha256 = models.CharField(max_length=64)
    metric = models.CharField(max_length=10)

    def __str__(self) -> str:
        return f"template of {self.portrait_id}"


class Consent(models.Model):
    """One licence: the signed document, and where it is on its way."""

    id = models.CharField(max_length=20, primary_key=True, default=partial(new_id, "con"), editable=False)
    tenant = models.CharField(max_length=64, db_index=True)
    identity = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="consents")
    document = models.BinaryField()
    document_sha256 = models.CharField(max_length=64)
    signature = models.BinaryField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.IN_REVIEW)
    epoch = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=1)
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    sample = models.BooleanField(default=False)
    submitted_by = models.CharField(max_length=64)
    created = models.DateTimeField(default=timezone.now, editable=False)
    withdrawn = models.DateTimeField(null=True)
    """When it was revoked; set on an expired consent too, whose state stays as it is."""

    class Meta:
        """Order of reading, and what the database itself enforces."""

        ordering = ["-created", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="consent_state"),
            models.CheckConstraint(condition=Q(not_after__gt=models.F("not_before")), name="consent_term"),
            models.CheckConstraint(
                condition=~Q(state=State.REVOKED) | Q(withdrawn__isnull=False),
                name="consent_revoked_has_moment",
            ),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def standing(self) -> str:
        """The state as it is now: a term that has ended has ended, also before the night that records it."""
        over = self.state in IN_FORCE and self.not_after < timezone.now()
        return str(State.EXPIRED if over else State(self.state))


class Approval(models.Model):
    """One person's yes, in one capacity, to one document."""

    tenant = models.CharField(max_length=64)
    consent = models.ForeignKey(Consent, on_delete=models.PROTECT, related_name="approvals")
    role = models.CharField(max_length=10, choices=Role.choices)
    person = models.CharField(max_length=64)
    document_sha256 = models.CharField(max_length=64)
    created = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        """What the database itself enforces."""

        constraints = [
            models.UniqueConstraint(
                fields=["consent", "person", "document_sha256"], name="approval_once_a_person"
            ),
            models.UniqueConstraint(
                fields=["consent", "role", "document_sha256"], name="approval_once_a_role"
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="approval_role"),
        ]

    def __str__(self) -> str:
        return f"{self.role} for {self.consent_id}"


class Step(models.Model):
    """One thing that happened to a consent, in order; ``event_id`` finds it in the log."""

    tenant = models.CharField(max_length=64)
    consent = models.ForeignKey(Consent, on_delete=models.PROTECT, related_name="steps")
    what = models.CharField(max_length=16)
    state = models.CharField(max_length=16, choices=State.choices)
    person = models.CharField(max_length=64)
    role = models.CharField(max_length=10, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    event_id = models.UUIDField()
    created = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        """Order of reading, and what the database itself enforces."""

        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.consent_id} {self.what}"


class Disclosure(models.Model):
    """The words that an entry of the log commits to, encrypted; they go with the data key."""

    event_id = models.UUIDField(primary_key=True)
    tenant = models.CharField(max_length=64)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="disclosures")
    sealed = models.BinaryField()

    def __str__(self) -> str:
        return f"disclosure of {self.event_id}"


class BlockEntry(models.Model):
    """One face that nobody may wear and that stops every footage it is seen in."""

    id = models.CharField(max_length=20, primary_key=True, default=partial(new_id, "blk"), editable=False)
    tenant = models.CharField(max_length=64, db_index=True)
    list = models.CharField(max_length=16, choices=BlockList.choices, default=BlockList.DENIED)
    identity = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="blocks", null=True)
    asset = models.OneToOneField(Asset, on_delete=models.PROTECT, related_name="block")
    reason = models.CharField(max_length=500)
    added_by = models.CharField(max_length=64)
    created = models.DateTimeField(default=timezone.now, editable=False)
    removed_by = models.CharField(max_length=64, blank=True)
    removed = models.DateTimeField(null=True)

    class Meta:
        """Order of reading, and what the database itself enforces."""

        ordering = ["created", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(list__in=BlockList.values), name="blockentry_list"),
            models.UniqueConstraint(
                fields=["tenant", "identity"],
                condition=Q(removed__isnull=True),
                name="blockentry_once_an_identity",
            ),
        ]

    def __str__(self) -> str:
        return self.id


class BlockTemplate(models.Model):
    """One encrypted embedding of a blocked face."""

    entry = models.ForeignKey(BlockEntry, on_delete=models.CASCADE, related_name="templates")
    tenant = models.CharField(max_length=64)
    number = models.PositiveSmallIntegerField()
    sealed = models.BinaryField()
    model_sha256 = models.CharField(max_length=64)
    metric = models.CharField(max_length=10)

    class Meta:
        """Order of reading, and what the database itself enforces."""

        ordering = ["entry", "number"]

    def __str__(self) -> str:
        return f"{self.entry_id} {self.number}"


class GalleryVersion(models.Model):
    """How often a tenant's block list or withdrawn faces changed; workers compare it before they decide."""

    tenant = models.CharField(max_length=64, primary_key=True)
    version = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.tenant} {self.version}"
