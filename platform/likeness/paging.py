"""Pages of lists: a cursor over the newest first, no totals, no offsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

if TYPE_CHECKING:
    from rest_framework.views import APIView  # reads the settings that name this module

LIMIT_MAX = 200


class CreatedPages(CursorPagination):
    """``?limit=`` 1..200 and ``&cursor=``; the body is ``{results, next}``."""

    page_size = 50
    max_page_size = LIMIT_MAX
    page_size_query_param = "limit"
    ordering = ("-created", "-id")

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:  # noqa: ARG002
        """Give the view's ``page_order``, or newest first."""
        return tuple(getattr(view, "page_order", self.ordering))

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        """Give the rows of the page.

        Raises:
            NotFound: the cursor was not made here.
        """
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, TypeError, DjangoValidationError):  # a position that is no time or number
            raise NotFound(self.invalid_cursor_message) from None

    def get_page_size(self, request: Request) -> int:
        """Give the limit that the caller asked for.

        Raises:
            ValidationError: no number between 1 and 200.
        """
        raw = request.query_params.get("limit", str(self.page_size))
        if not (raw.isascii() and raw.isdigit() and 1 <= int(raw[:6]) <= LIMIT_MAX):
            raise ValidationError({"limit": [f"Give a number between 1 and {LIMIT_MAX}."]})
        return int(raw)

    def get_paginated_response(self, data: Any) -> Response:
        """Give the page and the address of the next one, null on the last."""
        return Response({"results": data, "next": self.get_next_link()})

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Describe the page for the schema."""
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {"results": dict(schema), "next": link},
        }
