"""REST: where a file comes from, what the log holds about something, and the evidence for one job."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.events import Actor
from likeness import provenance, provenance_overlay, provenance_search
from likeness.accounts.models import User
from likeness.errors import RequestInvalidError
from likeness.portal.evidence import as_file, evidence_file
from likeness.portal.uploads import on_disk, opened
from likeness.provenance_query import FIELDS, parse
from likeness.provenance_verdict import Content, Verdict, Why


class ProvenanceBody(serializers.Serializer[Any]):
    """The file in question; its name is not kept."""

    file = serializers.FileField(use_url=False)
    overlay = serializers.BooleanField(
        default=False, help_text="Also draw where the invisible mark was found."
    )


LAYER = inline_serializer(
    "ProvenanceLayer",
    {
        "name": serializers.CharField(help_text="sha256, c2pa, aigc, invisible, sound, legacy, perceptual"),
        "state": serializers.CharField(),
        "statistic": serializers.FloatField(allow_null=True, help_text="z, or a correlation."),
        "bound": serializers.FloatField(allow_null=True, help_text="Chance of a false hit, at most."),
        "seconds": serializers.FloatField(),
        "detail": serializers.DictField(),
    },
)
CONTENT = inline_serializer(
    "ProvenanceContent",
    {
        "state": serializers.ChoiceField(choices=[state.value for state in Content]),
        "similarity": serializers.FloatField(allow_null=True),
        "threshold": serializers.FloatField(),
        "offset_s": serializers.FloatField(allow_null=True, help_text="Where in the output the file begins."),
    },
)
ANSWER = inline_serializer(
    "Provenance",
    {
        "verdict": serializers.ChoiceField(choices=[verdict.value for verdict in Verdict]),
        "match": serializers.ChoiceField(choices=[match.value for match in provenance.Match]),
        "exact": serializers.BooleanField(),
        "sha256": serializers.CharField(),
        "job": serializers.CharField(allow_null=True),
        "consent": serializers.CharField(allow_null=True),
        "identity": serializers.CharField(allow_null=True),
        "state": serializers.CharField(allow_null=True),
        "generated": serializers.CharField(allow_null=True),
        "approvals": serializers.ListField(child=serializers.CharField()),
        "leaf": serializers.IntegerField(allow_null=True),
        "proof": serializers.CharField(),
        "reason": serializers.CharField(allow_null=True),
        "reasons": serializers.ListField(child=serializers.ChoiceField(choices=[why.value for why in Why])),
        "similarity": serializers.FloatField(allow_null=True),
        "content": CONTENT,
        "marks": serializers.DictField(child=serializers.DictField()),
        "layers": serializers.ListField(child=LAYER),
        "overlay": serializers.CharField(
            allow_null=True, required=False, help_text="PNG as a data: address."
        ),
    },
)


class ProvenanceView(APIView):
    """A file in, its provenance out."""

    serializer_class = ProvenanceBody
    throttle_scope = "upload"

    @extend_schema(request=ProvenanceBody, responses=ANSWER)
    def post(self, request: Request) -> Response:
        """Trace a file back to its job, its consent and its proof."""
        body = ProvenanceBody(data=request.data)
        body.is_valid(raise_exception=True)
        with on_disk(body.validated_data["file"]) as path:
            found = provenance.trace(path, by=_actor(request))
            answer = found.as_json()
            if body.validated_data["overlay"]:
                drawn = provenance_overlay.draw(path, found, tenant=_actor(request).tenant)
                answer["overlay"] = provenance_overlay.as_address(drawn) if drawn else None
        return Response(answer)


class SearchQuery(serializers.Serializer[Any]):
    """What a hit must be about: all that is given. ``export`` gives up to 10,000 hits as a file."""

    person = serializers.CharField(required=False, help_text="Name, identity or pseudonym.")
    operator = serializers.CharField(required=False, help_text="Name, address or pseudonym of who did it.")
    consent = serializers.CharField(required=False)
    job = serializers.CharField(required=False)
    licence = serializers.CharField(required=False, help_text="SHA-256 of the licence's document.")
    model = serializers.CharField(required=False, help_text="SHA-256 of a model.")
    mark = serializers.CharField(required=False, help_text="Number of an invisible mark.")
    manifest = serializers.CharField(required=False, help_text="SHA-256 of a C2PA manifest.")
    output = serializers.CharField(required=False, help_text="SHA-256 of a delivered file.")
    script = serializers.CharField(required=False, help_text="Words of a script, or their SHA-256.")
    event = serializers.CharField(required=False, help_text="Type of entry.")
    since = serializers.CharField(required=False, help_text="First day, or moment with its zone.")
    until = serializers.CharField(required=False, help_text="Last day, or moment with its zone.")
    limit = serializers.CharField(required=False)
    before = serializers.CharField(required=False, help_text="`next` of the page before.")
    export = serializers.ChoiceField(choices=["json", "csv"], required=False)


class SearchBody(SearchQuery):
    """The same, with a photograph or with a file whose origin is asked for; neither is kept."""

    photo = serializers.FileField(required=False, use_url=False, help_text="A picture of one face.")
    file = serializers.FileField(required=False, use_url=False, help_text="A picture or a clip.")


HIT = inline_serializer(
    "ProvenanceHit",
    {
        "index": serializers.IntegerField(),
        "ts": serializers.CharField(),
        "type": serializers.CharField(),
        "actor": serializers.CharField(),
        "job": serializers.CharField(allow_null=True),
        "consent": serializers.CharField(allow_null=True),
        "identity": serializers.CharField(allow_null=True),
        "output": serializers.CharField(allow_null=True),
        "leaf_hash": serializers.CharField(),
        "proof": serializers.CharField(help_text="`verified`, `pending`, or why it does not hold."),
        "event": serializers.DictField(),
    },
)
PERSON = inline_serializer(
    "ProvenancePerson",
    {
        "identity": serializers.CharField(),
        "name": serializers.CharField(),
        "distance": serializers.FloatField(allow_null=True),
        "sure": serializers.BooleanField(),
    },
)
SEARCHED = inline_serializer(
    "ProvenanceSearch",
    {
        "hits": serializers.ListField(child=HIT),
        "next": serializers.IntegerField(allow_null=True, help_text="`before` of the following page."),
        "people": serializers.ListField(child=PERSON),
        "whole": serializers.BooleanField(),
        "size": serializers.IntegerField(help_text="Entries in the signed tree."),
        "trace": serializers.DictField(required=False, help_text="Only for a file."),
    },
)


class SearchView(APIView):
    """What the log holds about something; for auditors. Every question is itself logged."""

    serializer_class = SearchBody
    throttle_scope = "upload"

    @extend_schema(parameters=[SearchQuery], responses=SEARCHED)
    def get(self, request: Request) -> HttpResponse:
        """A page of hits, newest first, each with its proof; or all of them as a file."""
        asked = request.query_params.dict()
        export = asked.pop("export", "")
        query = parse(asked)
        if not export:
            return Response(provenance_search.search(query, by=_actor(request)).as_json())
        if export not in {"json", "csv"}:
            raise RequestInvalidError({"export": ["json or csv."]})
        found = provenance_search.export(query, by=_actor(request))
        return as_file(found, export)

    @extend_schema(request={"multipart/form-data": SearchBody}, responses=SEARCHED)
    def post(self, request: Request) -> Response:
        """A page of hits about the face on a photograph, or about the job behind a file."""
        body = SearchBody(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        asked = {name: given[name] for name in FIELDS if name in given}
        if "file" in given:
            if asked or "photo" in given:
                raise RequestInvalidError({"file": ["A file is asked about alone."]})
            with on_disk(given["file"]) as path:
                trace, found = provenance_search.search_file(path, by=_actor(request))
            hits = found or provenance_search.NOTHING
            return Response({**hits.as_json(), "trace": trace.as_json()})
        query = parse(asked, photo=_content(given.get("photo")))
        return Response(provenance_search.search(query, by=_actor(request)).as_json())


class EvidenceBody(serializers.Serializer[Any]):
    """The caller's own checkpoint of the log, as it was served then."""

    pinned = serializers.CharField(max_length=65_536, trim_whitespace=False, default="", allow_blank=True)


class EvidenceView(APIView):
    """The evidence for one job, for auditors: entries, proofs, credentials, a report, and the verifier."""

    serializer_class = EvidenceBody

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponse:
        """The bundle of the job; that it was taken is logged."""
        return evidence_file(str(job_id), by=_actor(request))

    @extend_schema(request=EvidenceBody, responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def post(self, request: Request, job_id: uuid.UUID) -> HttpResponse:
        """The same, with the proof that the log extends the caller's checkpoint."""
        body = EvidenceBody(data=request.data)
        body.is_valid(raise_exception=True)
        return evidence_file(str(job_id), by=_actor(request), pinned=body.validated_data["pinned"])


def _actor(request: Request) -> Actor:
    return cast(User, request.user).actor  # the default permission let no one else through


def _content(upload: UploadedFile[Any] | None) -> bytes:
    if upload is None:
        return b""
    with opened(upload) as stream:
        return stream.read()
