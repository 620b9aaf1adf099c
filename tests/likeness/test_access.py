"""Who reaches what: every address of the URL configuration, by two tenants and a stranger.

A new address fails here until somebody names its parameters or says that it is public.
"""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver
from rest_framework.test import APIClient
from rest_framework.views import APIView

from audit import selectors as log
from consent import services as consents
from generation import services as generations
from generation.models import (
    Export,
    Hook,
    Job,
    JobState,
    Presentation,
    PresentationState,
    SceneTemplate,
    TemplateVersion,
    VariantSet,
)
from likeness.accounts import services as accounts
from likeness.accounts.roles import Role
from tests.consent import fakes
from tests.consent.samples import make_terms
from tests.generation.fakes import GREEN, portrait
from tests.likeness.portal.conftest import LABELLING, MARKING

PUBLIC = {"healthz", "log/checkpoint", "log/tile/<path:path>", "sign-in/", "language/", "sign-out/"} | {
    "check/",
    "api/v1/check/",
}
SHARED = {
    # Of the installation, not of a tenant: the signed head of the one log, and what authorities say of heads.
    "api/v1/audit/checkpoint",
    "api/v1/schema/",
    "record/checkpoint/",
    "record/timestamps/<int:size>/",
    "",
}
MISSING = {
    "identity_id": "idn_" + "0" * 16,
    "portrait_id": "por_" + "0" * 16,
    "consent_id": "con_" + "0" * 16,
    "entry_id": "blk_" + "0" * 16,
    "media_id": str(uuid.UUID(int=1)),
    "job_id": str(uuid.UUID(int=1)),
    "index": "987654",
    "size": "987654",
    "export_id": str(uuid.UUID(int=1)),
    "hook_id": str(uuid.UUID(int=1)),
    "template": "nothing",
    "number": "987",
    "client_id": "nothing-1",
    "kind": "srt",
}
OWN = {
    ("put", "api/v1/presentations/<str:client_id>/"),
    ("put", "api/v1/presentations/<str:client_id>/variants"),
    ("post", "api/v1/templates/<slug:template>/"),
}
"""Routes that make a thing of the caller's own under an id of their choice: there is nothing to hide."""
BODIES: dict[str, dict[str, Any]] = {
    "approve": {"role": "legal"},
    "reject": {"reason": "other"},
    "revoke": {"reason": "other"},
    "rollback": {"version": 1},
    "exports": {"recipient": "a bank", "agreement": "AGR-1", "purpose": "other", "declared": True},
}
REFUSED = {"code": "scope.language", "message": "Refused.", "hint": "", "reasons": ["scope.language"]}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}


@dataclass(frozen=True)
class Route:
    address: str
    view: Any

    @property
    def api(self) -> bool:
        return self.address.startswith("api/")

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"<\w+:(\w+)>", self.address)

    @property
    def methods(self) -> list[str]:
        names = getattr(self.view, "http_method_names", [])
        return [
            name
            for name in ("get", "post", "put", "patch", "delete")
            if name in names and hasattr(self.view, name)
        ]

    def filled(self, values: dict[str, str]) -> str:
        return "/" + re.sub(r"<\w+:(\w+)>", lambda match: values[match[1]], self.address)


def routes(patterns: Any = None, prefix: str = "") -> Iterator[Route]:
    for item in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(item, URLResolver):
            yield from routes(item.url_patterns, prefix + str(item.pattern))
        elif isinstance(item, URLPattern):
            view = getattr(item.callback, "view_class", None) or getattr(item.callback, "cls", item.callback)
            yield Route(prefix + str(item.pattern), view)


SESSION = {"studio/table/<slug:batch>/"}
"""What lies in the session of one person: nobody else can name it (tests/likeness/portal/test_studio.py)."""
PRIVATE = [route for route in routes() if route.address not in PUBLIC | SESSION]


def test_every_public_address_exists():
    assert {route.address for route in routes()} >= PUBLIC | SHARED


def test_every_parameter_of_an_address_has_an_object_here():
    assert {name for route in PRIVATE for name in route.parameters} <= set(MISSING)


@pytest.mark.parametrize("route", [route for route in PRIVATE if route.api], ids=lambda route: route.address)
def test_a_writing_route_declares_the_serializer_of_its_body(route):
    assert issubclass(route.view, APIView)
    for method in set(route.methods) - {"get"}:
        declared = getattr(route.view, "serializer_classes", {}).get(method.upper())
        own = [base for base in route.view.__mro__ if "serializer_class" in vars(base)]
        assert declared or (own and own[0].__module__.split(".")[0] != "rest_framework"), method


@dataclass
class World:
    values: dict[str, str]
    owner: Any
    other: Any

    def client(self, route: Route, user: Any) -> Client:
        if not route.api:
            made = Client(raise_request_exception=False)
            if user:
                made.force_login(user)
            return made
        made = APIClient(raise_request_exception=False)
        if user:
            key = accounts.create_api_key(user=user, label="matrix")
            made.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
        return made

    def call(self, route: Route, method: str, user: Any, values: dict[str, str]) -> Any:
        client, address = self.client(route, user), route.filled(values)
        if method == "get":
            return client.get(address)
        body = dict(BODIES.get(address.rstrip("/").rsplit("/", 1)[-1], {}))
        if "portraits" in address:
            body["portrait"] = SimpleUploadedFile("x.png", fakes.picture("li", 7))
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        if route.api:
            kind = "multipart" if "portrait" in body else "json"
            return getattr(client, method)(address, body, format=kind, headers=headers)
        return client.post(address, body, headers=headers)


@pytest.fixture
def world(home, sequencing, people, person, settings) -> World:
    """One of everything in the tenant "demo"."""
    settings.LIKENESS_FACE_EMBEDDER = "tests.consent.fakes.analyse"
    by = {name: user.actor for name, user in people.items()}
    pictures = [fakes.picture("wang", number) for number in range(2)]
    who = consents.enrol(
        name="王五", status="living", kind="likeness", portraits=pictures, by=by["requester"]
    )
    consent = consents.submit(who.id, terms=make_terms(), by=by["requester"])
    block = consents.block(image=fakes.picture("zhao", 1), identity_id=None, reason="other", by=by["legal"])
    media = generations.upload(io.BytesIO(portrait(GREEN)), by=by["requester"])
    blob = storages["blobs"].put(io.BytesIO(b"\xff\xd8 a picture or a film \xff\xd9"))
    job = Job.objects.create(
        tenant="demo",
        requester=by["requester"].id,
        state=JobState.DONE,
        identity_id=who.id,
        consent_id=consent.id,
        media=media,
        purpose="product_explainer",
        channel="branch_screen",
        territory="CN",
        language="zh",
        admission_index=0,
        permit="x",
        marking=MARKING,
        labelling=LABELLING,
        mark_id="0" * 16,
        output_sha256=blob,
        output_bytes=22,
        output_mime="video/mp4",
        manifest_sha256=blob,
        poster_sha256=blob,
        before_sha256=blob,
    )
    export = Export.objects.create(
        tenant="demo", job=job, agreement="AGR-1", requested_by=by["legal"].id, request_event=uuid.uuid4()
    )
    presentation = Presentation.objects.create(
        tenant="demo",
        client_id="teller-1",
        request_sha256="0" * 64,
        requester=by["requester"].id,
        state=PresentationState.FAILED,
        code="tts_failed",
        identity_id=who.id,
        performer_id=who.id,
        script="您好。",
        kind="text",
        language="zh",
        voice="sample-zh",
        scene={"format": "preview", "colour": "#3c6e96", "subtitles": True},
        purpose="product_explainer",
        channel="branch_screen",
        territory="CN",
        nonce="0" * 32,
        srt_sha256=blob,
    )
    VariantSet.objects.create(
        tenant="demo",
        client_id=presentation.client_id,
        request_sha256="0" * 64,
        requester=by["requester"].id,
        cells=[{"language": "zh", "identity": who.id, "presentation": "", "asked": True} | REFUSED],
    )
    hook = Hook.objects.create(tenant="demo", url="https://bank.example/hook", creator=by["operator"].id)
    look = SceneTemplate.objects.create(tenant="demo", name="balance-1")
    TemplateVersion.objects.create(
        template=look, number=1, document={}, sha256="0" * 64, author=by["operator"].id
    )
    portrait_id = who.portraits.first().id
    index = next(e.index for e in wait_for_entries() if e.event["type"] == "consent.submitted")
    values = {
        "identity_id": who.id,
        "portrait_id": portrait_id,
        "consent_id": consent.id,
        "entry_id": block.id,
        "media_id": str(media.pk),
        "job_id": str(job.pk),
        "index": str(index),
        "size": str(stamped()),
        "export_id": str(export.pk),
        "hook_id": str(hook.pk),
        "template": "balance-1",
        "number": "1",
        "client_id": presentation.client_id,
        "kind": "srt",
    }
    everything = tuple(role.value for role in Role)
    return World(values, owner=person(*everything), other=person(*everything, tenant="other"))


def stamped() -> int:
    """The size of a signed head that has a timestamp, of whatever authority."""
    size = log.checkpoint().size
    with connections["sequencer"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_timestamp VALUES (%s, 'http://tsa.example', 'token', now())", [size]
        )
    return size


def wait_for_entries() -> list[Any]:
    import time

    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = log.latest(50)
        if any(entry.event["type"] == "consent.submitted" for entry in found):
            return found
        time.sleep(0.05)
    raise AssertionError("the sequencer wrote nothing")


def test_no_tenant_reaches_anothers_things(world):
    faults = [
        fault for route in PRIVATE for method in route.methods for fault in judged(world, route, method)
    ]
    assert not faults, "\n".join(faults)


def judged(world: World, route: Route, method: str) -> Iterator[str]:
    from django.core.cache import cache

    cache.clear()  # the throttle is tested elsewhere
    name = f"{method} {route.address}"
    stranger = world.call(route, method, None, world.values)
    if route.api and stranger.status_code != 401:
        yield f"{name}: a stranger got {stranger.status_code}"
    if not route.api and not (stranger.status_code == 302 and "/sign-in/" in stranger["Location"]):
        yield f"{name}: a stranger got {stranger.status_code}"
    other = world.call(route, method, world.other, world.values)
    if route.parameters and route.address not in SHARED and (method, route.address) not in OWN:
        yield from hidden(world, route, method, other)
    elif route.address not in SHARED and leaks(world, other):
        yield f"{name}: shows another tenant's {leaks(world, other)}"
    if method == "get":
        owner = world.call(route, method, world.owner, world.values)
        # A 404 here would hide a hole: the owner must get the thing itself.
        if owner.status_code >= 400:
            yield f"{name}: the owner got {owner.status_code}"
        body(owner)  # a stream must be closed
        for header, value in HEADERS.items():
            if owner.headers.get(header) != value:
                yield f"{name}: {header} is {owner.headers.get(header)}"
        if "default-src 'none'" not in owner.headers.get("Content-Security-Policy", ""):
            yield f"{name}: no content security policy"


def hidden(world: World, route: Route, method: str, other: Any) -> Iterator[str]:
    missing = world.call(route, method, world.other, MISSING)
    if other.status_code != 404:
        yield f"{method} {route.address}: another tenant got {other.status_code}"
    texts = [unnamed(body(other), route, world.values), unnamed(body(missing), route, MISSING)]
    if other.status_code != missing.status_code or (route.api and texts[0] != texts[1]):
        yield f"{method} {route.address}: a foreign thing reads unlike a missing one ({missing.status_code})"


def unnamed(text: bytes, route: Route, values: dict[str, str]) -> bytes:
    """The answer without what was asked for: that may be named."""
    for parameter in route.parameters:
        text = text.replace(values[parameter].encode(), b"?")
    return text


def body(answer: Any) -> bytes:
    if not answer.streaming:
        return answer.content
    content = b"".join(answer.streaming_content)
    answer.close()
    return content


def leaks(world: World, answer: Any) -> list[str]:
    text = body(answer).decode(errors="replace") if answer.status_code == 200 else ""
    return [
        value
        for key, value in world.values.items()
        if key not in ("index", "size", "number", "kind") and value in text
    ] + [word for word in ("王五",) if word in text]


def test_public_addresses_have_the_headers_too(world):
    for address in ("/healthz", "/sign-in/", "/log/checkpoint", "/nothing/here/", "/api/v1/nothing/"):
        answer = Client(raise_request_exception=False).get(address)
        found = {header: answer.headers.get(header) for header in HEADERS}
        assert found == HEADERS, address
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"], address
