"""What goes over the wire about scripts and presentations."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework import serializers

from generation import selectors
from generation.hooks_bodies import CallbackSerializer, PartSerializer, callback_of
from generation.models import Presentation
from generation.presenter.normalise import LENGTH_MAX, Language
from generation.presenter.scene import SIZES
from generation.presenter.script import Kind
from generation.presenter.storyboard import (
    FADE_MAX,
    SCENES_MAX,
    SIZE_MAX,
    SIZE_MIN,
    Position,
    Transition,
    parse,
)
from generation.presenter.voices import Source
from generation.presenting import PresentRequest, Reviewed
from generation.templates_bodies import TemplateUseSerializer, template_of

FORMATS = (*SIZES, "preview")


class ScriptSerializer(serializers.Serializer[Any]):
    """A script to be read, not yet spoken."""

    script = serializers.CharField(
        max_length=5 * LENGTH_MAX, allow_blank=True, trim_whitespace=False, help_text="Text or SSML."
    )
    language = serializers.CharField(max_length=16, default="zh", help_text=", ".join(Language))
    kind = serializers.CharField(max_length=8, default="text", help_text=", ".join(Kind))
    voice = serializers.CharField(max_length=64, default="", allow_blank=True)

    def request(self) -> PresentRequest:
        """The validated body as a value; who says it does not matter yet."""
        return PresentRequest(identity_id="", performer_id="", purpose="", channel="", **self.validated_data)


class PlaceSerializer(PartSerializer):
    """Where the person stands in a scene."""

    position = serializers.CharField(max_length=8, default="center", help_text=", ".join(Position))
    size = serializers.FloatField(
        default=0,
        help_text=f"Share of the frame's height, {SIZE_MIN} to {SIZE_MAX}; 0: as the format has it.",
    )


class SceneSerializer(PartSerializer):
    """One scene of several."""

    script = serializers.CharField(max_length=5 * LENGTH_MAX, trim_whitespace=False)
    layout = PlaceSerializer(default=dict)
    colour = serializers.CharField(max_length=7, default="", allow_blank=True)
    background = serializers.CharField(
        max_length=36, default="", allow_blank=True, help_text="Id of an uploaded picture or video."
    )
    transition = serializers.CharField(max_length=8, default="cut", help_text=", ".join(Transition))
    fade_frames = serializers.IntegerField(default=0, help_text=f"1 to {FADE_MAX} of a fade.")


class PresentRequestSerializer(ScriptSerializer):
    """The body of a presentation."""

    script = serializers.CharField(
        max_length=5 * LENGTH_MAX,
        default="",
        allow_blank=True,
        trim_whitespace=False,
        help_text="Text or SSML; left out where there are scenes.",
    )
    identity = serializers.CharField(max_length=40, help_text="Whose licensed face is shown.")
    performer = serializers.CharField(max_length=40, help_text="Whose portrait the script drives.")
    purpose = serializers.CharField(max_length=64)
    channel = serializers.CharField(max_length=64)
    territory = serializers.CharField(max_length=16, default="CN")
    product = serializers.CharField(max_length=64, default="", allow_blank=True)
    format = serializers.CharField(max_length=16, default="landscape", help_text=", ".join(FORMATS))
    colour = serializers.CharField(max_length=7, default="#3c6e96", help_text="Background: # and six digits.")
    subtitles = serializers.BooleanField(default=True, help_text="Burnt into the picture; side files always.")

    callback = CallbackSerializer(required=False, help_text="Told how it ended; signed.")
    template = TemplateUseSerializer(
        required=False, help_text="Decides about format, colour and subtitles when it is given."
    )
    scenes = SceneSerializer(
        many=True, required=False, help_text=f"In place of script; at most {SCENES_MAX}."
    )
    recording = serializers.UUIDField(
        required=False, help_text="Id of an uploaded sound that says the script, in place of a voice."
    )
    voice_identity = serializers.CharField(
        max_length=40, default="", allow_blank=True, help_text="Whose voice the recording is."
    )
    idle = serializers.UUIDField(
        required=False, help_text="A clip of the performer in silence, driven in place of the portrait."
    )
    transparent = serializers.BooleanField(default=False, help_text="Nothing behind the person: WebM.")
    revises = serializers.CharField(
        max_length=64,
        default="",
        allow_blank=True,
        help_text="Id of an earlier presentation whose unchanged sentences are taken over.",
    )

    def request(self) -> PresentRequest:
        """The validated body as a value.

        Raises:
            ScenesInvalidError: the scenes cannot be used.
        """
        data = dict(self.validated_data) | {"callback": callback_of(self.validated_data)}
        data["template"] = template_of(self.validated_data)
        for name in ("recording", "idle"):
            data[name] = str(data[name]) if name in data else ""
        data["scenes"] = parse(data["scenes"]) if "scenes" in data else ()
        return PresentRequest(identity_id=data.pop("identity"), performer_id=data.pop("performer"), **data)


class VoiceSerializer(serializers.Serializer[Any]):
    """A voice that may be asked for; whether a person's may be used is decided with the request."""

    id = serializers.CharField()
    languages = serializers.ListField(child=serializers.CharField())
    engine = serializers.CharField(help_text=", ".join(Source))
    licence = serializers.CharField(help_text="synthetic, vendor, or the identity whose voice it is.")
    version = serializers.CharField()


class HitSerializer(serializers.Serializer[Any]):
    """Words that the gate holds against a script; places in the shown text, ``end`` exclusive."""

    code = serializers.CharField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    outcome = serializers.CharField()


class NoticeSerializer(serializers.Serializer[Any]):
    """Something to look at before the script is spoken."""

    code = serializers.CharField()
    message = serializers.CharField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()


class ReviewSerializer(serializers.Serializer[Any]):
    """How a script would be said."""

    text = serializers.CharField()
    spoken = serializers.CharField()
    voice = serializers.CharField()
    seconds = serializers.IntegerField(help_text="An estimate.")
    sentences = serializers.IntegerField()
    hits = HitSerializer(many=True)
    notices = NoticeSerializer(many=True)

    @staticmethod
    def of(reviewed: Reviewed) -> dict[str, Any]:
        """The answer as plain data."""
        script = reviewed.script
        return {
            "text": script.text,
            "spoken": script.spoken,
            "voice": reviewed.voice.id,
            "seconds": reviewed.seconds,
            "sentences": len(script.segments),
            "hits": HitSerializer(reviewed.hits, many=True).data,
            "notices": NoticeSerializer(script.notices, many=True).data,
        }


class PresentationSerializer(serializers.ModelSerializer[Presentation]):
    """A presentation as a client sees it."""

    state = serializers.SerializerMethodField()
    stage = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField()
    identity = serializers.CharField(source="identity_id")
    performer = serializers.CharField(source="performer_id")
    error = serializers.SerializerMethodField()
    outputs = serializers.SerializerMethodField()
    job = serializers.UUIDField(source="job_id", allow_null=True)
    sync = serializers.SerializerMethodField()
    template = serializers.SerializerMethodField()

    class Meta:
        """What is shown."""

        model = Presentation
        fields = [
            "client_id", "state", "stage", "progress", "identity", "performer", "language", "kind", "voice",
            "purpose", "channel", "territory", "product", "job", "error", "hits", "outputs", "sync",
            "template", "created", "finished",
        ]  # fmt: skip

    def get_state(self, row: Presentation) -> str:
        """queued, running, succeeded, failed, rejected, cancelled or withdrawn."""
        return selectors.presentation_state(row)

    def get_stage(self, row: Presentation) -> str:
        """What is being done: script, drive, or the state of the job."""
        if row.job is not None:
            return str(row.job.state)
        return "drive" if row.state == "driving" else "script"

    def get_progress(self, row: Presentation) -> float:
        """0 to 1 over the whole."""
        return round(selectors.presentation_progress(row), 3)

    def get_error(self, row: Presentation) -> dict[str, Any] | None:
        """Why there is no video; null while all is well."""
        ended = row.job if row.job is not None and not row.code else row
        if not ended.code:
            return None
        return {
            "code": ended.code,
            "message": ended.message,
            "hint": ended.hint,
            "reasons": list(ended.reasons),
        }

    def get_outputs(self, row: Presentation) -> dict[str, str]:
        """Addresses of the video and its side files, as soon as they are there."""
        found = {
            kind: reverse("api-presentation-file", args=[row.client_id, kind])
            for kind, name in (("srt", "srt_sha256"), ("vtt", "vtt_sha256"), ("visemes", "visemes_sha256"))
            if getattr(row, name)
        }
        if row.job is not None and row.job.state == "done":
            found["video"] = reverse("api-job-output", args=[row.job.pk])
            found["poster"] = reverse("api-job-poster", args=[row.job.pk])
        return found

    def get_sync(self, row: Presentation) -> dict[str, Any] | None:
        """How well mouth and sound agree on the finished file."""
        return row.job.report.get("sync") if row.job is not None else None

    def get_template(self, row: Presentation) -> dict[str, Any] | None:
        """The version that it pinned, and why it is another than the one in use; null without a template."""
        pinned = row.scene.get("template")
        names = ("name", "version", "sha256", "wanted", "problem")
        return {name: pinned[name] for name in names} if pinned else None
