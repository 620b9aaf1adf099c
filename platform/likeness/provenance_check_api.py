"""REST for anybody: was this file made here?"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from likeness import provenance_check as checks
from likeness import provenance_limits as limits
from likeness.portal.uploads import on_disk
from likeness.provenance_verdict import Verdict


class CheckBody(serializers.Serializer[Any]):
    """The file in question; neither it nor its name is kept."""

    file = serializers.FileField(use_url=False)


CHECKED = inline_serializer(
    "Check",
    {
        "verdict": serializers.ChoiceField(
            choices=[verdict.value for verdict in Verdict],
            help_text="`absent` never means that a file was not generated.",
        ),
        "made": serializers.DateField(allow_null=True, help_text="The day on which it was made here."),
        "labels": serializers.ListField(
            child=serializers.ChoiceField(choices=list(checks.LABELS)),
            help_text="What it was delivered with.",
        ),
        "label_text": serializers.CharField(allow_null=True, help_text="The visible label."),
    },
)


class CheckView(APIView):
    """Was this file made here? No account is needed; limited by address and over everybody."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()  # its own limits, which all processes share
    serializer_class = CheckBody

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what is too large or too often before a byte of the body is read."""
        super().initial(request, *args, **kwargs)
        if not settings.LIKENESS_PUBLIC_CHECK:
            raise Http404
        limits.refuse_large(request._request)
        limits.admit(limits.address_of(request._request), now=timezone.now())

    @extend_schema(request=CheckBody, responses=CHECKED, auth=[])
    def post(self, request: Request) -> Response:
        """Check a picture, a clip or a recording; it is read and not kept."""
        body = CheckBody(data=request.data)
        body.is_valid(raise_exception=True)
        with on_disk(body.validated_data["file"]) as path:
            return Response(checks.check(path).as_json())
