"""The truth about media, jobs and chunks; a broker only carries their ids."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q


class JobState(models.TextChoices):
    """Where a job is on its way; the last five are final, but done may become withdrawn."""

    ADMITTING = "admitting"
    QUEUED = "queued"
    RUNNING = "running"
    SEALING = "sealing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class ChunkState(models.TextChoices):
    """Where a chunk is on its way; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ExportState(models.TextChoices):
    """Where a request for a copy without the visible label is; the last two are final."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    DELIVERED = "delivered"


OPEN_STATES = (JobState.ADMITTING, JobState.QUEUED, JobState.RUNNING, JobState.SEALING)
"""States of a job that still moves."""
PERMITTED_STATES = (JobState.QUEUED, JobState.RUNNING, JobState.SEALING, JobState.DONE, JobState.WITHDRAWN)
"""States that a job only reaches with a permit."""


class Media(models.Model):
    """An uploaded file: its bytes lie in the blob store under ``sha256``, its given name is never kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    bytes = models.BigIntegerField()
    kind = models.CharField(max_length=16)
    info = models.JSONField(default=dict)
    uploader = models.CharField(max_length=40)
    created = models.DateTimeField(auto_now_add=True)
    erased = models.DateTimeField(null=True)
    """When somebody on it was erased: the tenant needs its bytes no more, whoever else does."""

    class Meta:
        """What the database itself enforces."""

        constraints = [
            models.UniqueConstraint(fields=["tenant", "sha256"], name="media_once_per_tenant"),
            models.CheckConstraint(condition=Q(bytes__gt=0), name="media_not_empty"),
        ]


class Job(models.Model):
    """One governed generation, from its request to its delivered file."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.CharField(max_length=64)
    requester = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.ADMITTING)
    identity_id = models.CharField(max_length=40)
    consent_id = models.CharField(max_length=40, blank=True)
    media = models.ForeignKey(Media, on_delete=models.PROTECT, related_name="jobs")
    source_sha256 = models.CharField(max_length=64, blank=True)
    portrait_id = models.CharField(max_length=40, blank=True)
    operation = models.CharField(max_length=32, default="face_swap")
    purpose = models.CharField(max_length=64)
    channel = models.CharField(max_length=64)
    territory = models.CharField(max_length=16)
    language = models.CharField(max_length=16)
    product = models.CharField(max_length=64, blank=True)
    mode = models.CharField(max_length=16, default="balanced")
    container = models.CharField(max_length=8, blank=True)
    callback_id = models.CharField(max_length=64, blank=True)
    callback = models.JSONField(default=dict)
    decision_event = models.UUIDField(null=True, unique=True)
    decision = models.JSONField(default=dict)
    admission_index = models.BigIntegerField(null=True, unique=True)
    permit = models.TextField(blank=True)
    mark_id = models.CharField(max_length=16, null=True, db_index=True)
    marking = models.JSONField(default=dict)
    labelling = models.JSONField(default=dict)
    derived_from = models.ForeignKey("self", on_delete=models.PROTECT, related_name="copies", null=True)
    revises = models.ForeignKey("self", on_delete=models.PROTECT, related_name="revisions", null=True)
    """The delivered video that unchanged frames were taken from: both carry one mark."""
    cancel_requested = models.BooleanField(default=False)
    attempts = models.IntegerField(default=0)
    worker = models.CharField(max_length=80, blank=True)
    code = models.CharField(max_length=64, blank=True)
    message = models.TextField(blank=True)
    hint = models.TextField(blank=True)
    reasons = models.JSONField(default=list)
    output_sha256 = models.CharField(max_length=64, blank=True)
    output_bytes = models.BigIntegerField(default=0)
    output_mime = models.CharField(max_length=64, blank=True)
    manifest_sha256 = models.CharField(max_length=64, blank=True)
    poster_sha256 = models.CharField(max_length=64, blank=True)
    before_sha256 = models.CharField(max_length=64, blank=True)
    content_sha256 = models.CharField(max_length=64, blank=True)
    report = models.JSONField(default=dict)
    created = models.DateTimeField(auto_now_add=True)
    touched = models.DateTimeField(auto_now=True)
    started = models.DateTimeField(null=True)
    finished = models.DateTimeField(null=True)

    class Meta:
        """What the database itself enforces."""

        indexes = [
            models.Index(fields=["tenant", "-created", "-id"], name="job_by_tenant_and_time"),
            models.Index(fields=["state", "touched"], name="job_by_state_and_touch"),
            models.Index(fields=["output_sha256"], name="job_by_output"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=JobState.values), name="job_state_known"),
            models.CheckConstraint(
                condition=~Q(state__in=[str(s) for s in PERMITTED_STATES])
                | (
                    Q(admission_index__isnull=False)
                    & ~Q(permit="")
                    & Q(mark_id__isnull=False)
                    & ~Q(consent_id="")
                ),
                name="job_runs_only_with_permit",
            ),
            models.CheckConstraint(
                condition=~Q(state=JobState.DONE) | ~Q(output_sha256=""), name="job_done_has_output"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[str(JobState.REFUSED), str(JobState.FAILED)]) | ~Q(code=""),
                name="job_end_has_code",
            ),
            models.UniqueConstraint(
                fields=["mark_id"], condition=Q(revises__isnull=True), name="job_mark_is_its_own"
            ),
            models.CheckConstraint(
                condition=Q(mark_id__isnull=True) | Q(mark_id__regex=r"^[0-9a-f]{16}$"),
                name="job_mark_is_hex16",
            ),
        ]


class Export(models.Model):
    """A request for a copy of an output without the visible label, decided by two (标识办法, art. 9).

    Who gets it and why lies encrypted beside the log, under ``request_event``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.CharField(max_length=64, db_index=True)
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="exports")
    copy = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="export", null=True)
    state = models.CharField(max_length=10, choices=ExportState, default=ExportState.REQUESTED)
    agreement = models.CharField(max_length=64)
    requested_by = models.CharField(max_length=40)
    decided_by = models.CharField(max_length=40, blank=True)
    request_event = models.UUIDField(unique=True)
    approval_event = models.UUIDField(unique=True, null=True)
    keep_until = models.DateTimeField(null=True)
    created = models.DateTimeField(auto_now_add=True)
    decided = models.DateTimeField(null=True)
    delivered = models.DateTimeField(null=True)

    class Meta:
        """What the database itself enforces."""

        constraints = [
            models.CheckConstraint(condition=Q(state__in=ExportState.values), name="export_state_known"),
            models.CheckConstraint(
                condition=~Q(decided_by=models.F("requested_by")), name="export_four_eyes"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[str(ExportState.APPROVED), str(ExportState.DELIVERED)])
                | (Q(copy__isnull=False) & ~Q(decided_by="") & Q(approval_event__isnull=False)),
                name="export_approved_has_copy",
            ),
            models.UniqueConstraint(
                fields=["job"], condition=Q(state=str(ExportState.REQUESTED)), name="export_asked_once"
            ),
        ]


class JobConsent(models.Model):
    """A consent that a job stands on: the licence of its source, or a performer's release."""

    class Role(models.TextChoices):
        """Whose consent it is."""

        SOURCE = "source"
        PERFORMER = "performer"

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="consents")
    consent_id = models.CharField(max_length=40, db_index=True)
    role = models.CharField(max_length=10, choices=Role)

    class Meta:
        """What the database itself enforces."""

        constraints = [
            models.UniqueConstraint(fields=["job", "consent_id", "role"], name="jobconsent_once"),
            models.CheckConstraint(condition=~Q(consent_id=""), name="jobconsent_named"),
        ]


class Chunk(models.Model):
    """A run of frames of a job, between two keyframes, that one worker makes at a time."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="chunks")
    index = models.IntegerField()
    state = models.CharField(max_length=10, choices=ChunkState, default=ChunkState.QUEUED)
    queue = models.CharField(max_length=16, default="gpu")
    plan = models.JSONField(default=dict)
    frames = models.IntegerField(default=0)
    frames_done = models.IntegerField(default=0)
    attempts = models.IntegerField(default=0)
    worker = models.CharField(max_length=80, blank=True)
    path = models.CharField(max_length=200, blank=True)
    report = models.JSONField(default=dict)
    touched = models.DateTimeField(auto_now=True)

    class Meta:
        """What the database itself enforces."""

        constraints = [
            models.UniqueConstraint(fields=["job", "index"], name="chunk_once_per_job"),
            models.CheckConstraint(condition=Q(state__in=ChunkState.values), name="chunk_state_known"),
        ]
        indexes = [models.Index(fields=["state", "touched"], name="chunk_by_state_and_touch")]


class OutputPrint(models.Model):
    """A perceptual hash of an output's thumbnail; ``second`` is the first one that shows it.

    Deleted with the job's small pictures, and never in the log: it says roughly what a picture looks like.
    """

    BANDS = 4
    BAND_BITS = 16

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="prints")
    second = models.PositiveIntegerField()
    hash = models.BigIntegerField()  # 64 bits in two's complement

    class Meta:
        """One index a band: of hashes that differ in few bits, some band differs in one bit at most."""

        indexes = [
            models.Index(F("hash").bitrightshift(16 * band).bitand(0xFFFF), name=f"print_band_{band}")
            for band in range(4)
        ]
        constraints = [models.UniqueConstraint(fields=["job", "hash"], name="outputprint_once_per_job")]


class PresentationState(models.TextChoices):
    """Where a presentation is; from ``generating`` on its job knows more. The last four are final."""

    QUEUED = "queued"
    DRIVING = "driving"
    GENERATING = "generating"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class Presentation(models.Model):
    """A script that somebody's likeness shall say: from text to a driving video, and from there a job.

    ``client_id`` is the client's own: the same request again is the same presentation.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.CharField(max_length=64)
    client_id = models.CharField(max_length=64)
    request_sha256 = models.CharField(max_length=64)
    requester = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=PresentationState, default=PresentationState.QUEUED)
    identity_id = models.CharField(max_length=40)
    performer_id = models.CharField(max_length=40)
    script = models.TextField()
    kind = models.CharField(max_length=8)
    language = models.CharField(max_length=16)
    voice = models.CharField(max_length=64)
    scene = models.JSONField(default=dict)
    purpose = models.CharField(max_length=64)
    channel = models.CharField(max_length=64)
    territory = models.CharField(max_length=16)
    product = models.CharField(max_length=64, blank=True)
    nonce = models.CharField(max_length=32)
    callback = models.JSONField(default=dict)
    variants = models.ForeignKey(
        "VariantSet", on_delete=models.PROTECT, related_name="presentations", null=True
    )
    revises = models.ForeignKey("self", on_delete=models.PROTECT, related_name="revisions", null=True)
    done = models.IntegerField(default=0)
    total = models.IntegerField(default=0)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="presentation", null=True)
    performance = models.ForeignKey(Media, on_delete=models.SET_NULL, related_name="presentations", null=True)
    """What the worker made of the script, before and after it became the footage of ``job``."""
    srt_sha256 = models.CharField(max_length=64, blank=True)
    vtt_sha256 = models.CharField(max_length=64, blank=True)
    visemes_sha256 = models.CharField(max_length=64, blank=True)
    report = models.JSONField(default=dict)
    code = models.CharField(max_length=64, blank=True)
    message = models.TextField(blank=True)
    hint = models.TextField(blank=True)
    reasons = models.JSONField(default=list)
    hits = models.JSONField(default=list)
    attempts = models.IntegerField(default=0)
    worker = models.CharField(max_length=80, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    touched = models.DateTimeField(auto_now=True)
    finished = models.DateTimeField(null=True)

    class Meta:
        """What the database itself enforces."""

        indexes = [
            models.Index(fields=["tenant", "-created", "-id"], name="presentation_by_time"),
            models.Index(fields=["state", "touched"], name="presentation_by_state"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "client_id"], name="presentation_once_per_client_id"),
            models.CheckConstraint(
                condition=Q(state__in=PresentationState.values), name="presentation_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(state=PresentationState.GENERATING) | Q(job__isnull=False),
                name="presentation_generates_a_job",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[str(PresentationState.FAILED), str(PresentationState.REJECTED)])
                | ~Q(code=""),
                name="presentation_end_has_code",
            ),
        ]


class Hook(models.Model):
    """An address of the tenant's that is told how jobs and presentations end.

    Its secret is made of this installation's key and ``id``; no row holds it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.CharField(max_length=64, db_index=True)
    url = models.CharField(max_length=500)
    active = models.BooleanField(default=True)
    creator = models.CharField(max_length=40)
    created = models.DateTimeField(auto_now_add=True)
    removed = models.DateTimeField(null=True)

    class Meta:
        """What the database itself enforces."""

        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "url"], condition=Q(active=True), name="hook_once_per_url"
            )
        ]


class DeliveryState(models.TextChoices):
    """Where a message to a hook is; the last two are final."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class Delivery(models.Model):
    """One message to one address, written in the transaction of what it tells of, and sent by a worker."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.CharField(max_length=64)
    hook = models.ForeignKey(Hook, on_delete=models.PROTECT, related_name="deliveries")
    url = models.CharField(max_length=500)
    event = models.CharField(max_length=32)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.WAITING)
    attempts = models.IntegerField(default=0)
    due = models.DateTimeField()
    asked = models.DateTimeField(null=True)
    status = models.IntegerField(default=0)
    problem = models.CharField(max_length=32, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True)

    class Meta:
        """What the database itself enforces."""

        indexes = [
            models.Index(fields=["tenant", "-created", "-id"], name="delivery_by_time"),
            models.Index(fields=["due"], condition=Q(state=str(DeliveryState.WAITING)), name="delivery_due"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=DeliveryState.values), name="delivery_state_known"),
            models.CheckConstraint(
                condition=Q(state=str(DeliveryState.WAITING)) | Q(finished__isnull=False),
                name="delivery_end_has_time",
            ),
        ]


class VariantSet(models.Model):
    """One request for many presentations: languages x identities; ``cells`` says what became of each.

    A cell: language, identity, presentation (its client's id), and when none came of it code, message, hint,
    reasons.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.CharField(max_length=64)
    client_id = models.CharField(max_length=48)
    request_sha256 = models.CharField(max_length=64)
    requester = models.CharField(max_length=40)
    cells = models.JSONField(default=list)
    callback = models.JSONField(default=dict)
    created = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True)

    class Meta:
        """What the database itself enforces."""

        indexes = [models.Index(fields=["tenant", "-created", "-id"], name="variantset_by_time")]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "client_id"], name="variantset_once_per_client_id")
        ]


class VersionState(models.TextChoices):
    """Where a version of a template is; only an approved one is used."""

    TRYING = "trying"
    FAILED = "failed"
    READY = "ready"
    APPROVED = "approved"


class SceneTemplate(models.Model):
    """A named look of videos; ``active`` is the version that is used when none is named."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.CharField(max_length=64)
    name = models.CharField(max_length=48)
    active = models.ForeignKey("TemplateVersion", on_delete=models.PROTECT, related_name="+", null=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        """What the database itself enforces."""

        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="scenetemplate_once_per_name")]


class TemplateVersion(models.Model):
    """One version of a template; a trigger refuses that its document, hash, number or author change."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    template = models.ForeignKey(SceneTemplate, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()
    document = models.JSONField()
    sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=VersionState, default=VersionState.TRYING)
    trial = models.JSONField(default=dict)
    author = models.CharField(max_length=40)
    approver = models.CharField(max_length=40, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    touched = models.DateTimeField(auto_now=True)
    approved = models.DateTimeField(null=True)

    class Meta:
        """What the database itself enforces."""

        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="templateversion_once_per_number"),
            models.CheckConstraint(
                condition=Q(state__in=VersionState.values), name="templateversion_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(approver=F("author")) & (~Q(state=str(VersionState.APPROVED)) | ~Q(approver="")),
                name="templateversion_four_eyes",
            ),
        ]


class PreviewCount(models.Model):
    """How many previews somebody asked for in one minute, over all processes; old rows are deleted."""

    tenant = models.CharField(max_length=64)
    person = models.CharField(max_length=40)
    minute = models.BigIntegerField()
    count = models.IntegerField(default=0)

    class Meta:
        """What the database itself enforces."""

        constraints = [
            models.UniqueConstraint(fields=["tenant", "minute", "person"], name="previewcount_once_a_minute")
        ]
