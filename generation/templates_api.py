"""REST: looks of videos as versioned data; a second person approves, a step back is one request."""

from __future__ import annotations

from typing import cast

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.events import Actor
from generation import templating
from generation.templates_bodies import (
    DraftSerializer,
    RollBackSerializer,
    TemplateSerializer,
    VersionSerializer,
)


class TemplateListView(APIView):
    """The tenant's templates."""

    @extend_schema(responses=TemplateSerializer(many=True))
    def get(self, request: Request) -> Response:
        """By name, with every version."""
        return Response(TemplateSerializer(templating.seen(tenant=_actor(request).tenant), many=True).data)


class TemplateView(APIView):
    """One template."""

    serializer_class = DraftSerializer

    @extend_schema(responses=TemplateSerializer)
    def get(self, request: Request, template: str) -> Response:
        """Its versions, and which one is in use."""
        return Response(TemplateSerializer(templating.find(template, tenant=_actor(request).tenant)).data)

    @extend_schema(request=DraftSerializer, responses={202: VersionSerializer})
    def post(self, request: Request, template: str) -> Response:
        """Write a new version; it is tried, and then waits for a second person."""
        body = DraftSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        made = templating.draft(template, body.validated_data["scene"], by=_actor(request))
        return Response(VersionSerializer(made).data, status=202)


class TemplateApproveView(APIView):
    """A second person's yes."""

    serializer_class = None

    @extend_schema(request=None, responses=VersionSerializer)
    def post(self, request: Request, template: str, number: int) -> Response:
        """The version is used from now on; 409 while its trial has not passed."""
        return Response(VersionSerializer(templating.approve(template, number, by=_actor(request))).data)


class TemplateRollBackView(APIView):
    """A step back."""

    serializer_class = RollBackSerializer

    @extend_schema(request=RollBackSerializer, responses=VersionSerializer)
    def post(self, request: Request, template: str) -> Response:
        """An approved version is used again."""
        body = RollBackSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        number = body.validated_data["version"]
        return Response(VersionSerializer(templating.roll_back(template, number, by=_actor(request))).data)


def _actor(request: Request) -> Actor:
    """Who asks; views are closed to the anonymous by the settings."""
    return cast(Actor, getattr(request.user, "actor"))  # noqa: B009  the account's class is not ours
