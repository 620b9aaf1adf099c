"""What goes over the wire about templates, and the template that a request may name."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from generation.hooks_bodies import PartSerializer
from generation.models import SceneTemplate, TemplateVersion
from generation.presenter.templates import FIELDS
from generation.templating import TemplateUse


class TemplateUseSerializer(PartSerializer):
    """Which template, and the values of its variables."""

    name = serializers.CharField(max_length=48)
    version = serializers.IntegerField(min_value=0, default=0, help_text="0: the one in use.")
    variables = serializers.DictField(child=serializers.CharField(max_length=64), default=dict)


def template_of(data: dict[str, Any]) -> TemplateUse | None:
    """The template of a validated body."""
    given = data.get("template")
    if given is None:
        return None
    return TemplateUse(given["name"], given["version"], tuple(sorted(given["variables"].items())))


class DraftSerializer(serializers.Serializer[Any]):
    """The body of a new version."""

    scene = serializers.DictField(help_text=f"Of {', '.join(sorted(FIELDS))}.")


class RollBackSerializer(serializers.Serializer[Any]):
    """The body of a step back."""

    version = serializers.IntegerField(min_value=1)


class VersionSerializer(serializers.ModelSerializer[TemplateVersion]):
    """A version as a client sees it."""

    scene = serializers.JSONField(source="document")

    class Meta:
        """What is shown."""

        model = TemplateVersion
        fields = ["number", "sha256", "state", "trial", "scene", "author", "approver", "created", "approved"]


class TemplateSerializer(serializers.ModelSerializer[SceneTemplate]):
    """A template as a client sees it."""

    active = serializers.IntegerField(source="active.number", allow_null=True, default=None)
    versions = VersionSerializer(many=True)

    class Meta:
        """What is shown."""

        model = SceneTemplate
        fields = ["name", "active", "versions", "created"]
