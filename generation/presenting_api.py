"""REST: scripts that a likeness shall say. The client brings the id; the same PUT again is the same video."""

from __future__ import annotations

from typing import cast

from django.http import FileResponse
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
from generation import blobs, presenting, selectors, speaking
from generation.errors import NotFoundError
from generation.presenting_bodies import (
    PresentationSerializer,
    PresentRequestSerializer,
    ReviewSerializer,
    ScriptSerializer,
    VoiceSerializer,
)

FILES = {
    "srt": ("srt_sha256", "application/x-subrip", "srt"),
    "vtt": ("vtt_sha256", "text/vtt", "vtt"),
    "visemes": ("visemes_sha256", "application/json", "json"),
}


class ScriptReviewView(APIView):
    """How a script would be said, while it is typed; nothing is spoken and nothing is kept."""

    serializer_class = ScriptSerializer

    @extend_schema(request=ScriptSerializer, responses=ReviewSerializer)
    def post(self, request: Request) -> Response:
        """The spoken form, the words that the gate holds against it, and an estimate of its length."""
        body = ScriptSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(ReviewSerializer.of(presenting.review(body.request())))


class VoiceListView(APIView):
    """The voices of this installation."""

    @extend_schema(responses=VoiceSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The platform's and the site's own; 503 while a table of the site is malformed."""
        return Response(VoiceSerializer(speaking.voices_of_tenant(_actor(request).tenant), many=True).data)


class PresentationListView(APIView):
    """The tenant's presentations."""

    @extend_schema(
        parameters=[OpenApiParameter("limit", int), OpenApiParameter("cursor", str)],
        responses=inline_serializer(
            "PresentationPage",
            {"results": PresentationSerializer(many=True), "next": serializers.URLField(allow_null=True)},
        ),
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        pages = cast("type[BasePagination]", api_settings.DEFAULT_PAGINATION_CLASS)()
        rows = selectors.presentations(tenant=_actor(request).tenant)
        found = pages.paginate_queryset(rows, request, view=self)
        answer: Response = pages.get_paginated_response(PresentationSerializer(found, many=True).data)
        return answer


class PresentationView(APIView):
    """One presentation, under the id that the client chose."""

    serializer_class = None
    serializer_classes = {"PUT": PresentRequestSerializer}

    @extend_schema(responses=PresentationSerializer)
    def get(self, request: Request, client_id: str) -> Response:
        """Its state, how far it is, and where its files lie."""
        row = selectors.presentation(client_id, tenant=_actor(request).tenant)
        return Response(PresentationSerializer(row).data)

    @extend_schema(request=PresentRequestSerializer, responses={202: PresentationSerializer})
    def put(self, request: Request, client_id: str) -> Response:
        """Ask for a video: 202 when the gate admits the script, 422 when it refuses, 409 for a used id."""
        body = PresentRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        row = presenting.present(body.request(), client_id=client_id, by=_actor(request))
        location = reverse("api-presentation", args=[client_id])
        return Response(PresentationSerializer(row).data, status=202, headers={"Location": location})

    @extend_schema(request=None, responses=PresentationSerializer)
    def delete(self, request: Request, client_id: str) -> Response:
        """Stop it; 409 when it has ended already."""
        return Response(PresentationSerializer(presenting.cancel(client_id, by=_actor(request))).data)


class PresentationFileView(APIView):
    """Subtitles and mouth shapes."""

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, client_id: str, kind: str) -> HttpResponseBase:
        """SubRip, WebVTT, or the viseme track (ids 0 to 21 with offsets in milliseconds)."""
        row = selectors.presentation(client_id, tenant=_actor(request).tenant)
        if kind not in FILES or not getattr(row, FILES[kind][0]):
            raise NotFoundError(f"Presentation {client_id} has no {kind[:20]}.")
        name, mime, suffix = FILES[kind]
        stream = blobs.store().open(getattr(row, name))
        answer = FileResponse(stream, content_type=mime, as_attachment=True, filename=f"{client_id}.{suffix}")
        answer["Cache-Control"] = "private, no-store"
        return answer


def _actor(request: Request) -> Actor:
    """Who asks; views are closed to the anonymous by the settings."""
    return cast(Actor, getattr(request.user, "actor"))  # noqa: B009  the account's class is not ours
