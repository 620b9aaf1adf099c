"""What goes over the wire about variants."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rest_framework import serializers

from generation import summing
from generation.hooks_bodies import CallbackSerializer, PartSerializer, callback_of
from generation.models import VariantSet
from generation.presenter.normalise import LENGTH_MAX
from generation.presenting import PresentRequest
from generation.variants import CELLS_MAX, Said, VariantsRequest

LANGUAGES_MAX = 20


class SaidSerializer(PartSerializer):
    """What is said in one language."""

    language = serializers.RegexField(r"^[A-Za-z0-9-]{1,8}$")
    script = serializers.CharField(max_length=5 * LENGTH_MAX, allow_blank=True, trim_whitespace=False)
    kind = serializers.CharField(max_length=8, default="text")
    voice = serializers.CharField(max_length=64, default="", allow_blank=True)


class VariantsRequestSerializer(serializers.Serializer[Any]):
    """The body of a request for variants: every script by every identity."""

    identities = serializers.ListField(
        child=serializers.CharField(max_length=40), min_length=1, max_length=CELLS_MAX
    )
    scripts = serializers.ListField(child=SaidSerializer(), min_length=1, max_length=LANGUAGES_MAX)
    performer = serializers.CharField(max_length=40, help_text="Whose portrait the scripts drive.")
    purpose = serializers.CharField(max_length=64)
    channel = serializers.CharField(max_length=64)
    territory = serializers.CharField(max_length=16, default="CN")
    product = serializers.CharField(max_length=64, default="", allow_blank=True)
    format = serializers.CharField(max_length=16, default="landscape")
    colour = serializers.CharField(max_length=7, default="#3c6e96", help_text="Background: # and six digits.")
    subtitles = serializers.BooleanField(default=True, help_text="Burnt into the picture; side files always.")
    callback = CallbackSerializer(required=False, help_text="Told when every cell has ended; signed.")

    def request(self) -> VariantsRequest:
        """The validated body as a value."""
        data = dict(self.validated_data) | {"callback": callback_of(self.validated_data)}
        identities, scripts = tuple(data.pop("identities")), data.pop("scripts")
        said = tuple(Said(**each) for each in scripts)
        plain = PresentRequest(identity_id="", performer_id=data.pop("performer"), script="", **data)
        return VariantsRequest(identities, said, plain)


class CellSerializer(serializers.Serializer[Any]):
    """One language said by one identity."""

    language = serializers.CharField()
    identity = serializers.CharField()
    presentation = serializers.CharField(help_text="Its id; empty when none came of it.")
    state = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()
    hint = serializers.CharField()
    reasons = serializers.ListField(child=serializers.CharField())


class VariantsSerializer(serializers.Serializer[Any]):
    """A request for variants as a client sees it."""

    client_id = serializers.CharField()
    state = serializers.CharField(help_text="running, succeeded, partial or failed.")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Cells by state.")
    cells = CellSerializer(many=True)
    created = serializers.DateTimeField()
    finished = serializers.DateTimeField(allow_null=True)

    @staticmethod
    def of(row: VariantSet) -> dict[str, Any]:
        """The answer as plain data."""
        cells = summing.cells(row)
        return {
            "client_id": row.client_id,
            "state": summing.state_of(cells),
            "counts": dict(Counter(cell.state for cell in cells)),
            "cells": CellSerializer(cells, many=True).data,
            "created": row.created,
            "finished": row.finished,
        }
