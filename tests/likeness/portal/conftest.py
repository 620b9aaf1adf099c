from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import request_finished
from django.db import close_old_connections
from django.test import Client
from django.utils import timezone

from consent import erasure, services
from generation.models import (
    Delivery,
    Hook,
    Job,
    Media,
    Presentation,
    SceneTemplate,
    TemplateVersion,
    VariantSet,
)
from generation.presenter.templates import sha256_of
from tests.consent import fakes
from tests.consent.samples import make_terms

VIDEO = bytes(range(256)) * 40


class Browser(Client):
    """A client that reads an answer to its end, as a browser does; ``body`` are its bytes."""

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        response.body = response.getvalue() if response.streaming else response.content
        request_finished.disconnect(close_old_connections)  # as the client itself does around a request
        response.close()
        request_finished.connect(close_old_connections)
        return response


@pytest.fixture(autouse=True)
def _edges(settings, home):
    settings.LIKENESS_FACE_EMBEDDER = "tests.consent.fakes.analyse"
    settings.LIKENESS_REVOCATION_HANDLERS = ["generation.services.withdraw"]


@pytest.fixture
def sign_in(people) -> Callable[[str], Browser]:
    """A browser in which the person of a role is signed in."""

    def make(role: str) -> Browser:
        client = Browser()
        client.force_login(people[role])
        return client

    return make


@pytest.fixture
def stranger(person) -> Browser:
    """A browser of somebody with every role in another tenant."""
    roles = ("requester", "legal", "business", "expert", "auditor", "operator")
    client = Browser()
    client.force_login(person(*roles, tenant="other"))
    return client


@pytest.fixture
def world(people) -> SimpleNamespace:
    """Short ways to rows in a given state."""
    by = {name: user.actor for name, user in people.items()}

    def enrol(name: str = "王五", **changes: Any) -> Any:
        values = {"status": "living", "kind": "likeness", "portraits": [fakes.picture("wang")], **changes}
        return services.enrol(name=name, by=by["requester"], **values)

    def submit(person: Any = None, **changes: Any) -> Any:
        return services.submit((person or enrol()).id, terms=make_terms(**changes), by=by["requester"])

    def activate(person: Any = None, **changes: Any) -> Any:
        row = submit(person, **changes)
        services.approve(row.id, role="legal", by=by["legal"])
        return services.approve(row.id, role="business", by=by["business"])

    def erased() -> Any:
        person = enrol()
        erasure.erase(person.id, by=by["legal"])
        return person

    return SimpleNamespace(
        by=by,
        enrol=enrol,
        submit=submit,
        activate=activate,
        erased=erased,
        job=make_job(by),
        presentation=make_presentation(by),
        template=make_template(by),
        hook=make_hook(by),
        delivery=make_delivery,
        variants=make_variants(by),
    )


MARKING = {
    "strength": 0.8,
    "profile": "standard",
    "label": {"text": "AI生成 · AI GENERATED", "place": "top-right"},
    "width_px": 640,
    "height_px": 360,
}
LABELLING = {"profile": "cn/1", "form": "gb45438-2025/2", "raised_by": ["operator"]}


def make_job(by: dict[str, Any]) -> Callable[..., Job]:
    """Jobs in any state, with an output where the state has one."""
    count = iter(range(1, 1000))

    def make(state: str = "running", *, identity: Any = None, consent: Any = None, **values: Any) -> Job:
        number, tenant = next(count), values.pop("tenant", "demo")
        fields: dict[str, Any] = {
            "requester": by["requester"].id,
            "identity_id": identity.id if identity else "idn_" + "0" * 16,
            "purpose": "product_explainer",
            "channel": "branch_screen",
            "territory": "CN",
            "language": "zh",
        }
        if state in ("queued", "running", "sealing", "done", "withdrawn"):
            fields |= {"permit": "p", "admission_index": number, "mark_id": f"{number:016x}"}
            fields["consent_id"] = consent.id if consent else "con_" + "0" * 16
        if state in ("done", "withdrawn"):
            blob = storages["blobs"].put(io.BytesIO(VIDEO))
            fields |= {"output_sha256": blob, "output_bytes": len(VIDEO), "output_mime": "video/mp4"}
            fields |= {"poster_sha256": blob, "before_sha256": blob, "finished": timezone.now()}
        if state in ("failed", "refused"):
            fields |= {"code": "scope.purpose", "reasons": ["scope.purpose"]}
        media, _ = Media.objects.get_or_create(
            tenant=tenant, sha256="a" * 64, defaults={"bytes": 1, "kind": "video"}
        )
        marks = {"marking": MARKING, "labelling": LABELLING}
        return Job.objects.create(tenant=tenant, state=state, media=media, **marks | fields | values)

    return make


def make_presentation(by: dict[str, Any]) -> Callable[..., Presentation]:
    """Presentations in any state; from ``generating`` on with a job."""
    count = iter(range(1, 1000))

    def make(state: str = "queued", **values: Any) -> Presentation:
        blob = storages["blobs"].put(io.BytesIO(b"WEBVTT\n"))
        fields: dict[str, Any] = {
            "client_id": f"video-{next(count)}",
            "requester": by["requester"].id,
            "identity_id": "idn_" + "0" * 16,
            "performer_id": "idn_" + "1" * 16,
            "script": "您好。您的余额为¥1,234.56。",
            "kind": "text",
            "language": "zh",
            "voice": "sample-zh",
            "purpose": "product_explainer",
            "channel": "branch_screen",
            "territory": "CN",
            "scene": {"format": "preview", "colour": "#3c6e96", "subtitles": True},
        }
        if state in ("failed", "rejected"):
            fields |= {"code": "text.promise", "reasons": ["text.promise"], "finished": timezone.now()}
        if values.get("job") is not None:
            fields |= {"srt_sha256": blob, "vtt_sha256": blob}
        return Presentation.objects.create(tenant="demo", state=state, **fields | values)

    return make


SCENE = {"format": "preview", "title": "{{name}}", "variables": {"name": "text", "sum": "amount"}}


def make_template(by: dict[str, Any]) -> Callable[..., TemplateVersion]:
    """Versions of templates in any state; an approved one is the one in use."""

    def make(state: str = "approved", *, name: str = "balance", **values: Any) -> TemplateVersion:
        document = values.pop("document", SCENE)
        row, _made = SceneTemplate.objects.get_or_create(tenant="demo", name=name)
        fields: dict[str, Any] = {
            "document": document,
            "sha256": sha256_of(document),
            "author": by["operator"].id,
        }
        if state == "approved":
            fields |= {"approver": by["business"].id, "approved": timezone.now()}
        fields |= {"number": row.versions.count() + 1, "state": state}
        made: TemplateVersion = TemplateVersion.objects.create(template=row, **fields | values)
        if state == "approved":
            row.active = made
            row.save()
        return made

    return make


def make_hook(by: dict[str, Any]) -> Callable[..., Hook]:
    """Webhooks, each with an address of its own."""
    count = iter(range(1, 1000))

    def make(**values: Any) -> Hook:
        fields = {
            "tenant": "demo",
            "url": f"https://bank.example/{next(count)}",
            "creator": by["operator"].id,
        }
        return Hook.objects.create(**fields | values)

    return make


def make_delivery(hook: Hook, state: str = "delivered", **values: Any) -> Delivery:
    """A message to a webhook."""
    now = timezone.now()
    fields: dict[str, Any] = {"url": hook.url, "event": "presentation.succeeded", "body": "{}", "due": now}
    if state != "waiting":
        fields |= {"finished": now, "status": 204 if state == "delivered" else 500, "attempts": 3}
        fields |= {"problem": "" if state == "delivered" else "status"}
    return Delivery.objects.create(tenant="demo", hook=hook, state=state, **fields | values)


def make_variants(by: dict[str, Any]) -> Callable[..., VariantSet]:
    """Requests for several versions: each cell (language, identity, presentation or code)."""

    def make(*cells: tuple[str, str, Any]) -> VariantSet:
        row = VariantSet.objects.create(
            tenant="demo",
            client_id="set-1",
            request_sha256="0" * 64,
            requester=by["requester"].id,
            cells=[_cell(*cell) for cell in cells or [("zh", "idn_" + "0" * 16, "scope.language")]],
        )
        for _language, _identity, made in cells:
            if isinstance(made, Presentation):
                made.variants = row
                made.save()
        return row

    return make


def _cell(language: str, identity: str, made: Presentation | str) -> dict[str, Any]:
    cell: dict[str, Any] = {"language": language, "identity": identity, "asked": True}
    if isinstance(made, Presentation):
        return cell | {"presentation": made.client_id}
    return cell | {"presentation": "", "code": made, "message": "No.", "hint": "", "reasons": [made]}


def upload(data: bytes, name: str = "file.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)
