"""REST: the log for auditors, and the public log that anybody may read (https://c2sp.org/tlog-tiles).

Public are the checkpoint and the hash tiles. What entries say is for auditors of their tenant.
"""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit import leaf, selectors, stamping, tiles
from audit.errors import EntryNotFoundError, NoCheckpointError, TileError
from audit.events import SYSTEM, Actor
from audit.leaf import KeyKind
from audit.selectors import Entry

AUDITOR = "auditor"
LIMIT, LIMIT_MAX = 50, 200
MAX_INDEX = 2**63 - 1
KINDS = {kind.name.lower(): kind for kind in KeyKind if kind is not KeyKind.TENANT}
NOTE_TYPE = "text/plain; charset=utf-8"
TILE_TYPE = "application/octet-stream"
SHORT_CACHE = "public, max-age=5"
IMMUTABLE = "public, max-age=31536000, immutable"


def actor_of(request: HttpRequest | Request) -> Actor | None:
    """The signed-in user as the log knows it."""
    return cast("Actor | None", getattr(request.user, "actor", None))


class IsAuditor(BasePermission):
    """Only auditors read what entries say."""

    def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002 - REST framework's signature
        """Whether the caller holds the role."""
        actor = actor_of(request)
        return actor is not None and actor.has(AUDITOR)


class EntrySerializer(serializers.Serializer[Entry]):
    """One entry as a client sees it; ``event`` is the whole leaf as JSON."""

    index = serializers.IntegerField()
    event_id = serializers.UUIDField()
    type = serializers.CharField()
    ts = serializers.CharField()
    actor = serializers.CharField()
    leaf_hash = serializers.CharField()
    event = serializers.JSONField()


class TimestampSerializer(serializers.Serializer[Any]):
    """An authority's word on a signed head; `token` is its whole answer, `note` the head byte for byte."""

    size = serializers.IntegerField()
    authority = serializers.CharField()
    time = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=[str(value) for value in stamping.Standing])
    note = serializers.CharField()
    token = serializers.CharField(help_text="base64")


class PageQuery(serializers.Serializer[Any]):
    """Which page, newest first."""

    limit = serializers.IntegerField(min_value=1, max_value=LIMIT_MAX, default=LIMIT)
    before = serializers.IntegerField(min_value=0, max_value=MAX_INDEX, required=False)


class EntryListQuery(PageQuery):
    """What a list of entries can be asked for: a page of the newest, or all of one key."""

    kind = serializers.ChoiceField(choices=sorted(KINDS), required=False)
    value = serializers.CharField(max_length=256, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A kind and its value come together."""
        if ("kind" in attrs) != ("value" in attrs):
            raise ValidationError({"value": ["Give kind and value together."]})
        return attrs


CHECKPOINT = inline_serializer(
    "Checkpoint",
    {
        "size": serializers.IntegerField(),
        "root": serializers.CharField(),
        "note": serializers.CharField(),
        "signed_at": serializers.DateTimeField(),
    },
)
ENTRY_PAGE = inline_serializer(
    "EntryPage",
    {"results": EntrySerializer(many=True), "next": serializers.CharField(allow_null=True)},
)
TIMESTAMP_LIST = inline_serializer("TimestampList", {"results": TimestampSerializer(many=True)})


def visible(entry: Entry, actor: Actor | None) -> Entry:
    """The entry, if the actor's tenant may see it.

    Raises:
        EntryNotFoundError: it belongs to another tenant.
    """
    if actor is None or entry.tenant not in {actor.tenant, SYSTEM}:
        raise EntryNotFoundError(f"The log holds no entry {entry.index}.")  # as for one that is missing
    return entry


class AuditView(APIView):
    """What every view of the log asks for."""

    permission_classes = [IsAuthenticated, IsAuditor]


class EntryListView(AuditView):
    """The newest entries of the caller's tenant, or those of one key."""

    @extend_schema(parameters=[EntryListQuery], responses=ENTRY_PAGE)
    def get(self, request: Request) -> Response:
        """A page, newest first; ``next`` is the address of the following one."""
        asked = EntryListQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        query, actor = asked.validated_data, actor_of(request)
        tenant = actor.tenant if actor else ""
        about = (KINDS[query["kind"]], query["value"]) if "kind" in query else None
        page = selectors.latest(query["limit"] + 1, query.get("before"), tenant=tenant, about=about)
        shown = page[: query["limit"]]
        link = None
        if len(page) > len(shown):
            params = request.query_params.copy()
            params["before"] = str(shown[-1].index)
            link = request.build_absolute_uri(f"{reverse('api-audit-entry-list')}?{params.urlencode()}")
        return Response({"results": EntrySerializer(cast(Any, shown), many=True).data, "next": link})


INDEX = OpenApiParameter("index", OpenApiTypes.INT64, OpenApiParameter.PATH)


class EntryDetailView(AuditView):
    """One entry."""

    @extend_schema(parameters=[INDEX], responses=EntrySerializer)
    def get(self, request: Request, index: int) -> Response:
        """The entry as JSON."""
        return Response(EntrySerializer(visible(selectors.entry(index), actor_of(request))).data)


class EntryProofView(AuditView):
    """The proof of one entry."""

    @extend_schema(parameters=[INDEX], responses={(200, "text/plain"): OpenApiTypes.STR})
    def get(self, request: Request, index: int) -> HttpResponse:
        """The entry's .tlog-proof against the newest signed head."""
        visible(selectors.entry(index), actor_of(request))
        return HttpResponse(selectors.proof(index), content_type=NOTE_TYPE)


class CheckpointView(APIView):
    """The newest signed head, for everybody who is signed in."""

    permission_classes = [IsAuthenticated]

    @extend_schema(responses=CHECKPOINT)
    def get(self, request: Request) -> Response:  # noqa: ARG002 - REST framework's signature
        """Size, root and the signed note."""
        return Response(asdict(selectors.checkpoint()))


class TimestampListView(AuditView):
    """The heads that an authority stamped (RFC 3161)."""

    @extend_schema(parameters=[PageQuery], responses=TIMESTAMP_LIST)
    def get(self, request: Request) -> Response:
        """The newest first; each token is checked anew. `before` the last size gives older ones."""
        asked = PageQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = selectors.stamps(asked.validated_data["limit"], asked.validated_data.get("before"))
        rows = [
            {
                **asdict(row),
                "token": base64.b64encode(row.token).decode(),
                "state": stamping.state(row.token, row.note, row.authority),
            }
            for row in found
        ]
        return Response({"results": TimestampSerializer(cast(Any, rows), many=True).data})


@require_safe
def public_checkpoint(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """The newest signed head, for anybody."""
    try:
        note = selectors.checkpoint().note
    except NoCheckpointError as error:
        raise Http404 from error
    return HttpResponse(note, content_type=NOTE_TYPE, headers={"Cache-Control": SHORT_CACHE})


@require_safe
def public_tile(request: HttpRequest, path: str) -> HttpResponse:
    """A hash tile, for anybody; an entry bundle, for auditors whose tenant may see all of it."""
    try:
        data = selectors.tile(path)
        if tiles.parse_path(path).level is not None:
            return HttpResponse(data, content_type=TILE_TYPE, headers={"Cache-Control": IMMUTABLE})
        actor = actor_of(request)
        for body in tiles.unbundle(data):
            if (
                actor is None
                or not actor.has(AUDITOR)
                or leaf.read(body).tenant not in {actor.tenant, SYSTEM}
            ):
                raise Http404
    except TileError as error:
        raise Http404 from error
    return HttpResponse(data, content_type=TILE_TYPE, headers={"Cache-Control": "private, no-store"})
