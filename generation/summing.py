"""What became of a request for variants: each cell by itself, and all of them in one word."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from generation import hooks, selectors
from generation.errors import NotFoundError
from generation.models import Job, Presentation, VariantSet

WAITING = "queued"
MOVING = (WAITING, "running")


@dataclass(frozen=True, slots=True)
class Cell:
    """One language said by one identity; ``presentation`` is empty when none came of it, code says why."""

    language: str
    identity: str
    presentation: str
    state: str
    code: str = ""
    message: str = ""
    hint: str = ""
    reasons: tuple[str, ...] = ()


def find(client_id: str, *, tenant: str) -> VariantSet:
    """A request for variants by its client's id.

    Raises:
        NotFoundError: none of that id in this tenant.
    """
    found = VariantSet.objects.filter(tenant=tenant, client_id=client_id).first()
    if found is None:
        raise NotFoundError(f"There are no variants {client_id[:64]}.")
    return found


def cells(row: VariantSet) -> tuple[Cell, ...]:
    """Every cell as it stands now, in the order of the request."""
    rows = row.presentations.select_related("job")
    made = {each.client_id: each for each in rows}
    return tuple(_cell(each, made.get(each["presentation"])) for each in row.cells)


def state_of(found: Iterable[Cell]) -> str:
    """running, succeeded, failed, or partial when some cells succeeded and others did not."""
    states = {cell.state for cell in found}
    if states & set(MOVING):
        return "running"
    if states == {"succeeded"}:
        return "succeeded"
    return "partial" if "succeeded" in states else "failed"


def settle() -> int:
    """Close the requests whose cells have all ended and tell of them; gives how many."""
    keys = VariantSet.objects.filter(finished=None).values_list("pk", flat=True)
    return sum(_settled(key) for key in list(keys))


@transaction.atomic
def _settled(key: uuid.UUID) -> bool:
    row = VariantSet.objects.select_for_update(skip_locked=True).filter(pk=key, finished=None).first()
    if row is None or (state := state_of(cells(row))) == "running":
        return False
    row.finished = timezone.now()
    row.save(update_fields=["finished"])
    hooks.variants_ended(row, state=state)
    return True


def _cell(kept: dict[str, str], made: Presentation | None) -> Cell:
    place = (kept["language"], kept["identity"])
    if made is None:
        if not kept.get("code"):
            return Cell(*place, kept["presentation"], WAITING)
        return Cell(
            *place, "", "rejected", kept["code"], kept["message"], kept["hint"], tuple(kept["reasons"])
        )
    ended: Presentation | Job = made.job if made.job is not None and not made.code else made
    state = selectors.presentation_state(made)
    if not ended.code:
        return Cell(*place, made.client_id, state)
    return Cell(*place, made.client_id, state, ended.code, ended.message, ended.hint, tuple(ended.reasons))
