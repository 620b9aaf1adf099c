"""What goes over the wire about hooks, and the callback that a request may name."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from generation.hooks import Callback
from generation.models import Delivery, Hook
from generation.webhook import URL_CHARS


class PartSerializer(serializers.Serializer[Any]):
    """A part of a body that refuses unknown fields; the parser does so at the top of a body only."""

    def to_internal_value(self, data: Any) -> Any:
        """The declared fields.

        Raises:
            ValidationError: with every unknown key.
        """
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError(
                {name: ["This field does not exist."] for name in unknown}, code="unknown_field"
            )
        return super().to_internal_value(data)


class CallbackSerializer(PartSerializer):
    """Where to tell how it ended."""

    url = serializers.CharField(max_length=URL_CHARS, help_text="https, of a host that the operator listed.")
    secret_ref = serializers.CharField(max_length=40, help_text="Id of the hook whose secret signs.")


def callback_of(data: dict[str, Any]) -> Callback | None:
    """The callback of a validated body."""
    given = data.get("callback")
    return None if given is None else Callback(given["url"], given["secret_ref"])


class HookRequestSerializer(serializers.Serializer[Any]):
    """The body of a new hook."""

    url = serializers.CharField(max_length=URL_CHARS, help_text="https, of a host that the operator listed.")


class HookSerializer(serializers.ModelSerializer[Hook]):
    """A hook as an operator sees it."""

    class Meta:
        """What is shown; never the secret."""

        model = Hook
        fields = ["id", "url", "active", "created", "removed"]


class AddedSerializer(HookSerializer):
    """A new hook with its secret, which is shown this once."""

    secret = serializers.CharField(read_only=True, help_text="Shown once.")

    class Meta(HookSerializer.Meta):
        """With the secret."""

        fields = [*HookSerializer.Meta.fields, "secret"]


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """A message and what became of it."""

    hook = serializers.UUIDField(source="hook_id")

    class Meta:
        """What is shown."""

        model = Delivery
        fields = [
            "id", "hook", "url", "event", "state", "attempts", "status", "problem", "created", "finished",
        ]  # fmt: skip
