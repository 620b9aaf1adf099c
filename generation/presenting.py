"""Changes: ask that a likeness says a script, look at how it would be said, stop it.

Order of checks; nothing below runs before the line above has passed: the request and its markup; the words;
the consent of the face, of the performer and of the voice; then the log; only then a word is spoken. What is
made is footage, which goes through the gate again like anybody's.
"""

from __future__ import annotations

import math
import re
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit import services as audit
from audit.events import Actor, GateDecided
from consent import selectors as consents
from consent.errors import ConsentError
from consent.licence import Use
from generation import (
    composing,
    hooks,
    leases,
    queueing,
    recordings,
    selectors,
    services,
    speaking,
    templating,
)
from generation.composing import SECONDS_A_CHARACTER, script_of
from generation.errors import (
    ClientIdTakenError,
    JobStateError,
    NotFoundError,
    PresentInvalidError,
    QuotaError,
    RefusedError,
    RoleError,
)
from generation.gate import text as gate
from generation.gate.reasons import hint
from generation.gate.text import Hit, Outcome
from generation.models import OPEN_STATES, Presentation, PresentationState
from generation.presenter.errors import PresenterError
from generation.presenter.normalise import Language
from generation.presenter.script import Kind, Script
from generation.presenter.storyboard import SceneSpec
from generation.presenter.voices import VoiceEntry
from generation.speaking import commitment
from generation.staging import layout_of
from generation.templating import Pin, Pinned

OPERATION = "lip_sync"
POLICY, POLICY_VERSION = "script", 1
CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{3,64}")


@dataclass(frozen=True, slots=True)
class PresentRequest:
    """Who says what, where it will be shown, and how it looks."""

    identity_id: str
    performer_id: str
    script: str
    purpose: str
    channel: str
    language: str = "zh"
    kind: str = "text"
    voice: str = ""
    territory: str = "CN"
    product: str = ""
    format: str = "landscape"
    colour: str = "#3c6e96"
    subtitles: bool = True
    callback: hooks.Callback | None = None
    template: templating.TemplateUse | None = None
    """Decides about format, colour and subtitles when it is given."""
    transparent: bool = False
    """Nothing behind the person: WebM with VP9 and its cover, in place of MP4."""
    revises: str = ""
    """Client id of an earlier presentation, whose unchanged sentences are taken over where that may be."""
    recording: str = ""
    """Id of an uploaded sound that takes the place of a synthetic voice."""
    voice_identity: str = ""
    """Whose voice the recording is."""
    idle: str = ""
    """Id of an uploaded clip of the performer in silence: it is driven in place of the portrait."""
    scenes: tuple[SceneSpec, ...] = ()
    """In place of ``script``."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """How a script would be said, and what stands against it; nothing was spoken.

    ``voices``: all that it needs; the first is ``voice``. ``sentences``: how many each scene has.
    """

    script: Script
    voice: VoiceEntry
    seconds: int
    hits: tuple[Hit, ...] = field(default=())
    voices: tuple[VoiceEntry, ...] = field(default=())
    sentences: tuple[int, ...] = ()


def review(request: PresentRequest) -> Reviewed:
    """Read a script and screen its words; for the studio while somebody types.

    Raises:
        PresenterError: it cannot be spoken as it stands, or no voice speaks its language.
        PresentInvalidError: language, kind, format or colour are not known, or fields contradict each other.
    """
    language, kind = _language(request.language), _kind(request.kind)
    layout_of(request.format, request.colour)
    script, sentences = composing.words_of(request, language=language, kind=kind)
    voices = composing.voices_for(request, script)
    seconds = composing.seconds_for(script)
    return Reviewed(script, voices[0], seconds, words_against(script), voices, sentences)


def words_against(script: Script) -> tuple[Hit, ...]:
    """What must not be said, in the words as shown and as spoken; places are those of the shown text."""
    lexicon = gate.built_in()
    shown = gate.screen(script.text, lexicon=lexicon)
    known = {hit.code for hit in shown}
    spoken = gate.screen(script.spoken, lexicon=lexicon)
    # what only the spoken form says (a <sub>, a phone number read out) has no place in the shown text
    unseen = {
        hit.code: Hit(hit.code, 0, len(script.text), hit.outcome) for hit in spoken if hit.code not in known
    }
    return (*shown, *unseen.values())


def present(request: PresentRequest, *, client_id: str, by: Actor) -> Presentation:
    """Ask for a video of a script; the same request under the same id is the same presentation.

    Raises:
        RoleError: the actor may not request generations.
        PresentInvalidError, PresenterError: the request or its script cannot be used; nothing is kept.
        NotFoundError: no such identity, or no such presentation to revise, in this tenant.
        ClientIdTakenError: this id belongs to another request.
        CallbackRefusedError: the address to be told is not called.
        TemplateUnusableError: no version of the template passes its checks.
        QuotaError: the tenant has as many in flight as it may have.
        RefusedError: the gate refuses; the presentation is kept as rejected and the decision logged.
    """
    if not by.has("requester"):
        raise RoleError("Only a requester may ask for a generation.")
    if not CLIENT_ID.fullmatch(client_id):
        raise PresentInvalidError(
            "The id is 3 to 64 letters, digits, - and _.", fields={"id": ["Change it."]}
        )
    digest = composing.digest_of(request)
    if (known := _known(client_id, digest, tenant=by.tenant)) is not None:
        return known
    request, pinned = in_template(request, tenant=by.tenant)
    reviewed = review(request)
    composing.require_backgrounds(request, tenant=by.tenant)
    composing.require_idle(request, tenant=by.tenant)
    recording = composing.recording_of(request, tenant=by.tenant)
    if recording is not None:
        reviewed = replace(reviewed, seconds=math.ceil(recordings.seconds_of(recording)))
    require_people(request, tenant=by.tenant)
    reasons = reasons_against(request, reviewed, tenant=by.tenant)
    if pinned is not None:
        reasons = tuple(dict.fromkeys((*templating.reasons_against(pinned, tenant=by.tenant), *reasons)))
    try:
        scene = composing.scene_record(request, reviewed.sentences, recording)
        row = _write(request, reviewed, reasons, pinned, scene, client_id=client_id, digest=digest, by=by)
    except IntegrityError:  # the same request came twice at once
        again = _known(client_id, digest, tenant=by.tenant)
        if again is None:
            raise
        return again
    if row.state == PresentationState.REJECTED:
        raise RefusedError(row.message, job=str(row.pk), code=row.code, reasons=reasons, hint=row.hint)
    return row


def cancel(client_id: str, *, by: Actor) -> Presentation:
    """Stop a presentation; what its job has begun is stopped with it.

    Raises:
        RoleError, NotFoundError: not allowed; no such presentation in this tenant.
        JobStateError: it has ended already.
    """
    if not (by.has("requester") or by.has("operator")):
        raise RoleError("Only a requester or an operator may cancel a presentation.")
    row = selectors.presentation(client_id, tenant=by.tenant)
    if _stop(row):
        return row
    if row.job is None or row.job.state not in OPEN_STATES:
        raise JobStateError(f"Presentation {client_id} has ended.")
    services.cancel(row.job.pk, by=by)
    row.refresh_from_db()
    return row


@transaction.atomic
def _stop(row: Presentation) -> bool:
    """Close a presentation that has no job yet; False when it has one, or has ended."""
    now = timezone.now()
    waiting = (PresentationState.QUEUED, PresentationState.DRIVING)
    stopped = Presentation.objects.filter(pk=row.pk, state__in=waiting).update(
        state=PresentationState.CANCELLED, finished=now, touched=now
    )
    row.refresh_from_db()
    if stopped:
        hooks.presentation_ended(row)
    return bool(stopped)


def reasons_against(request: PresentRequest, reviewed: Reviewed, *, tenant: str) -> tuple[str, ...]:
    """Why the gate refuses: words, licence, performer's release, voice; empty when it does not."""
    found = [hit.code if hit.outcome is Outcome.REFUSE else "text.review" for hit in reviewed.hits]
    use = Use(
        operation=OPERATION,
        purpose=request.purpose,
        channel=request.channel,
        territory=request.territory,
        language=request.language,
        seconds=reviewed.seconds,
        product=request.product,
    )
    now = timezone.now()
    try:
        allowed = consents.permission(request.identity_id, tenant=tenant, use=use, now=now)
        found += allowed.reasons
        performing = {each.identity_id for each in consents.performers(tenant=tenant, use=use, now=now)}
    except ConsentError:
        return (*dict.fromkeys(found), "gate.missing_fact")
    if request.performer_id not in performing:
        found.append("performer.no_release")
    found += speaking.reasons_against(reviewed.voices or (reviewed.voice,), tenant=tenant, use=use, now=now)
    return tuple(dict.fromkeys(found))


def in_template(
    request: PresentRequest, *, tenant: str, pin: Pin = templating.pin
) -> tuple[PresentRequest, Pinned | None]:
    """The request with its template's values and look, and the version that ``pin`` finds for it.

    Raises:
        NotFoundError, TemplateUnusableError: no such template; no version of it passes its checks.
        TemplateInvalidError: the variables do not fit, or the script names what the template does not have.
    """
    if request.template is None:
        composing.require_plain(request)
        return request, None
    if request.transparent:
        raise PresentInvalidError(
            "A template has a background.", fields={"transparent": ["Leave it out, or the template."]}
        )
    pinned = pin(request.template, tenant=tenant)
    look = templating.format_of(pinned, tenant=tenant)
    return replace(composing.filled(request, pinned, tenant=tenant), **look), pinned


def require_people(request: PresentRequest, *, tenant: str) -> None:
    """Make sure that everybody whom a request names is here.

    Raises:
        NotFoundError: somebody is not.
    """
    owner = (request.voice_identity,) if request.voice_identity else ()
    for identity_id in (request.identity_id, request.performer_id, *owner):
        try:
            consents.identity(identity_id, tenant=tenant)
        except ConsentError:
            raise NotFoundError("There is no such identity.") from None


def _known(client_id: str, digest: str, *, tenant: str) -> Presentation | None:
    row = Presentation.objects.filter(tenant=tenant, client_id=client_id).first()
    if row is not None and row.request_sha256 != digest:
        raise ClientIdTakenError(f"The id {client_id} belongs to another request.")
    return row


@transaction.atomic
def _write(
    request: PresentRequest,
    reviewed: Reviewed,
    reasons: Sequence[str],
    pinned: Pinned | None,
    scene: dict[str, Any],
    *,
    client_id: str,
    digest: str,
    by: Actor,
) -> Presentation:
    if not reasons:
        require_room(by.tenant)
    row = Presentation(
        tenant=by.tenant,
        client_id=client_id,
        request_sha256=digest,
        requester=by.id,
        identity_id=request.identity_id,
        performer_id=request.performer_id,
        script=composing.written(request),
        kind=request.kind,
        language=request.language,
        voice=reviewed.voice.id,
        scene=scene,
        purpose=request.purpose,
        channel=request.channel,
        territory=request.territory,
        product=request.product,
        nonce=secrets.token_hex(16),
        callback=hooks.require(request.callback, tenant=by.tenant),
        revises=selectors.presentation(request.revises, tenant=by.tenant) if request.revises else None,
        hits=[asdict(hit) for hit in reviewed.hits],
    )
    if reasons:
        row.state, row.finished = PresentationState.REJECTED, timezone.now()
        row.code, row.hint, row.reasons = reasons[0], hint(reasons[0]), list(reasons)
        row.message = f"Refused: {', '.join(reasons)}."
    if pinned is not None:
        row.scene["template"] = pinned.as_record()
        if pinned.problem:
            templating.note_fallback(row, row.scene["template"])
    row.save(force_insert=True)
    audit.append(_decided(row, reviewed.script, reasons), actor=by)
    if reasons:
        hooks.presentation_ended(row)
    else:
        queueing.send_on_commit("drive", str(row.pk))
    return row


def require_room(tenant: str, *, more: int = 1) -> None:
    """Make sure that the tenant may have so many more in flight; held until the transaction ends.

    Raises:
        QuotaError: it may not.
    """
    leases.queue_up(leases.QUOTAS, tenant)
    allowed = int(settings.LIKENESS_PRESENTATIONS_OPEN)
    flying = selectors.open_presentations(tenant=tenant)
    if flying + more > allowed:
        raise QuotaError(f"{flying} presentations are in flight; the tenant may have {allowed} at once.")


def _decided(row: Presentation, script: Script, reasons: Sequence[str]) -> GateDecided:
    return GateDecided(
        job=row.id.hex,
        stage="script",
        decision="refuse" if reasons else "admit",
        reasons=tuple(reasons),
        rule=reasons[0] if reasons else "",
        policy=POLICY,
        policy_version=POLICY_VERSION + gate.built_in().version,
        identity=row.identity_id,
        script=commitment(row, script),
    )


def _language(name: str) -> Language:
    try:
        return Language(name)
    except ValueError:
        known = ", ".join(Language)
        raise PresentInvalidError(
            f"There is no language {name[:20]!r}.", fields={"language": [known]}
        ) from None


def _kind(name: str) -> Kind:
    try:
        return Kind(name)
    except ValueError:
        raise PresentInvalidError(
            f"There is no kind {name[:20]!r}.", fields={"kind": ["text, ssml"]}
        ) from None


def places(error: PresenterError) -> dict[str, Any]:
    """Where in the script an error is, for an answer; empty for errors without a place."""
    start, end = getattr(error, "start", 0), getattr(error, "end", 0)
    readings = list(getattr(error, "readings", ()))
    return {"start": start, "end": end, **({"readings": readings} if readings else {})} if end else {}


def new_client_id() -> str:
    """An id for those who do not bring their own."""
    return uuid.uuid4().hex


__all__ = [
    "SECONDS_A_CHARACTER",
    "PresentRequest",
    "Reviewed",
    "cancel",
    "commitment",
    "in_template",
    "layout_of",
    "new_client_id",
    "places",
    "present",
    "reasons_against",
    "require_people",
    "require_room",
    "review",
    "script_of",
    "words_against",
]
