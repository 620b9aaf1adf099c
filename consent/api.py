"""REST over the services: load, call one service, answer."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.module_loading import import_string
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.events import Actor
from consent import checks, disclosures, erasure, selectors, services
from consent.bodies import (
    ApproveBody,
    BlockAnswer,
    BlockBody,
    ConsentAnswer,
    ConsentBody,
    ConsentDetailAnswer,
    DisclosureAnswer,
    EraseBody,
    ErasedAnswer,
    IdentityAnswer,
    IdentityBody,
    PortraitAnswer,
    PortraitBody,
    ProspectAnswer,
    ReasonBody,
    StepAnswer,
)
from consent.models import State

LIMIT = OpenApiParameter("limit", int, description="1 to 200")
CURSOR = OpenApiParameter("cursor", str, description="from ``next`` of the page before")
STATE = OpenApiParameter("state", str, enum=State.values)
KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, required=True)


def _page_of(name: str, answer: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    fields = {"results": answer(many=True), "next": serializers.URLField(allow_null=True)}
    return inline_serializer(name, fields)


IDENTITY_PAGE = _page_of("IdentityPage", IdentityAnswer)
CONSENT_PAGE = _page_of("ConsentPage", ConsentAnswer)
BLOCK_PAGE = _page_of("BlockPage", BlockAnswer)


class IdentityListView(APIView):
    """Enrol a person, list the people."""

    serializer_class = IdentityBody
    throttle_scope = "upload"

    @extend_schema(parameters=[LIMIT, CURSOR], responses=IDENTITY_PAGE)
    def get(self, request: Request) -> Response:
        """The tenant's identities, newest first."""
        return _page(self, request, selectors.identities(tenant=_actor(request).tenant), IdentityAnswer)

    @extend_schema(request={"multipart/form-data": IdentityBody}, responses={201: IdentityAnswer})
    def post(self, request: Request) -> Response:
        """Enrol; all portraits are kept, or none."""
        body = _body(request, IdentityBody)
        checks.refuse(checks.upload_faults([file.size for file in body["portraits"]]))
        person = services.enrol(
            name=body["name"],
            status=body["status"],
            kind=body["kind"],
            portraits=[_read(file) for file in body["portraits"]],
            by=_actor(request),
        )
        return _created(IdentityAnswer(person), f"{request.path}{person.id}/")


class IdentityView(APIView):
    """One person."""

    @extend_schema(responses=IdentityAnswer)
    def get(self, request: Request, identity_id: str) -> Response:
        """The identity and its portraits."""
        return Response(IdentityAnswer(selectors.identity(identity_id, tenant=_actor(request).tenant)).data)


class IdentityEraseView(APIView):
    """Erase one person, for good."""

    serializer_class = EraseBody

    @extend_schema(responses=ProspectAnswer)
    def get(self, request: Request, identity_id: str) -> Response:
        """What would be erased."""
        return Response(ProspectAnswer(erasure.prospect(identity_id, by=_actor(request))).data)

    @extend_schema(request=EraseBody, responses=ErasedAnswer)
    def post(self, request: Request, identity_id: str) -> Response:
        """Erase; twice is once."""
        erasure.prospect(identity_id, by=_actor(request))  # what is not there is 404, whatever was typed
        typed = _body(request, EraseBody)["confirmation"]
        done = erasure.erase_confirmed(identity_id, confirmation=typed, by=_actor(request))
        return Response(ErasedAnswer(done).data)


class DisclosureView(APIView):
    """The words beside one entry of the log."""

    serializer_class = None

    @extend_schema(request=None, responses=DisclosureAnswer)
    def post(self, request: Request, index: int) -> Response:
        """The words; that they were told is logged."""
        return Response(DisclosureAnswer(disclosures.disclose(index, by=_actor(request))).data)


class PortraitListView(APIView):
    """The pictures of one person."""

    serializer_class = PortraitBody
    throttle_scope = "upload"

    @extend_schema(request={"multipart/form-data": PortraitBody}, responses={201: PortraitAnswer})
    def post(self, request: Request, identity_id: str) -> Response:
        """Add a portrait."""
        data = _read(_body(request, PortraitBody)["portrait"])
        row = services.add_portrait(identity_id, data=data, by=_actor(request))
        return Response(PortraitAnswer(row).data, status=201)


class PngRenderer(JSONRenderer):
    """Lets a client ask for image/png; what is rendered here are errors, which stay JSON."""

    media_type = "image/png"
    format = "png"


class PreviewView(APIView):
    """A small picture, for people who review."""

    renderer_classes = (JSONRenderer, PngRenderer)

    @extend_schema(responses={(200, "image/png"): OpenApiTypes.BINARY})
    def get(self, request: Request, portrait_id: str) -> HttpResponse:
        """The preview as PNG; it is decrypted for this answer and stored nowhere."""
        data = selectors.portrait_preview(portrait_id, tenant=_actor(request).tenant)
        return HttpResponse(data, content_type="image/png", headers={"Cache-Control": "private, no-store"})


class ConsentListView(APIView):
    """Submit a licence, list the consents."""

    serializer_class = ConsentBody
    idempotent = True

    @extend_schema(parameters=[STATE, LIMIT, CURSOR], responses=CONSENT_PAGE)
    def get(self, request: Request) -> Response:
        """The tenant's consents, newest first; ``?state=`` keeps one state."""
        state = request.query_params.get("state")
        if state is not None and state not in State.values:
            raise ValidationError({"state": [f"One of {', '.join(State.values)}."]})
        return _page(
            self, request, selectors.consents(tenant=_actor(request).tenant, state=state), ConsentAnswer
        )

    @extend_schema(parameters=[KEY], request=ConsentBody, responses={201: ConsentAnswer})
    def post(self, request: Request) -> Response:
        """Put a licence to review."""
        given = ConsentBody(data=request.data)
        given.is_valid(raise_exception=True)
        row = services.submit(given.validated_data["identity"], terms=given.terms(), by=_actor(request))
        return _created(ConsentAnswer(row), f"{request.path}{row.id}/")


class ConsentView(APIView):
    """One consent."""

    @extend_schema(responses=ConsentDetailAnswer)
    def get(self, request: Request, consent_id: str) -> Response:
        """The consent, its licence document and its timeline."""
        row = selectors.consent(consent_id, tenant=_actor(request).tenant)
        opened = selectors.document(consent_id, tenant=_actor(request).tenant)
        history = StepAnswer(selectors.history(row.id), many=True).data
        return Response({**ConsentAnswer(row).data, "document": opened.document, "history": history})


class ConsentApproveView(APIView):
    """Approve in one role."""

    serializer_class = ApproveBody

    @extend_schema(request=ApproveBody, responses=ConsentAnswer)
    def post(self, request: Request, consent_id: str) -> Response:
        """The consent, active once every needed role approved."""
        row = services.approve(consent_id, role=_body(request, ApproveBody)["role"], by=_actor(request))
        return Response(ConsentAnswer(row).data)


class ConsentRejectView(APIView):
    """End the review with a no."""

    serializer_class = ReasonBody

    @extend_schema(request=ReasonBody, responses=ConsentAnswer)
    def post(self, request: Request, consent_id: str) -> Response:
        """The rejected consent."""
        row = services.reject(consent_id, reason=_body(request, ReasonBody)["reason"], by=_actor(request))
        return Response(ConsentAnswer(row).data)


class ConsentRevokeView(APIView):
    """Withdraw a consent."""

    serializer_class = ReasonBody

    @extend_schema(request=ReasonBody, responses=ConsentAnswer)
    def post(self, request: Request, consent_id: str) -> Response:
        """The withdrawn consent; twice gives the same answer."""
        row = services.revoke(consent_id, reason=_body(request, ReasonBody)["reason"], by=_actor(request))
        return Response(ConsentAnswer(row).data)


class BlockListView(APIView):
    """The block list."""

    serializer_class = BlockBody
    throttle_scope = "upload"

    @extend_schema(parameters=[LIMIT, CURSOR], responses=BLOCK_PAGE)
    def get(self, request: Request) -> Response:
        """The entries in force, newest first."""
        return _page(self, request, selectors.blocks(tenant=_actor(request).tenant), BlockAnswer)

    @extend_schema(request={"multipart/form-data": BlockBody}, responses={201: BlockAnswer})
    def post(self, request: Request) -> Response:
        """Block a face, by a picture or by an identity."""
        body = _body(request, BlockBody)
        entry = services.block(
            image=_read(body["image"]) if "image" in body else None,
            identity_id=body.get("identity"),
            reason=body["reason"],
            list_=body["list"],
            by=_actor(request),
        )
        return _created(BlockAnswer(entry), f"{request.path}{entry.id}/")


class UnblockView(APIView):
    """Take a face off the block list."""

    serializer_class = None

    @extend_schema(request=None, responses=BlockAnswer)
    def post(self, request: Request, entry_id: str) -> Response:
        """The entry, now without a template."""
        return Response(BlockAnswer(services.unblock(entry_id, by=_actor(request))).data)


def _actor(request: Request) -> Actor:
    actor: Actor = request.user.actor  # type: ignore[union-attr]  # IsAuthenticated is the default
    return actor


def _body(request: Request, kind: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    given = kind(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def _page(
    view: APIView, request: Request, rows: QuerySet[Any], answer: type[serializers.Serializer[Any]]
) -> Response:
    pages: BasePagination = import_string(str(settings.REST_FRAMEWORK["DEFAULT_PAGINATION_CLASS"]))()
    found = pages.paginate_queryset(rows, request, view=view)
    return pages.get_paginated_response(answer(found, many=True).data)


def _created(answer: serializers.Serializer[Any], location: str) -> Response:
    return Response(answer.data, status=201, headers={"Location": location})


def _read(file: UploadedFile[bytes]) -> bytes:
    """The file, or just enough of it to be refused as too large."""
    return bytes(file.read(checks.MAX_PORTRAIT_BYTES + 1))
