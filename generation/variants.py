"""One request, many presentations: languages x identities, each checked, refused and made for itself."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from django.db import IntegrityError, transaction

from audit.events import Actor
from generation import hooks, presenting, summing
from generation.errors import (
    ClientIdTakenError,
    GenerationError,
    JobStateError,
    PresentInvalidError,
    QuotaError,
    RefusedError,
    RoleError,
)
from generation.models import Presentation, VariantSet
from generation.presenter.errors import PresenterError
from generation.presenting import PresentRequest

CELLS_MAX = 100
CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{3,48}")
"""Shorter than a presentation's, for a cell adds its language and number."""
CANCELLED = {"code": "job.cancelled", "message": "The request was cancelled.", "hint": "", "reasons": []}


@dataclass(frozen=True, slots=True)
class Said:
    """What is said in one language."""

    language: str
    script: str
    kind: str = "text"
    voice: str = ""


@dataclass(frozen=True, slots=True)
class VariantsRequest:
    """Who says what in which language; ``plain`` is what all cells share, its callback is the whole's."""

    identities: tuple[str, ...]
    scripts: tuple[Said, ...]
    plain: PresentRequest


def present(request: VariantsRequest, *, client_id: str, by: Actor) -> VariantSet:
    """Ask for every cell; the same request again goes on where it was interrupted.

    Raises:
        RoleError: the actor may not request generations.
        PresentInvalidError: no cells, too many, or one named twice; nothing is kept.
        ClientIdTakenError: this id belongs to another request.
        CallbackRefusedError: the address to be told is not called.
        QuotaError: the tenant may not have so many in flight; cells that were taken on stay.
    """
    if not by.has("requester"):
        raise RoleError("Only a requester may ask for a generation.")
    _require_shape(request, client_id)
    digest = _digest(request)
    row = _known(client_id, digest, tenant=by.tenant) or _write(request, client_id, digest, by=by)
    for number, cell in enumerate(row.cells):
        if not cell.get("asked") and row.finished is None:
            _ask(row, number, request, by=by)
    return row


def cancel(client_id: str, *, by: Actor) -> VariantSet:
    """Stop every cell that has not ended.

    Raises:
        RoleError, NotFoundError: not allowed; no such request in this tenant.
        JobStateError: all of it has ended already.
    """
    if not (by.has("requester") or by.has("operator")):
        raise RoleError("Only a requester or an operator may cancel a presentation.")
    row = summing.find(client_id, tenant=by.tenant)
    moving = [cell for cell in summing.cells(row) if cell.state in summing.MOVING]
    if not moving:
        raise JobStateError(f"The variants {client_id} have ended.")
    _give_up_the_rest(row)
    for made in row.presentations.filter(client_id__in=[cell.presentation for cell in moving]):
        try:
            presenting.cancel(made.client_id, by=by)
        except JobStateError:
            continue  # it ended in between
    return row


def _digest(request: VariantsRequest) -> str:
    return hashlib.sha256(json.dumps(asdict(request), sort_keys=True).encode()).hexdigest()


def _require_shape(request: VariantsRequest, client_id: str) -> None:
    if not CLIENT_ID.fullmatch(client_id):
        raise PresentInvalidError(
            "The id is 3 to 48 letters, digits, - and _.", fields={"id": ["Change it."]}
        )
    languages = [each.language for each in request.scripts]
    for name, given in (("identities", request.identities), ("scripts", languages)):
        if len(set(given)) != len(given):
            raise PresentInvalidError(
                f"One of the {name} is named twice.", fields={name: ["Name each one once."]}
            )
    count = len(request.identities) * len(languages)
    if not 1 <= count <= CELLS_MAX:
        raise PresentInvalidError(
            f"{count} videos are asked for; a request has 1 to {CELLS_MAX}.",
            fields={"identities": ["Ask in several requests."]},
        )


def _known(client_id: str, digest: str, *, tenant: str) -> VariantSet | None:
    row = VariantSet.objects.filter(tenant=tenant, client_id=client_id).first()
    if row is not None and row.request_sha256 != digest:
        raise ClientIdTakenError(f"The id {client_id} belongs to another request.")
    return row


def _write(request: VariantsRequest, client_id: str, digest: str, *, by: Actor) -> VariantSet:
    planned = [
        {"language": said.language, "identity": identity, "presentation": f"{client_id}-{said.language}-{at}"}
        for said in request.scripts
        for at, identity in enumerate(request.identities, start=1)
    ]
    try:
        with transaction.atomic():
            presenting.require_room(by.tenant, more=len(planned))
            return VariantSet.objects.create(
                tenant=by.tenant,
                client_id=client_id,
                request_sha256=digest,
                requester=by.id,
                cells=planned,
                callback=hooks.require(request.plain.callback, tenant=by.tenant),
            )
    except IntegrityError:  # the same request came twice at once
        again = _known(client_id, digest, tenant=by.tenant)
        if again is None:
            raise
        return again


def _ask(row: VariantSet, number: int, request: VariantsRequest, *, by: Actor) -> None:
    """Ask for one cell and write down what came of it.

    Raises:
        QuotaError: others took the room meanwhile; the cell waits for the same request again.
    """
    cell = row.cells[number]
    said = next(each for each in request.scripts if each.language == cell["language"])
    wanted = replace(
        request.plain,
        identity_id=cell["identity"],
        language=said.language,
        script=said.script,
        kind=said.kind,
        voice=said.voice,
        callback=None,
    )
    came: dict[str, object] = {"asked": True}
    try:
        presenting.present(wanted, client_id=cell["presentation"], by=by)
    except QuotaError:
        raise
    except RefusedError:
        pass  # its presentation says why
    except (GenerationError, PresenterError) as error:
        reasons: Sequence[str] = getattr(error, "reasons", ())
        came |= {"code": error.code, "message": str(error), "hint": error.hint, "reasons": list(reasons)}
    _record(row, number, came)


@transaction.atomic
def _record(row: VariantSet, number: int, came: dict[str, object]) -> None:
    locked = VariantSet.objects.select_for_update().get(pk=row.pk)
    locked.cells[number] |= came
    locked.save(update_fields=["cells"])
    row.cells = locked.cells
    if "code" not in came:
        name = locked.cells[number]["presentation"]
        Presentation.objects.filter(tenant=row.tenant, client_id=name).update(variants=locked)


@transaction.atomic
def _give_up_the_rest(row: VariantSet) -> None:
    """Cells that were never asked for are asked for no more."""
    locked = VariantSet.objects.select_for_update().get(pk=row.pk)
    locked.cells = [
        cell if cell.get("asked") else cell | {"asked": True} | CANCELLED for cell in locked.cells
    ]
    locked.save(update_fields=["cells"])
    row.cells = locked.cells
