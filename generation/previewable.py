"""What may be previewed: the checks of a presentation, each decision of them logged; nothing is kept."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.events import Actor, GateDecided
from consent import selectors as consents
from consent.answers import PerformerTemplate
from consent.licence import Use
from generation import composing, counting, judging, looks, presenting, templating
from generation.errors import RefusedError, RoleError
from generation.gate import text as gate
from generation.gate.reasons import hint
from generation.presenting import OPERATION, PresentRequest, Reviewed
from generation.templating import Pinned


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that the gate lets be previewed, with its template's values and look."""

    request: PresentRequest
    pinned: Pinned | None
    reviewed: Reviewed
    use: Use


def admitted(request: PresentRequest, *, by: Actor) -> Admitted:
    """The request, once rows say that it may be previewed.

    Raises:
        RoleError, NotFoundError, PreviewLimitError: not allowed; no such person; too many in a minute.
        PresentInvalidError, PresenterError: it cannot be presented as it stands.
        RefusedError: words or consents stand against it; the log says so.
    """
    if not by.has("requester"):
        raise RoleError("Only a requester may preview a presentation.")
    counting.count_preview(by)
    request, pinned = presenting.in_template(request, tenant=by.tenant, pin=templating.pin_to_look)
    reviewed = presenting.review(request)
    composing.require_backgrounds(request, tenant=by.tenant)
    composing.recording_of(request, tenant=by.tenant)
    presenting.require_people(request, tenant=by.tenant)
    reasons = presenting.reasons_against(request, reviewed, tenant=by.tenant)
    if pinned is not None:
        reasons = tuple(dict.fromkeys((*templating.reasons_against(pinned, tenant=by.tenant), *reasons)))
    if reasons:
        record(request, reasons=reasons, by=by)
        raise refused(reasons)
    use = Use(
        operation=OPERATION,
        purpose=request.purpose,
        channel=request.channel,
        territory=request.territory,
        language=request.language,
        seconds=reviewed.seconds,
        product=request.product,
    )
    return Admitted(request, pinned, reviewed, use)


def require_released(asked: Admitted, *, by: Actor) -> None:
    """Make sure that nobody is on the pictures around the person who has not agreed to it.

    Raises:
        RefusedError: somebody is; the log says so.
    """
    shown = looks.pictures_of(asked.request, asked.pinned, tenant=by.tenant)
    if shown and (found := judging.judge(shown, tenant=by.tenant, use=asked.use).reasons):
        record(asked.request, reasons=found, by=by)
        raise refused(found)


@transaction.atomic
def record(
    request: PresentRequest, *, by: Actor, reasons: tuple[str, ...] = (), consent: str = "", whose: str = ""
) -> None:
    """Write a decision on a preview; nothing is kept of it, so its script is under a nonce nobody has.

    ``consent``: under which a portrait of ``whose`` is opened.
    """
    digest = hashlib.sha256(composing.written(request).encode("utf-8", "surrogatepass")).hexdigest()
    event = GateDecided(
        job=uuid.uuid4().hex,
        stage="preview",
        decision="refuse" if reasons else "admit",
        reasons=reasons,
        rule=reasons[0] if reasons else "",
        policy=presenting.POLICY,
        policy_version=presenting.POLICY_VERSION + gate.built_in().version,
        identity=whose or request.identity_id,
        consents=(consent,) if consent else (),
        script=nonced(digest),
    )
    audit.append(event, actor=by)


def nonced(digest: str) -> str:
    """A commitment to words that nobody can link: a preview is kept nowhere."""
    return hashlib.sha256(f"{secrets.token_hex(16)}:script:{digest}".encode()).hexdigest()


def release(request: PresentRequest, use: Use, *, tenant: str) -> PerformerTemplate:
    """The performer's release for this use, as it is now.

    Raises:
        RefusedError: it went between the check and here.
    """
    people = consents.performers(tenant=tenant, use=use, now=timezone.now())
    found = next((each for each in people if each.identity_id == request.performer_id), None)
    if found is None:
        raise refused(("performer.no_release",))
    return found


def licence(request: PresentRequest, use: Use, *, tenant: str) -> tuple[str, int]:
    """The licence of the face for this use and its epoch, as it is now.

    Raises:
        RefusedError: it went between the check and here.
    """
    allowed = consents.permission(request.identity_id, tenant=tenant, use=use, now=timezone.now())
    if allowed.reasons or allowed.consent_id is None:
        raise refused(allowed.reasons or ("licence.missing",))
    return allowed.consent_id, allowed.epoch


def refused(reasons: tuple[str, ...]) -> RefusedError:
    """What is raised against a preview."""
    message = f"No preview: {', '.join(reasons)}."
    return RefusedError(message, job="", code=reasons[0], reasons=reasons, hint=hint(reasons[0]))
