"""REST: one request for many presentations, under the id that the client chose."""

from __future__ import annotations

from typing import cast

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.events import Actor
from generation import summing, variants
from generation.variants_bodies import VariantsRequestSerializer, VariantsSerializer


class VariantsView(APIView):
    """Every script by every identity; each cell is checked, refused and made for itself."""

    serializer_class = None
    serializer_classes = {"PUT": VariantsRequestSerializer}

    @extend_schema(responses=VariantsSerializer)
    def get(self, request: Request, client_id: str) -> Response:
        """Every cell, and all of them in one word."""
        return Response(VariantsSerializer.of(summing.find(client_id, tenant=_actor(request).tenant)))

    @extend_schema(request=VariantsRequestSerializer, responses={202: VariantsSerializer})
    def put(self, request: Request, client_id: str) -> Response:
        """Ask for at most 100: 202 whatever single cells get, 429 when too many are in flight."""
        body = VariantsRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        row = variants.present(body.request(), client_id=client_id, by=_actor(request))
        location = reverse("api-variants", args=[client_id])
        return Response(VariantsSerializer.of(row), status=202, headers={"Location": location})

    @extend_schema(request=None, responses=VariantsSerializer)
    def delete(self, request: Request, client_id: str) -> Response:
        """Stop every cell that has not ended; 409 when all have."""
        return Response(VariantsSerializer.of(variants.cancel(client_id, by=_actor(request))))


def _actor(request: Request) -> Actor:
    """Who asks; views are closed to the anonymous by the settings."""
    return cast(Actor, getattr(request.user, "actor"))  # noqa: B009  the account's class is not ours
