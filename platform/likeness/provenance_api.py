"""REST: where a file comes from, and the evidence for one job."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import Any, cast

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.events import Actor
from likeness import provenance
from likeness.accounts.models import User
from likeness.accounts.roles import Role
from likeness.portal.uploads import on_disk


class ProvenanceBody(serializers.Serializer[Any]):
    """The file in question; its name is not kept."""

    file = serializers.FileField(use_url=False)


ANSWER = inline_serializer(
    "Provenance",
    {
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
        "similarity": serializers.FloatField(allow_null=True),
        "marks": serializers.DictField(child=serializers.DictField()),
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
        return Response(found.as_json())


class EvidenceView(APIView):
    """The evidence for one job."""

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponse:
        """Every entry about the job and its consents, each proven, with the verifier; for auditors."""
        if not _actor(request).has(Role.AUDITOR):
            raise PermissionDenied
        with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
            out = Path(folder) / "bundle.zip"
            provenance.write_evidence(out, job_id=str(job_id), tenant=_actor(request).tenant)
            content = out.read_bytes()
        name = f'attachment; filename="{job_id}.zip"'
        return HttpResponse(content, "application/zip", headers={"Content-Disposition": name})


def _actor(request: Request) -> Actor:
    return cast(User, request.user).actor  # the default permission let no one else through
