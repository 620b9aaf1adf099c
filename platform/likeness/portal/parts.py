"""Long lists in parts, by number; no totals are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import Http404, HttpRequest

SIZE = 48
MAX_NUMBER = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows, and the query strings of the parts before and after, empty where there are none."""

    rows: Sequence[Any]
    before: str
    after: str


def part_of(rows: QuerySet[Any], request: HttpRequest) -> Part:
    """The part that ``?part=`` names; the other parameters stay."""
    text = request.GET.get("part", "1")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_NUMBER):
        raise Http404
    number = int(text)
    found = list(rows[(number - 1) * SIZE : number * SIZE + 1])
    if not found and number > 1:
        raise Http404
    return Part(
        rows=found[:SIZE],
        before=_query(request, number - 1) if number > 1 else "",
        after=_query(request, number + 1) if len(found) > SIZE else "",
    )


def _query(request: HttpRequest, number: int) -> str:
    return "?" + urlencode({**request.GET.dict(), "part": str(number)})
