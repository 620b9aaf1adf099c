import re
import uuid
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.test import APIClient

from consent import selectors
from tests.consent import fakes
from tests.consent.samples import HASH

pytestmark = pytest.mark.django_db
API = "/api/v1"


@pytest.fixture
def clients(people, person):
    """One signed-in client a role, and one of another tenant."""
    found = {}
    stranger = person("requester", "legal", "operator", tenant="other")
    for name, user in {**people, "stranger": stranger}.items():
        found[name] = APIClient()
        found[name].force_authenticate(user)
    return found


def upload(data, name="../../etc/passwd.png"):
    return SimpleUploadedFile(name, data, content_type="image/png")


def identity_form(**changes):
    form = {
        "name": "王五",
        "status": "living",
        "kind": "likeness",
        "portraits": [upload(fakes.picture("wang"))],
    }
    return {name: value for name, value in {**form, **changes}.items() if value is not None}


def consent_body(identity_id, **changes):
    now = timezone.now()
    body = {
        "identity": identity_id,
        "operations": ["face_swap"],
        "purposes": ["product_explainer"],
        "channels": ["branch_screen"],
        "territories": ["CN"],
        "languages": ["zh"],
        "not_before": now.isoformat(),
        "not_after": (now + timedelta(days=90)).isoformat(),
        "separate_consents": [
            {"code": code, "text_sha256": HASH, "lang": "zh-CN", "at": now.isoformat()}
            for code in ("PIPL29_FACE", "DEEPSYN14_EDIT")
        ],
        "signed_by": "王五",
        "signed_at": now.isoformat(),
        "text_sha256": HASH,
        "intended_use": "网点屏幕中的产品讲解视频。",
        "sample": True,
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def post(client, path, body=None, *, form=False):
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    return client.post(API + path, body or {}, format="multipart" if form else "json", headers=headers)


def enrolled(clients):
    answer = post(clients["requester"], "/identities/", identity_form(), form=True)
    assert answer.status_code == 201, answer.data
    return answer.data


def submitted(clients):
    answer = post(clients["requester"], "/consents/", consent_body(enrolled(clients)["id"]))
    assert answer.status_code == 201, answer.data
    return answer.data


# ---- bad input


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"surprise": "1"}, 400, "unknown_field"),
        ({"name": None}, 400, "invalid"),
        ({"portraits": None}, 400, "invalid"),
        ({"name": "王\u200b五"}, 400, "request.invalid"),
        ({"status": "minor"}, 400, "request.invalid"),
        ({"portraits": [upload(b"")]}, 422, "portrait.refused"),
        ({"portraits": [upload(b"\x00\xff not a picture")]}, 422, "portrait.refused"),
        ({"portraits": [upload(fakes.picture("wang")), upload(b"dark")]}, 422, "portrait.refused"),
        ({"portraits": [upload(b"x" * (20 * 2**20 + 9))]}, 422, "portrait.refused"),
        ({"portraits": [upload(bytes([i]) * 17 * 2**20) for i in range(4)]}, 400, "request.invalid"),
    ],
)
def test_bad_identity_is_refused(home, clients, changes, status, code):
    answer = post(clients["requester"], "/identities/", identity_form(**changes), form=True)
    assert (answer.status_code, answer.data["code"]) == (status, code)
    assert set(answer.data) >= {"code", "message", "hint", "fields"}
    assert not selectors.identities(tenant="demo").exists()


def test_refused_portrait_names_each_reason(home, clients):
    form = identity_form(portraits=[upload(fakes.picture("wang")), upload(b"dark")])
    answer = post(clients["requester"], "/identities/", form, form=True)
    assert answer.data["fields"] == {
        "$.portraits[1]": ["Mean light is 12; at least 40 is needed.", "40 px."],
    }


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"surprise": 1}, "unknown_field", "surprise"),
        ({"operations": None}, "invalid", "operations"),
        ({"operations": "face_swap"}, "invalid", "operations"),
        ({"operations": []}, "licence.invalid", "$.grant.operations"),
        ({"channels": ["television"]}, "licence.invalid", "$.grant.channels[0]"),
        ({"max_seconds": 0}, "licence.invalid", "$.grant.max_seconds_per_output"),
        ({"max_seconds": 1.5}, "invalid", "max_seconds"),
        ({"not_before": "2027-01-01"}, "invalid", "not_before"),
        ({"not_after": "2027-01-01T00:00:00"}, "invalid", "not_after"),
        ({"not_after": "2020-01-01T00:00:00+08:00"}, "licence.invalid", "$.term.not_after"),
        ({"separate_consents": [{"code": "PIPL29_FACE"}]}, "invalid", "separate_consents[0].at"),
        ({"separate_consents": [{"code": "PIPL29_FACE", "x": 1}]}, "unknown_field", "separate_consents[0].x"),
        ({"representative": {"name": "王二", "x": 1}}, "unknown_field", "representative.x"),
        ({"text_sha256": "short"}, "licence.invalid", "$.signed.text_sha256"),
        ({"operations": ["voice"]}, "consent_missing", "$.grant.operations[0]"),
    ],
)
def test_bad_terms_are_refused_by_path(home, clients, changes, code, path):
    identity_id = enrolled(clients)["id"]
    answer = post(clients["requester"], "/consents/", consent_body(identity_id, **changes))
    assert (answer.status_code, answer.data["code"]) == (400, code)
    assert path in {re.sub(r"\.(\d+)\.", r"[\1].", name) for name in answer.data["fields"]}
    assert not selectors.consents(tenant="demo").exists()


@pytest.mark.parametrize("path", ["/consents/", "/identities/", "/blocklist/"])
def test_nobody_comes_in_without_signing_in(path):
    assert APIClient().get(API + path).status_code == 401


def test_consent_for_nobody_is_not_found(home, clients):
    answer = post(clients["requester"], "/consents/", consent_body("idn_0000000000000000"))
    assert answer.status_code == 404


def test_unknown_state_is_refused(clients):
    assert clients["legal"].get(f"{API}/consents/?state=perhaps").status_code == 400


def test_decision_without_role_or_reason_is_refused(home, clients):
    path = f"/consents/{submitted(clients)['id']}"
    assert post(clients["legal"], f"{path}/approve", {"role": "intern"}).status_code == 400
    assert post(clients["legal"], f"{path}/approve", {}).status_code == 400
    assert post(clients["legal"], f"{path}/reject", {"reason": " "}).status_code == 400


@pytest.mark.parametrize(
    ("reason", "image", "identity"),
    [("x", None, None), ("x", fakes.picture("li"), "idn_1"), (None, fakes.picture("li"), None)],
)
def test_bad_block_is_refused(home, clients, reason, image, identity):
    given = {"reason": reason, "image": image and upload(image), "identity": identity}
    form = {name: value for name, value in given.items() if value is not None}
    assert post(clients["legal"], "/blocklist/", form, form=True).status_code == 400


# ---- roles and tenants


def test_wrong_role_is_forbidden(home, clients):
    consent = submitted(clients)
    path = f"/consents/{consent['id']}"
    for who, action, body in (
        ("requester", "approve", {"role": "legal"}),
        ("legal", "approve", {"role": "business"}),
        ("requester", "reject", {"reason": "x"}),
        ("auditor", "revoke", {"reason": "x"}),
    ):
        answer = post(clients[who], f"{path}/{action}", body)
        assert (answer.status_code, answer.data["code"]) == (403, "consent.role")
    assert post(clients["legal"], "/consents/", consent_body(consent["identity"])).status_code == 403
    assert post(clients["auditor"], "/identities/", identity_form(), form=True).status_code == 403


def test_another_tenants_rows_read_as_missing(home, clients):
    consent = submitted(clients)
    portrait = selectors.identity(consent["identity"], tenant="demo").portraits.first()
    client = clients["stranger"]
    pairs = [
        (f"/identities/{consent['identity']}/", "/identities/idn_0000000000000000/"),
        (f"/consents/{consent['id']}/", "/consents/con_0000000000000000/"),
        (f"/portraits/{portrait.id}/preview", "/portraits/por_0000000000000000/preview"),
    ]
    for foreign, missing in pairs:
        answers = [client.get(API + path) for path in (foreign, missing)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].data == answers[1].data
    for action, body in (
        ("approve", {"role": "legal"}),
        ("reject", {"reason": "x"}),
        ("revoke", {"reason": "x"}),
    ):
        answers = [
            post(client, f"/consents/{consent_id}/{action}", body)
            for consent_id in (consent["id"], "con_0000000000000000")
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].data == answers[1].data
    assert client.get(f"{API}/consents/").data["results"] == []
    assert client.get(f"{API}/identities/").data["results"] == []


# ---- the way through


def test_identity_has_previews_but_no_embedding(home, clients):
    person = enrolled(clients)
    (portrait,) = person["portraits"]
    assert set(portrait) == {"id", "sha256", "bytes", "quality", "created"}
    answer = clients["legal"].get(
        f"{API}/portraits/{portrait['id']}/preview", headers={"Accept": "image/png"}
    )
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
    assert answer["Cache-Control"] == "private, no-store"
    added = post(
        clients["requester"],
        f"/identities/{person['id']}/portraits/",
        {"portrait": upload(fakes.picture("wang", 1))},
        form=True,
    )
    assert added.status_code == 201
    assert len(clients["legal"].get(f"{API}/identities/{person['id']}/").data["portraits"]) == 2


def test_consent_goes_from_review_to_revoked(home, clients):
    consent = submitted(clients)
    path = f"/consents/{consent['id']}"
    assert (consent["state"], consent["missing_approvals"]) == ("in_review", ["legal", "business"])
    waiting = clients["legal"].get(f"{API}/consents/?state=in_review").data["results"]
    assert [row["id"] for row in waiting] == [consent["id"]]
    assert post(clients["legal"], f"{path}/approve", {"role": "legal"}).data["missing_approvals"] == [
        "business"
    ]
    assert post(clients["legal"], f"{path}/approve", {"role": "legal"}).status_code == 409
    assert post(clients["business"], f"{path}/approve", {"role": "business"}).data["state"] == "active"
    shown = clients["auditor"].get(f"{API}{path}/").data
    assert shown["document"]["grant"]["channels"] == ["branch_screen"]
    assert [step["what"] for step in shown["history"]] == ["submitted", "approved", "approved"]
    first = post(clients["requester"], f"{path}/revoke", {"reason": "Changed my mind."})
    second = post(clients["requester"], f"{path}/revoke", {"reason": "Changed my mind."})
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.data == second.data
    assert (first.data["state"], first.data["epoch"]) == ("revoked", 1)
    assert post(clients["legal"], f"{path}/approve", {"role": "legal"}).status_code == 409
    portrait = selectors.identity(consent["identity"], tenant="demo").portraits.first()
    assert clients["legal"].get(f"{API}/portraits/{portrait.id}/preview").status_code == 410


def test_rejected_consent_says_so(home, clients):
    path = f"/consents/{submitted(clients)['id']}"
    assert (
        post(clients["legal"], f"{path}/reject", {"reason": "No proof of age."}).data["state"] == "rejected"
    )
    assert post(clients["requester"], f"{path}/revoke", {"reason": "x"}).status_code == 409


def test_face_is_blocked_and_unblocked(home, clients):
    form = {"image": upload(fakes.picture("chen")), "reason": "Court order 7/2026", "list": "court_order"}
    entry = post(clients["operator"], "/blocklist/", form, form=True).data
    assert set(entry) == {"id", "list", "identity", "reason", "added_by", "created"}
    assert [row["id"] for row in clients["legal"].get(f"{API}/blocklist/").data["results"]] == [entry["id"]]
    assert clients["stranger"].get(f"{API}/blocklist/").data["results"] == []
    assert post(clients["stranger"], f"/blocklist/{entry['id']}/unblock").status_code == 404
    assert post(clients["legal"], f"/blocklist/{entry['id']}/unblock").status_code == 200
    assert clients["legal"].get(f"{API}/blocklist/").data["results"] == []


def test_a_person_is_erased_after_their_name_was_typed_once_more(clients, settings):
    settings.LIKENESS_ERASURE_HANDLERS = []
    person = enrolled(clients)
    path = f"/identities/{person['id']}/erase"
    told = clients["legal"].get(API + path).data
    assert (told["name"], told["portraits"], told["blocked"], told["erased"]) == ("王五", 1, False, None)
    refused = post(clients["legal"], path, {"confirmation": "王"})
    assert (refused.status_code, refused.data["code"]) == (400, "request.invalid")
    assert (
        post(clients["legal"], path, {"confirmation": "王五", "force": True}).data["code"] == "unknown_field"
    )
    done = post(clients["legal"], path, {"confirmation": "王五"})
    assert (done.status_code, done.data["portraits"], done.data["keys"]) == (200, 1, 1)
    gone = clients["legal"].get(f"{API}/identities/{person['id']}/").data
    assert (gone["name"], gone["portraits"]) == (person["id"], [])
    assert gone["erased"] is not None


@pytest.mark.parametrize(
    ("role", "status"), [("auditor", 403), ("business", 403), ("operator", 403), ("stranger", 404)]
)
def test_only_legal_of_the_tenant_erases(clients, role, status):
    path = f"/identities/{enrolled(clients)['id']}/erase"
    assert clients[role].get(API + path).status_code == status
    assert post(clients[role], path, {"confirmation": "王五"}).status_code == status


def test_only_those_who_may_know_are_told_words(clients):
    for role in ("requester", "business", "operator"):
        assert post(clients[role], "/audit/entries/0/disclosure").status_code == 403
    assert post(clients["auditor"], "/audit/entries/0/disclosure").status_code == 404
