"""REST: footage, jobs, and what becomes of them. Views load, call one service, answer."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any, cast

from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from audit.events import Actor
from generation import delivery, selectors, services
from generation.models import Job, JobState, Media
from generation.planner import MODES
from generation.services import JobRequest

RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")


class MediaUploadSerializer(serializers.Serializer[Any]):
    """The body of an upload; the file's name is not kept."""

    file = serializers.FileField(use_url=False, allow_empty_file=True)


class MediaSerializer(serializers.ModelSerializer[Media]):
    """Footage as a client sees it."""

    width_px = serializers.SerializerMethodField()
    height_px = serializers.SerializerMethodField()
    duration_s = serializers.FloatField(source="info.duration_s")
    frames = serializers.IntegerField(source="info.frame_count")

    class Meta:
        """What is shown."""

        model = Media
        fields = ["id", "sha256", "bytes", "kind", "width_px", "height_px", "duration_s", "frames", "created"]

    def get_width_px(self, media: Media) -> int:
        """Width as it is stored."""
        return int(media.info["width_px"])

    def get_height_px(self, media: Media) -> int:
        """Height as it is stored."""
        return int(media.info["height_px"])


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
            **{
                name: data[name]
                for name in ("purpose", "channel", "territory", "language", "product", "mode", "callback_id")
            },
        )


class JobSerializer(serializers.ModelSerializer[Job]):
    """A job as a client sees it; ``stage`` is the state in the words of the flow."""

    identity = serializers.CharField(source="identity_id")
    consent = serializers.CharField(source="consent_id")
    media = serializers.UUIDField(source="media_id")
    progress = serializers.SerializerMethodField()
    chunks = serializers.SerializerMethodField()
    alarms = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        """What is shown."""

        model = Job
        fields = [
            "id", "state", "progress", "chunks", "alarms", "code", "message", "hint", "reasons", "identity",
            "consent", "media", "source_sha256", "operation", "purpose", "channel", "territory", "language",
            "product", "mode", "callback_id", "admission_index", "mark_id", "output_sha256", "output_bytes",
            "output_mime", "manifest_sha256", "report", "links", "created", "started", "finished",
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
            names |= {"output": "job-output", "poster": "job-poster", "before": "job-before"}
        return {rel: reverse(f"api-{name}", args=[job.pk]) for rel, name in names.items()}


class MediaListView(APIView):
    """Footage comes in here."""

    serializer_class = MediaUploadSerializer
    throttle_scope = "upload"

    @extend_schema(request=MediaUploadSerializer, responses={201: MediaSerializer})
    def post(self, request: Request) -> Response:
        """Upload a clip or a picture; the same bytes give the same media."""
        body = MediaUploadSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        file = body.validated_data["file"]
        media = services.upload(file.file, name=file.name or "", by=_actor(request))
        location = reverse("api-media-detail", args=[media.pk])
        return Response(MediaSerializer(media).data, status=201, headers={"Location": location})


class MediaDetailView(APIView):
    """One uploaded file."""

    @extend_schema(responses=MediaSerializer)
    def get(self, request: Request, media_id: uuid.UUID) -> Response:
        """What is known of it."""
        return Response(MediaSerializer(selectors.media(media_id, tenant=_actor(request).tenant)).data)


class JobListView(APIView):
    """Jobs are asked for and listed here."""

    serializer_class = JobRequestSerializer
    idempotent = True

    @extend_schema(
        parameters=[
            OpenApiParameter("state", enum=JobState.values),
            OpenApiParameter("limit", int),
            OpenApiParameter("cursor", str),
        ],
        responses=inline_serializer(
            "JobPage",
            {"results": JobSerializer(many=True), "next": serializers.URLField(allow_null=True)},
        ),
    )
    def get(self, request: Request) -> Response:
        """The tenant's jobs, newest first."""
        state = request.query_params.get("state", "")
        if state and state not in JobState.values:
            raise serializers.ValidationError({"state": [f"Give one of {', '.join(JobState.values)}."]})
        rows = selectors.all_jobs(tenant=_actor(request).tenant, state=state or None)
        pages = _pages()
        found = pages.paginate_queryset(rows, request, view=self)
        answer: Response = pages.get_paginated_response(JobSerializer(found, many=True).data)
        return answer

    @extend_schema(
        request=JobRequestSerializer,
        parameters=[OpenApiParameter("Idempotency-Key", location="header", required=True)],
        responses={202: JobSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask for a generation: 202 when it may be admitted, 422 when the gate refuses at once."""
        body = JobRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        job = services.submit(body.request(), by=_actor(request))
        location = reverse("api-job-detail", args=[job.pk])
        return Response(JobSerializer(job).data, status=202, headers={"Location": location})


class JobDetailView(APIView):
    """One job."""

    @extend_schema(responses=JobSerializer)
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        """Its state, how far it is, and where its output lies."""
        return Response(JobSerializer(selectors.job(job_id, tenant=_actor(request).tenant)).data)


class JobCancelView(APIView):
    """Stop a job."""

    serializer_class = None

    @extend_schema(request=None, responses=JobSerializer)
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        """Cancelled at once; 409 when it has ended already."""
        return Response(JobSerializer(services.cancel(job_id, by=_actor(request))).data)


class JobOutputView(APIView):
    """The delivered file."""

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        """The file, or a part of it; fetching from its start is logged. 451 once it is withdrawn."""
        actor = _actor(request)
        job = selectors.job(job_id, tenant=actor.tenant)
        wanted = RANGE.fullmatch(request.headers.get("Range", ""))
        later_part = wanted is not None and int(wanted[1]) > 0
        path = delivery.output_path(job) if later_part else services.download(job_id, by=actor)
        name = f"{job.pk}.{'png' if job.output_mime == 'image/png' else 'mp4'}"
        if wanted is None:
            whole = FileResponse(
                path.open("rb"), content_type=job.output_mime, as_attachment=True, filename=name
            )
            return _private(whole)
        return _private(_part(path, wanted, job.output_mime))


class JobPosterView(APIView):
    """A picture of the output."""

    @extend_schema(responses={(200, "image/jpeg"): OpenApiTypes.BINARY})
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        """JPEG, at most 640 px wide."""
        job = selectors.job(job_id, tenant=_actor(request).tenant)
        return _private(FileResponse(delivery.poster_path(job).open("rb"), content_type="image/jpeg"))


class JobBeforeView(APIView):
    """The same moment of the footage."""

    @extend_schema(responses={(200, "image/jpeg"): OpenApiTypes.BINARY})
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        """JPEG, at most 640 px wide."""
        job = selectors.job(job_id, tenant=_actor(request).tenant)
        return _private(FileResponse(delivery.before_path(job).open("rb"), content_type="image/jpeg"))


def _actor(request: Request) -> Actor:
    """Who asks; views are closed to the anonymous by the settings."""
    return cast(Actor, getattr(request.user, "actor"))  # noqa: B009  the account's class is not ours


def _pages() -> BasePagination:
    """The paginator that settings name."""
    return cast("type[BasePagination]", api_settings.DEFAULT_PAGINATION_CLASS)()


PART_MAX_BYTES = 8 << 20
"""The most that one answer to a range holds; players ask again."""


def _part(path: Path, wanted: re.Match[str], mime: str) -> HttpResponse:
    size = path.stat().st_size
    first = int(wanted[1])
    last = min(int(wanted[2] or size - 1), size - 1, first + PART_MAX_BYTES - 1)
    if first >= size or last < first:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    with path.open("rb") as file:
        file.seek(first)
        data = file.read(last - first + 1)
    headers = {"Content-Range": f"bytes {first}-{last}/{size}"}
    return HttpResponse(data, status=206, content_type=mime, headers=headers)


def _private(response: HttpResponseBase) -> HttpResponseBase:
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    response["Accept-Ranges"] = "bytes"
    return response
