"""Telling the outside how jobs and presentations end: registered addresses, signed messages, three tries.

They are told, too, when a look of videos fails its checks or its trial. A message is a row, written in the
transaction of the change that it tells of; a worker sends it. It says ids, states, codes and links, and
nothing about a person. A tenant's hooks are told of everything; a request may name one more address, of the
same host as the hook whose secret signs for it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from audit import services as audit
from audit.events import Actor, HookAdded, HookRemoved
from generation import loaded, queueing, selectors, webhook
from generation.errors import CallbackRefusedError, NotFoundError, RoleError
from generation.models import Delivery, DeliveryState, Hook, Job, Presentation, VariantSet
from generation.webhook import Outcome

log = logging.getLogger(__name__)

HOOKS_MAX = 10
RETRY_AFTER_S = (60, 300)
"""After the first try and after the second: three tries within ten minutes (docs.synthesia.io, webhooks)."""
CLAIM_S = 60
"""A try that has not ended after so long was lost with its worker."""
PING = "ping"


@dataclass(frozen=True, slots=True)
class Callback:
    """Where the asker wants to be told: an address, and the id of the hook whose secret signs."""

    url: str
    secret_ref: str


@dataclass(frozen=True, slots=True)
class Added:
    """A new hook and its secret, which is shown this once."""

    hook: Hook
    secret: str


def add(url: str, *, by: Actor) -> Added:
    """Register an address of the tenant's.

    Raises:
        RoleError: only an operator may.
        CallbackRefusedError: it is not called, is registered already, or there are too many.
    """
    _require_operator(by)
    webhook.check_url(url, _places())
    if Hook.objects.filter(tenant=by.tenant, active=True).count() >= HOOKS_MAX:
        raise CallbackRefusedError(f"There are {HOOKS_MAX} hooks already; remove one first.")
    try:
        with transaction.atomic():
            hook = Hook.objects.create(tenant=by.tenant, url=url, creator=by.id)
            audit.append(HookAdded(hook=hook.id.hex, url=_hash_of(url)), actor=by)
    except IntegrityError:
        raise CallbackRefusedError("This address is registered already.") from None
    return Added(hook, secret_of(hook.id))


@transaction.atomic
def remove(hook_id: str | uuid.UUID, *, by: Actor) -> Hook:
    """Call it no more; what still waited for it is dead.

    Raises:
        RoleError, NotFoundError: not allowed; no such hook in this tenant.
    """
    _require_operator(by)
    hook = Hook.objects.select_for_update().get(pk=find(hook_id, tenant=by.tenant).pk)
    if hook.active:
        now = timezone.now()
        hook.active, hook.removed = False, now
        hook.save(update_fields=["active", "removed"])
        waiting = hook.deliveries.filter(state=DeliveryState.WAITING)
        waiting.update(state=DeliveryState.DEAD, problem="hook_removed", finished=now)
        audit.append(HookRemoved(hook=hook.id.hex), actor=by)
    return hook


def find(hook_id: str | uuid.UUID, *, tenant: str) -> Hook:
    """A hook of the tenant's.

    Raises:
        NotFoundError: none of that id.
    """
    try:
        return Hook.objects.get(pk=hook_id, tenant=tenant)
    except (Hook.DoesNotExist, ValidationError, ValueError):
        raise NotFoundError("There is no such hook.") from None


def registered(*, by: Actor) -> QuerySet[Hook]:
    """The tenant's hooks, newest first; removed ones stay to be seen.

    Raises:
        RoleError: only an operator or an auditor may see them.
    """
    _require_reader(by)
    return Hook.objects.filter(tenant=by.tenant).order_by("-created", "-id")


def deliveries(*, by: Actor, state: str = "") -> QuerySet[Delivery]:
    """What was sent, newest first.

    Raises:
        RoleError: only an operator or an auditor may see them.
        NotFoundError: there is no such state.
    """
    _require_reader(by)
    if state and state not in DeliveryState.values:
        raise NotFoundError(f"There is no state {state[:20]!r}.")
    rows = Delivery.objects.filter(tenant=by.tenant).order_by("-created", "-id")
    return rows.filter(state=state) if state else rows


@transaction.atomic
def ping(hook_id: str | uuid.UUID, *, by: Actor) -> Delivery:
    """Send a message that tells of nothing; its row says what became of it.

    Raises:
        RoleError, NotFoundError: not allowed; no such hook in use.
    """
    _require_operator(by)
    hook = find(hook_id, tenant=by.tenant)
    if not hook.active:
        raise NotFoundError("This hook was removed.")
    return _write(hook, hook.url, PING, {"state": "", "code": "", "links": {}})


def require(callback: Callback | None, *, tenant: str) -> dict[str, str]:
    """What a request's row keeps of its callback, once it is known to be one that may be called.

    Raises:
        CallbackRefusedError: the address is not called, or the secret belongs to another host.
    """
    if callback is None:
        return {}
    target = webhook.check_url(callback.url, _places())
    try:
        hook = find(callback.secret_ref, tenant=tenant)
        own = webhook.check_url(hook.url, _places())
    except NotFoundError:
        raise CallbackRefusedError("secret_ref names no hook of yours.") from None
    if not hook.active or own.place != target.place:
        # a message signed for one receiver and sent to another could be replayed by the other
        raise CallbackRefusedError("secret_ref names no hook in use of this host.")
    return {"url": callback.url, "hook": str(hook.pk)}


def job_ended(job: Job) -> None:
    """A job reached a final state; in the same transaction. A presenter's job speaks as its presentation."""
    presentation = Presentation.objects.select_related("job").filter(job=job).first()
    if presentation is not None:
        presentation.job = job
        presentation_ended(presentation)
        return
    links = {"job": reverse("api-job-detail", args=[job.pk])}
    told = {"job": str(job.pk), "state": str(job.state), "code": job.code, "links": links}
    _tell(job.tenant, f"job.{job.state}", told, job.callback)


def presentation_ended(row: Presentation) -> None:
    """A presentation reached a final state; in the same transaction."""
    state = selectors.presentation_state(row)
    code = row.code or (row.job.code if row.job is not None else "")
    links = {"presentation": reverse("api-presentation", args=[row.client_id])}
    told = {"presentation": row.client_id, "state": state, "code": code, "links": links}
    _tell(row.tenant, f"presentation.{state}", told, row.callback)


def variants_ended(row: VariantSet, *, state: str) -> None:
    """Every cell of a request for variants has ended; in the same transaction."""
    links = {"variants": reverse("api-variants", args=[row.client_id])}
    told = {"variants": row.client_id, "state": state, "code": "", "links": links}
    _tell(row.tenant, f"variants.{state}", told, row.callback)


def template_fell_back(row: Presentation, *, name: str, problem: str) -> None:
    """Another version of a template was used than the one in use; in the same transaction."""
    links = {
        "template": reverse("api-template", args=[name]),
        "presentation": reverse("api-presentation", args=[row.client_id]),
    }
    told = {"template": name, "state": "fell_back", "code": problem, "links": links}
    _tell(row.tenant, "template.fell_back", told, {})


def trial_failed(tenant: str, *, name: str, version: int, code: str) -> None:
    """A version of a template did not pass its trial; in the same transaction."""
    links = {"template": reverse("api-template", args=[name])}
    told = {"template": name, "version": version, "state": "failed", "code": code, "links": links}
    _tell(tenant, "template.trial_failed", told, {})


def deliver(delivery_id: uuid.UUID) -> None:
    """Send a message once, if it is due and nobody else is at it, and write down what became of it."""
    row = _claim(delivery_id)
    if row is None:
        return
    outcome = _send(row)
    now = timezone.now()
    values: dict[str, Any] = {"status": outcome.status, "problem": outcome.problem}
    if outcome.delivered:
        values |= {"state": DeliveryState.DELIVERED, "finished": now}
    elif outcome.final or row.attempts > len(RETRY_AFTER_S):
        values |= {"state": DeliveryState.DEAD, "finished": now}
        log.error("Delivery %s is dead after %s tries: %s.", row.id, row.attempts, outcome.problem)
    else:
        values |= {"due": now + timedelta(seconds=RETRY_AFTER_S[row.attempts - 1]), "asked": None}
    # only what this try claimed: a second try after a lost one has a higher number
    mine = Delivery.objects.filter(pk=row.pk, state=DeliveryState.WAITING, attempts=row.attempts)
    mine.update(**values)


def send_due() -> int:
    """Send what is due and was not sent for, or whose worker died; gives how many messages went out."""
    now = timezone.now()
    lost = now - timedelta(seconds=CLAIM_S)
    waiting = Delivery.objects.filter(state=DeliveryState.WAITING, due__lte=now)
    keys = list(waiting.filter(Q(asked=None) | Q(asked__lt=lost)).values_list("pk", flat=True)[:100])
    Delivery.objects.filter(pk__in=keys).update(asked=now)
    for key in keys:
        queueing.send("call", str(key))
    return len(keys)


def secret_of(hook_id: uuid.UUID) -> str:
    """The secret that signs for a hook: of this installation's key and the hook's id, kept nowhere."""
    digest = hmac.new(loaded.keyring().seed("webhook"), b"hook:" + hook_id.bytes, hashlib.sha256).digest()
    return "lkh_" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


@transaction.atomic
def _claim(delivery_id: uuid.UUID) -> Delivery | None:
    rows = Delivery.objects.select_for_update(skip_locked=True).select_related(None)
    row = rows.filter(pk=delivery_id, state=DeliveryState.WAITING, due__lte=timezone.now()).first()
    if row is None:
        return None
    if row.attempts > len(RETRY_AFTER_S):  # the last try was lost with its worker
        row.state, row.problem, row.finished = DeliveryState.DEAD, "worker_lost", timezone.now()
        row.save()
        return None
    row.attempts += 1
    row.due = timezone.now() + timedelta(seconds=CLAIM_S)
    row.asked = None
    row.save()
    return row


def _send(row: Delivery) -> Outcome:
    try:
        # again, for the list may have changed since
        target = webhook.check_url(row.url, _places())
    except CallbackRefusedError:
        return Outcome(problem="host_refused", final=True)
    try:
        context = webhook.trust(settings.LIKENESS_HOOK_ROOTS)
    except OSError:
        log.exception("LIKENESS_HOOK_ROOTS cannot be read.")
        return Outcome(problem="roots")
    body = row.body.encode()
    stamp = int(timezone.now().timestamp())
    secret = secret_of(row.hook_id)
    headers = webhook.headers_of(secret, timestamp=stamp, body=body, delivery=str(row.pk))
    return webhook.post(target, body, headers, context=context)


def _tell(tenant: str, event: str, told: dict[str, Any], callback: dict[str, str]) -> None:
    """One message to every hook of the tenant, and one to the request's own address."""
    hooks = {str(hook.pk): hook for hook in Hook.objects.filter(tenant=tenant, active=True)}
    targets = [(hook, hook.url) for hook in hooks.values()]
    own = hooks.get(callback.get("hook", ""))
    if own is not None and own.url != callback["url"]:
        targets.append((own, callback["url"]))
    for hook, url in targets:
        _write(hook, url, event, told)


def _write(hook: Hook, url: str, event: str, told: dict[str, Any]) -> Delivery:
    now = timezone.now()
    row = Delivery(tenant=hook.tenant, hook=hook, url=url, event=event, due=now, asked=now)
    row.body = json.dumps(
        {"id": str(row.pk), "event": event, "at": now.isoformat(timespec="seconds"), **told}
    )
    row.save(force_insert=True)
    queueing.send_on_commit("call", str(row.pk))
    return row


def _places() -> tuple[webhook.Place, ...]:
    return webhook.read_places(settings.LIKENESS_HOOK_HOSTS)


def _hash_of(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


def _require_operator(by: Actor) -> None:
    if not by.has("operator"):
        raise RoleError("Only an operator may change hooks.")


def _require_reader(by: Actor) -> None:
    if not (by.has("operator") or by.has("auditor")):
        raise RoleError("Only an operator or an auditor may see hooks.")
