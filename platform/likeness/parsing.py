"""Bodies of requests: bounded, read once, and without a single key that the serializer does not declare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import DataAndFiles, JSONParser, MultiPartParser

UPLOAD_MAX_BYTES = 2 * 2**30
OVERHEAD_BYTES = 2**20  # part headers and form fields around the files


class StrictJSONParser(JSONParser):
    """JSON of bounded size: no repeated keys, no NaN, no key beyond the serializer's."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002  the signature is DRF's
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Give the decoded body.

        Raises:
            ParseError: no JSON, or a key twice.
            ValidationError: a key that the view's serializer does not declare.
            RequestDataTooBig: more than the settings allow.
        """
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise RequestDataTooBig
        try:
            data = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
        except (UnicodeDecodeError, ValueError, RecursionError) as error:
            raise ParseError(f"The body is no JSON: {error}.") from error
        if isinstance(data, dict):
            refuse_unknown(data, parser_context)
        return data


class StrictMultiPartParser(MultiPartParser):
    """Forms with files: bounded, streamed to disk, no part beyond the serializer's fields."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> DataAndFiles[Any, Any]:
        """Give the form's fields and files.

        Raises:
            ParseError: no multipart.
            ValidationError: a part that the view's serializer does not declare.
            RequestDataTooBig: more than an upload may have.
        """
        request = (parser_context or {})["request"]
        if int(request.META.get("CONTENT_LENGTH") or 0) > UPLOAD_MAX_BYTES + OVERHEAD_BYTES:
            raise RequestDataTooBig
        parsed = super().parse(stream, media_type, parser_context)
        refuse_unknown({**dict.fromkeys(parsed.data), **dict.fromkeys(parsed.files)}, parser_context)
        return parsed


def serializer_of(view: Any, method: str) -> Any:
    """Give the serializer class that the view declares for the body of a method, or None."""
    by_method = getattr(view, "serializer_classes", None)
    if by_method is not None:
        return by_method.get(method)
    return getattr(view, "serializer_class", None)


def refuse_unknown(data: Mapping[str, Any], context: Mapping[str, Any] | None) -> None:
    """Refuse keys that the view's serializer does not declare.

    Raises:
        ValidationError: with every unknown key.
    """
    view, request = (context or {}).get("view"), (context or {}).get("request")
    declared = serializer_of(view, request.method if request is not None else "POST")
    if declared is None:
        return
    known = {name for name, field in declared().get_fields().items() if not field.read_only}
    unknown = sorted(set(data) - known)
    if unknown:
        raise ValidationError(
            {name: ["This field does not exist."] for name in unknown}, code="unknown_field"
        )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
