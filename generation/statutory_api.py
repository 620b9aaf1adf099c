"""REST: copies without the visible label, asked for by one person and decided by another."""

from __future__ import annotations

import uuid
from typing import Any, cast

from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from audit.events import Actor
from generation import statutory
from generation.bodies import ExportRequestSerializer, ExportSerializer
from generation.models import Export


class JobExportView(APIView):
    """A copy of one output is asked for here."""

    serializer_class = ExportRequestSerializer

    @extend_schema(request=ExportRequestSerializer, responses={201: ExportSerializer})
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        """Ask, as legal; 422 where the law, the licence or this installation does not allow it."""
        body = ExportRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        row = statutory.request(job_id, body.request(), by=_actor(request))
        return _answer(row, request, status=201)


class ExportListView(APIView):
    """All requests of the tenant."""

    @extend_schema(
        parameters=[OpenApiParameter("limit", int), OpenApiParameter("cursor", str)],
        responses=inline_serializer(
            "ExportPage",
            {"results": ExportSerializer(many=True), "next": serializers.URLField(allow_null=True)},
        ),
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        pages = cast("type[BasePagination]", api_settings.DEFAULT_PAGINATION_CLASS)()
        found = pages.paginate_queryset(statutory.seen(by=_actor(request)), request, view=self)
        answer: Response = pages.get_paginated_response(ExportSerializer(found, many=True).data)
        return answer


class ExportDetailView(APIView):
    """One request."""

    @extend_schema(responses=ExportSerializer)
    def get(self, request: Request, export_id: uuid.UUID) -> Response:
        """Its state, and who gets the copy and why, as long as that is kept."""
        return _answer(statutory.find(export_id, by=_actor(request)), request)


class ExportApproveView(APIView):
    """The second person agrees."""

    serializer_class = None

    @extend_schema(request=None, responses=ExportSerializer)
    def post(self, request: Request, export_id: uuid.UUID) -> Response:
        """Approve, as business; ``copy`` is the job that goes through the gate now."""
        return _answer(statutory.approve(export_id, by=_actor(request)), request)


class ExportRejectView(APIView):
    """The second person does not agree."""

    serializer_class = None

    @extend_schema(request=None, responses=ExportSerializer)
    def post(self, request: Request, export_id: uuid.UUID) -> Response:
        """Decline, as business."""
        return _answer(statutory.reject(export_id, by=_actor(request)), request)


class ExportEraseView(APIView):
    """Who got the copy is forgotten."""

    serializer_class = None

    @extend_schema(request=None, responses=ExportSerializer)
    def post(self, request: Request, export_id: uuid.UUID) -> Response:
        """Erase recipient and purpose, as legal; 409 before the lawful time is over."""
        actor = _actor(request)
        statutory.erase_recipient(export_id, by=actor)
        return _answer(statutory.find(export_id, by=actor), request)


def _answer(row: Export, request: Request, *, status: int = 200) -> Response:
    told: dict[str, Any] = statutory.told(row, by=_actor(request))
    return Response({**ExportSerializer(row).data, **told}, status=status)


def _actor(request: Request) -> Actor:
    """Who asks; views are closed to the anonymous by the settings."""
    return cast(Actor, getattr(request.user, "actor"))  # noqa: B009  the account's class is not ours
