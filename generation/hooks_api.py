"""REST: the addresses that are told how jobs end, and what was sent to them."""

from __future__ import annotations

import uuid
from typing import cast

from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from audit.events import Actor
from generation import hooks
from generation.hooks_bodies import (
    AddedSerializer,
    DeliverySerializer,
    HookRequestSerializer,
    HookSerializer,
)
from generation.models import DeliveryState


class HookListView(APIView):
    """The tenant's hooks."""

    serializer_class = HookRequestSerializer

    @extend_schema(responses=HookSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Newest first, with those that were removed."""
        return Response(HookSerializer(hooks.registered(by=_actor(request)), many=True).data)

    @extend_schema(request=HookRequestSerializer, responses={201: AddedSerializer})
    def post(self, request: Request) -> Response:
        """Register an address; the answer holds its secret, once."""
        body = HookRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        added = hooks.add(body.validated_data["url"], by=_actor(request))
        answer = {**HookSerializer(added.hook).data, "secret": added.secret}
        return Response(answer, status=201, headers={"Cache-Control": "no-store"})


class HookView(APIView):
    """One hook."""

    serializer_class = None

    @extend_schema(request=None, responses=HookSerializer)
    def delete(self, request: Request, hook_id: uuid.UUID) -> Response:
        """Call it no more."""
        return Response(HookSerializer(hooks.remove(hook_id, by=_actor(request))).data)


class HookTestView(APIView):
    """Whether a hook answers."""

    serializer_class = None

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, hook_id: uuid.UUID) -> Response:
        """Send it a ``ping``; the deliveries say what became of it."""
        row = hooks.ping(hook_id, by=_actor(request))
        return Response(DeliverySerializer(row).data, status=202)


class DeliveryListView(APIView):
    """What was sent to hooks."""

    @extend_schema(
        parameters=[
            OpenApiParameter("state", enum=DeliveryState.values),
            OpenApiParameter("limit", int),
            OpenApiParameter("cursor", str),
        ],
        responses=inline_serializer(
            "DeliveryPage",
            {"results": DeliverySerializer(many=True), "next": serializers.URLField(allow_null=True)},
        ),
    )
    def get(self, request: Request) -> Response:
        """Newest first; ``?state=dead`` are those that never arrived."""
        pages = cast("type[BasePagination]", api_settings.DEFAULT_PAGINATION_CLASS)()
        rows = hooks.deliveries(by=_actor(request), state=request.query_params.get("state", ""))
        found = pages.paginate_queryset(rows, request, view=self)
        answer: Response = pages.get_paginated_response(DeliverySerializer(found, many=True).data)
        return answer


def _actor(request: Request) -> Actor:
    """Who asks; views are closed to the anonymous by the settings."""
    return cast(Actor, getattr(request.user, "actor"))  # noqa: B009  the account's class is not ours
