"""What the OpenAPI schema says beyond the views: the key's scheme and the body of errors."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

ERROR = {
    "type": "object",
    "required": ["code", "message", "hint"],
    "properties": {
        "code": {"type": "string", "description": "stable"},
        "message": {"type": "string"},
        "hint": {"type": "string", "description": "what to do next"},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "job": {"type": "string"},
        "reasons": {"type": "array", "items": {"type": "string"}},
    },
}


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its own base
    """Describes ``Authorization: Bearer lk_...``."""

    target_class = "likeness.accounts.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002
        """Give the scheme in OpenAPI's words."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "lk_<id>_<secret>"}


class Schema(AutoSchema):
    """Names each operation by its method and address, which no two share."""

    def get_operation_id(self) -> str:
        """Give for example ``get_jobs_by_job_id``."""
        path = self.path.removeprefix("/api/v1/").replace("{", "by_").replace("}", "")
        words = [word for part in path.split("/") for word in part.split("-") if word]
        return "_".join([self.method.lower(), *words])


def add_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give every operation the one error body, as its default answer."""
    result["components"].setdefault("schemas", {})["Error"] = ERROR
    reference = {"$ref": "#/components/schemas/Error"}
    answer = {"description": "error", "content": {"application/json": {"schema": reference}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"].setdefault("default", answer)
    return result
