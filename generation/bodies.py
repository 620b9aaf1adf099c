"""What goes over the wire: the bodies of requests, and media and jobs as a client sees them."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework import serializers

from generation import selectors
from generation.hooks_bodies import CallbackSerializer, callback_of
from generation.models import Export, Job, JobState, Media
from generation.planner import MODES
from generation.services import JobRequest
from generation.statutory import PURPOSE_CHARS, RECIPIENT_CHARS, ExportRequest


class MediaUploadSerializer(serializers.Serializer[Any]):
    """The body of an upload; the file's name is not kept."""

    file = serializers.FileField(use_url=False, allow_empty_file=True)


class MediaSerializer(serializers.ModelSerializer[Media]):
    """Footage, or a recording, as a client sees it; a recording has no size and no frames."""

    width_px = serializers.SerializerMethodField()
    height_px = serializers.SerializerMethodField()
    duration_s = serializers.FloatField(source="info.duration_s")
    frames = serializers.SerializerMethodField()

    class Meta:
        """What is shown."""

        model = Media
        fields = ["id", "sha256", "bytes", "kind", "width_px", "height_px", "duration_s", "frames", "created"]

    def get_width_px(self, media: Media) -> int:
        """Width as it is stored."""
        return int(media.info.get("width_px", 0))

    def get_height_px(self, media: Media) -> int:
        """Height as it is stored."""
        return int(media.info.get("height_px", 0))

    def get_frames(self, media: Media) -> int:
        """How many pictures it has."""
        return int(media.info.get("frame_count", 0))


class JobRequestSerializer(serializers.Serializer[Any]):
    """The body of a new job; the footage is named by its id or by its SHA-256."""

    identity = serializers.CharField(max_length=40)
    media = serializers.UUIDField(required=False)
    media_sha256 = serializers.RegexField(r"^[0-9a-f]{64}$", required=False)
    purpose = serializers.CharField(max_length=64)
    channel = serializers.CharField(max_length=64)
    territory = serializers.CharField(max_length=16, default="CN")
    language = serializers.CharField(max_length=16, default="zh")
    product = serializers.CharField(max_length=64, default="", allow_blank=True)
    source_sha256 = serializers.RegexField(r"^[0-9a-f]{64}$", required=False)
    mode = serializers.ChoiceField(choices=sorted(MODES), default="balanced")
    callback_id = serializers.CharField(max_length=64, default="", allow_blank=True)
    container = serializers.CharField(
        max_length=8,
        default="",
        allow_blank=True,
        help_text="Suffix of the output: mp4, mov or mkv of a clip, png or jpg of a picture.",
    )

    callback = CallbackSerializer(required=False, help_text="Told how this job ended; signed.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Exactly one name of the footage."""
        if ("media" in attrs) == ("media_sha256" in attrs):
            raise serializers.ValidationError({"media": ["Give either media or media_sha256."]})
        return attrs

    def request(self) -> JobRequest:
        """The validated body as a value."""
        data = self.validated_data
        return JobRequest(
            identity_id=data["identity"],
            media_id=str(data.get("media", "")),
            media_sha256=data.get("media_sha256", ""),
            source_sha256=data.get("source_sha256"),
            callback=callback_of(data),
            **{
                name: data[name]
                for name in (
                    "purpose",
                    "channel",
                    "territory",
                    "language",
                    "product",
                    "mode",
                    "callback_id",
                    "container",
                )
            },
        )


class ExportRequestSerializer(serializers.Serializer[Any]):
    """Who gets a copy without the visible label, by which agreement, for what; and that they declared it."""

    recipient = serializers.CharField(max_length=RECIPIENT_CHARS)
    agreement = serializers.CharField(max_length=64)
    purpose = serializers.CharField(max_length=PURPOSE_CHARS)
    declared = serializers.BooleanField()

    def request(self) -> ExportRequest:
        """The validated body as a value."""
        return ExportRequest(**self.validated_data)


class ExportSerializer(serializers.ModelSerializer[Export]):
    """A request as a client sees it; one alone also has ``recipient`` and ``purpose`` while they are kept."""

    job = serializers.UUIDField(source="job_id", read_only=True)
    copy = serializers.UUIDField(source="copy_id", read_only=True, allow_null=True)
    outcome = serializers.SerializerMethodField()
    recipient = serializers.CharField(read_only=True, required=False)
    purpose = serializers.CharField(read_only=True, required=False)

    class Meta:
        """What is shown."""

        model = Export
        fields = [
            "id", "job", "copy", "state", "outcome", "agreement", "requested_by", "decided_by", "keep_until",
            "created", "decided", "delivered", "recipient", "purpose",
        ]  # fmt: skip

    def get_outcome(self, row: Export) -> str:
        """The state of the job that makes the copy; empty before the approval."""
        return str(row.copy.state) if row.copy else ""


class JobSerializer(serializers.ModelSerializer[Job]):
    """A job as a client sees it; ``stage`` is the state in the words of the flow."""

    identity = serializers.CharField(source="identity_id")
    consent = serializers.CharField(source="consent_id")
    media = serializers.UUIDField(source="media_id")
    progress = serializers.SerializerMethodField()
    chunks = serializers.SerializerMethodField()
    alarms = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()
    derived_from = serializers.UUIDField(source="derived_from_id", read_only=True, allow_null=True)

    class Meta:
        """What is shown."""

        model = Job
        fields = [
            "id", "state", "progress", "chunks", "alarms", "code", "message", "hint", "reasons", "identity",
            "consent", "media", "source_sha256", "operation", "purpose", "channel", "territory", "language",
            "product", "mode", "container", "callback_id", "admission_index", "mark_id", "output_sha256",
            "output_bytes", "output_mime", "manifest_sha256", "labelling", "derived_from", "report", "links",
            "created", "started", "finished",
        ]  # fmt: skip

    def get_progress(self, job: Job) -> float:
        """0 to 1."""
        return selectors.progress(job).fraction

    def get_chunks(self, job: Job) -> dict[str, int]:
        """Parts and frames, done and in all, and the attempts of the most tried part."""
        found = selectors.progress(job)
        return {
            "total": found.chunks,
            "done": found.chunks_done,
            "frames": found.frames,
            "frames_done": found.frames_done,
            "attempts": found.attempts,
        }

    def get_alarms(self, job: Job) -> list[str]:
        """What somebody should look at before the output is used."""
        return list(job.report.get("alarms", []))

    def get_links(self, job: Job) -> dict[str, str]:
        """Where to go from here."""
        names = {"self": "job-detail"}
        if job.state in (JobState.ADMITTING, JobState.QUEUED, JobState.RUNNING, JobState.SEALING):
            names["cancel"] = "job-cancel"
        if job.state == JobState.DONE:
            names |= {rel: f"job-{rel}" for rel in ("output", "manifest", "poster", "before")}
        return {rel: reverse(f"api-{name}", args=[job.pk]) for rel, name in names.items()}
