"""REST: footage, jobs, and what becomes of them. Views load, call one service, answer."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import cast

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
from generation import delivery, formats, selectors, services
from generation.bodies import JobRequestSerializer, JobSerializer, MediaSerializer, MediaUploadSerializer
from generation.models import JobState

RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")


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
        path = delivery.player_path(job) if later_part else services.download(job_id, by=actor)
        name = f"{job.pk}.{formats.suffix(job.output_mime)}"
        if wanted is None:
            whole = FileResponse(
                path.open("rb"), content_type=job.output_mime, as_attachment=True, filename=name
            )
            return _private(whole)
        return _private(_part(path, wanted, job.output_mime))


class JobManifestView(APIView):
    """The content credential of the output, as a file of its own."""

    @extend_schema(responses={(200, "application/c2pa"): OpenApiTypes.BINARY})
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        """C2PA manifest store; verifies beside the delivered file. It names pseudonyms only."""
        path = delivery.manifest_path(selectors.job(job_id, tenant=_actor(request).tenant))
        whole = FileResponse(
            path.open("rb"), content_type="application/c2pa", as_attachment=True, filename=f"{job_id}.c2pa"
        )
        return _private(whole)


class JobPosterView(APIView):
    """A picture of the output."""

    @extend_schema(responses={(200, "image/jpeg"): OpenApiTypes.BINARY})
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        """JPEG, at most 640 px wide."""
        return _jpeg(delivery.poster_path(selectors.job(job_id, tenant=_actor(request).tenant)))


class JobBeforeView(APIView):
    """The same moment of the footage."""

    @extend_schema(responses={(200, "image/jpeg"): OpenApiTypes.BINARY})
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        """JPEG, at most 640 px wide."""
        return _jpeg(delivery.before_path(selectors.job(job_id, tenant=_actor(request).tenant)))


def _jpeg(path: Path) -> HttpResponseBase:
    return _private(FileResponse(path.open("rb"), content_type="image/jpeg"))


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
