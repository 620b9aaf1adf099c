from __future__ import annotations

import base64
import importlib
import inspect
import json

import pytest
from django.db import OperationalError
from django.test import override_settings
from django.urls import path
from rest_framework import exceptions as drf
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.test import APIClient
from rest_framework.views import APIView

from likeness import api, urls
from likeness.accounts import services
from likeness.accounts.models import User
from likeness.models import IdempotencyKey

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]
ROOTS = (
    ("audit.errors", "AuditError"),
    ("consent.errors", "ConsentError"),
    ("generation.errors", "GenerationError"),
    ("generation.engine.errors", "EngineError"),
    ("watermark.errors", "WatermarkError"),
    ("likeness.errors", "LikenessError"),
)


class Thing(serializers.Serializer):
    name = serializers.CharField(max_length=5)
    count = serializers.IntegerField(required=False)
    id = serializers.CharField(read_only=True)


class Things(APIView):
    serializer_class = Thing
    idempotent = True
    made = 0

    def post(self, request: Request) -> Response:
        body = Thing(data=request.data)
        body.is_valid(raise_exception=True)
        type(self).made += 1
        answer = {"id": str(self.made), "by": request.user.actor.tenant}
        if body.validated_data["name"] == "boom":
            raise RefusedError("Refused.", job="job-1")
        return Response(answer, status=202, headers={"Location": f"/things/{self.made}/"})


class Forms(APIView):
    serializer_class = Thing

    def post(self, request: Request) -> Response:
        return Response(sorted(request.data))


class Raising(APIView):
    permission_classes = ()

    def get(self, _request: Request) -> Response:
        raise RAISE[0]


class Users(APIView):
    def get(self, request: Request) -> Response:
        pages = api_settings.DEFAULT_PAGINATION_CLASS()
        rows = pages.paginate_queryset(User.objects.all(), request, view=self)
        return pages.get_paginated_response([row.email for row in rows])


class GenerationError(Exception):
    code, hint = "generation.error", "?"


class RefusedError(GenerationError):
    code, hint = "refused", "Read the reasons."

    def __init__(self, message: str, job: str = "") -> None:
        super().__init__(message)
        self.job, self.reasons, self.fields = job, ("licence.missing",), {}


class NotFoundError(GenerationError):
    code, hint = "not_found", "Check the id."


class KeyringError(Exception):
    code, hint = "keyring.refused", "?"


RAISE: list[Exception] = [Exception()]
urlpatterns = [
    *urls.urlpatterns,
    path("api/things/", Things.as_view()),
    path("api/forms/", Forms.as_view()),
    path("api/raising/", Raising.as_view()),
    path("api/users/", Users.as_view()),
]
handler404, handler500 = urls.handler404, urls.handler500


@pytest.fixture
def client(person) -> APIClient:
    Things.made = 0
    return keyed(person("requester"))


def keyed(user: User) -> APIClient:
    made = APIClient(raise_request_exception=False)
    made.credentials(HTTP_AUTHORIZATION="Bearer " + services.create_api_key(user=user, label="test"))
    return made


def post(client: APIClient, body: object, key: str = "k-1", **more: str):
    return client.post("/api/things/", body, format="json", headers={"Idempotency-Key": key, **more})


# ---- errors


def concrete() -> list[type[Exception]]:
    found = []
    for module, name in ROOTS:
        root = getattr(importlib.import_module(module), name)
        classes = [value for _, value in inspect.getmembers(importlib.import_module(module), inspect.isclass)]
        found += [value for value in classes if issubclass(value, root)]
    return found


@pytest.mark.parametrize("kind", concrete(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_error_of_every_package_has_a_status_code_and_hint(kind):
    assert any(base.__name__ in api.STATUS for base in kind.__mro__)
    assert kind.code
    assert kind.hint


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RefusedError("No."), 422, "refused"),
        (NotFoundError("No job."), 404, "not_found"),
        (drf.ParseError(), 400, "malformed"),
        (drf.ValidationError({"name": ["Bad."]}), 400, "invalid"),
        (drf.NotAuthenticated(), 401, "not_authenticated"),
        (drf.PermissionDenied(), 403, "permission_denied"),
        (drf.NotFound(), 404, "not_found"),
        (drf.MethodNotAllowed("GET"), 405, "method_not_allowed"),
        (drf.UnsupportedMediaType("x/y"), 415, "unsupported_media_type"),
        (drf.Throttled(wait=7), 429, "throttled"),
        (OperationalError("password of postgres"), 503, "unavailable"),
        (KeyringError("/secret/path"), 500, "internal"),
    ],
)
def test_an_error_has_one_body(client, error, status, code):
    RAISE[0] = error
    answer = client.get("/api/raising/")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (
        {"code", "message", "hint"}
        <= set(answer.json())
        <= {"code", "message", "hint", "fields", "job", "reasons"}
    )
    assert answer.json()["hint"]
    assert "secret" not in answer.content.decode()
    assert "password of" not in answer.content.decode()


def test_not_ready_says_when_to_come_back(client):
    RAISE[0] = OperationalError("gone")
    assert client.get("/api/raising/").headers["Retry-After"] == "5"


def test_throttled_says_when_to_come_back(client):
    RAISE[0] = drf.Throttled(wait=7)
    assert client.get("/api/raising/").headers["Retry-After"] == "8"


def test_no_key_is_401_and_names_the_scheme():
    answer = APIClient().get("/api/users/")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_wrong_key_is_401():
    made = APIClient()
    made.credentials(HTTP_AUTHORIZATION="Bearer lk_12345678_x")
    assert made.get("/api/users/").json()["code"] == "not_authenticated"


def test_an_unknown_address_reads_like_a_missing_row(client):
    RAISE[0] = drf.NotFound("of another tenant")
    missing, unknown = client.get("/api/raising/"), client.get("/api/nothing/here/")
    assert unknown.status_code == missing.status_code == 404
    assert unknown.json() == missing.json()


def test_an_unforeseen_error_is_json_and_says_nothing(client):
    RAISE[0] = RuntimeError("secret")
    answer = client.get("/api/raising/")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert "secret" not in answer.content.decode()


# ---- bodies


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"name": "a", "more": 1}', "unknown_field"),
        ('{"name": "a", "id": "7"}', "unknown_field"),
        ('{"name": "a", "name": "b"}', "malformed"),
        ('{"name": "a", "count": NaN}', "malformed"),
        ('{"name": "a"', "malformed"),
        ("", "invalid"),
        ("\xff\xfe", "malformed"),
        ("[" * 100_000, "malformed"),
        ("[]", "invalid"),
        ("null", "invalid"),
        ('{"name": "toolong"}', "invalid"),
        ('{"name": null}', "invalid"),
        ("{}", "invalid"),
    ],
)
def test_a_bad_body_is_400_and_does_nothing(client, body, code):
    answer = client.generic(
        "POST", "/api/things/", body.encode("latin-1"), "application/json", headers={"Idempotency-Key": "k"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert Things.made == 0


def test_an_unknown_field_is_named(client):
    assert post(client, {"name": "a", "nmae": 1}).json()["fields"] == {"nmae": ["This field does not exist."]}


def test_an_unknown_part_of_a_form_is_refused(client):
    answer = client.post("/api/forms/", {"name": "a", "more": "b"}, format="multipart")
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_field")
    assert client.post("/api/forms/", {"name": "a"}, format="multipart").json() == ["name"]


def test_a_json_body_over_the_limit_is_413(client):
    body = json.dumps({"name": "x" * 2**20})
    answer = client.generic("POST", "/api/forms/", body, "application/json")
    assert answer.status_code == 413


def test_a_form_over_the_upload_limit_is_refused_before_it_is_read(client):
    length = str(3 * 2**30)
    answer = client.post("/api/forms/", {"name": "a"}, format="multipart", CONTENT_LENGTH=length)
    assert answer.status_code == 413


def test_another_kind_of_body_is_415(client):
    assert client.generic("POST", "/api/forms/", "a=b", "text/csv").status_code == 415


# ---- idempotency


def test_the_key_is_required(client):
    answer = client.post("/api/things/", {"name": "a"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\tb"])
def test_a_bad_key_is_refused(client, key):
    assert post(client, {"name": "a"}, key=key).status_code == 400
    assert Things.made == 0


def test_the_same_request_is_done_once_and_answered_twice(client):
    first, second = post(client, {"name": "a"}), post(client, {"name": "a"})
    assert Things.made == 1
    assert (second.status_code, second.json(), second.headers["Location"]) == (
        first.status_code,
        first.json(),
        first.headers["Location"],
    )
    assert second.headers["Idempotent-Replayed"] == "true"


def test_a_refusal_is_answered_again_too(client):
    first, second = post(client, {"name": "boom"}), post(client, {"name": "boom"})
    assert Things.made == 1
    assert first.status_code == second.status_code == 422
    assert first.json() == second.json()
    assert first.json()["job"] == "job-1"
    assert first.json()["reasons"] == ["licence.missing"]


def test_another_body_under_the_key_is_a_mismatch(client):
    post(client, {"name": "a"})
    answer = post(client, {"name": "b"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert Things.made == 1


def test_a_request_that_still_runs_is_a_conflict(client):
    post(client, {"name": "a"})
    IdempotencyKey.objects.update(status=None)
    answer = post(client, {"name": "a"})
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_running")
    assert Things.made == 1


def test_a_malformed_request_frees_its_key(client):
    assert post(client, {"name": "toolong"}).status_code == 400
    assert post(client, {"name": "a"}).status_code == 202


def test_another_tenant_has_keys_of_its_own(client, person):
    other = keyed(person("requester", tenant="other"))
    assert post(client, {"name": "a"}).json()["by"] == "demo"
    assert post(other, {"name": "b"}).json()["by"] == "other"


def test_a_key_is_forgotten_after_a_day(client):
    post(client, {"name": "a"})
    IdempotencyKey.objects.update(created="2026-01-01T00:00:00Z")
    assert post(client, {"name": "b"}).status_code == 202


def test_without_an_account_nothing_is_stored():
    answer = post(APIClient(), {"name": "a"})
    assert answer.status_code == 401
    assert not IdempotencyKey.objects.exists()


# ---- pages and throttles


def test_pages_follow_each_other_without_gap_or_double(client, person):
    for _ in range(6):
        person("legal")
    seen, link = [], "/api/users/?limit=3"
    while link:
        page = client.get(link).json()
        assert set(page) == {"results", "next"}
        seen += page["results"]
        link = page["next"]
    assert len(seen) == len(set(seen)) == User.objects.count()


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1e9", "٣", "9" * 5000])
def test_a_limit_out_of_bounds_is_refused(client, limit):
    assert client.get("/api/users/", {"limit": limit}).status_code == 400


@pytest.mark.parametrize("raw", [b"p=x", b"p=\x00", b"o=-1", b"o=x", b"p=2026-99-99", b"r=1&p=%s"])
def test_a_forged_cursor_is_404(client, raw):
    answer = client.get("/api/users/", {"cursor": base64.b64encode(raw).decode()})
    assert answer.status_code == 404


def test_writes_are_throttled_apart_from_reads(client):
    for _ in range(60):
        client.post("/api/forms/", {}, format="json")
    assert client.post("/api/forms/", {}, format="json").status_code == 429
    assert client.get("/api/users/").status_code == 200


def test_lists_of_what_can_be_uploaded_count_as_reads(client):
    codes = [client.get("/api/v1/identities/").status_code for _ in range(30)]  # 20 uploads a minute
    assert set(codes) == {200}


@override_settings(DEBUG=False)
def test_the_schema_is_made_without_a_warning(client):
    answer = client.get("/api/v1/schema/")
    assert answer.status_code == 200
    assert b"Error:" in answer.content
