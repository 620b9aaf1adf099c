import pytest
from django.db import transaction
from django.test import RequestFactory
from django.urls import include, path
from rest_framework.test import APIClient

from audit import api, checkpoint, selectors, services, tiles, urls
from audit.checkpoint import TlogProof
from audit.events import Actor, GenerationQueued

urlpatterns = [path("api/v1/", include("audit.urls")), path("log/", include((urls.public, "log")))]
pytestmark = pytest.mark.urls(__name__)
ENTRIES = "/api/v1/audit/entries/"


def client_of(user=None):
    client = APIClient()
    if user is not None:
        client.force_authenticate(user)
    return client


@pytest.fixture
def log(home, sequencing):
    with transaction.atomic():
        for number in range(4):
            services.append(
                GenerationQueued(job=f"job-{number}"), actor=Actor("usr_0123456789abcdef", "demo")
            )
        last = services.append(GenerationQueued(job="job-0"), actor=Actor("usr_fedcba9876543210", "other"))
    selectors.receipt(last, timeout_s=10)


def test_entries_are_for_auditors(log, people):
    for address in (ENTRIES, ENTRIES + "1/", ENTRIES + "1/proof"):
        assert client_of().get(address).status_code in {401, 403}
        for role in ("requester", "legal", "business", "expert", "operator"):
            assert client_of(people[role]).get(address).status_code == 403
        assert client_of(people["auditor"]).get(address).status_code == 200
        assert client_of(people["auditor"]).post(address, {}).status_code == 405


BAD_QUERIES = ("limit=0", "limit=201", "limit=x", "before=-1", "before=x", "kind=job", "value=job-1")
BAD_QUERIES += ("kind=face&value=1", "kind=tenant&value=other")


def test_malformed_question_is_refused(live_database, people, subtests):
    for query in BAD_QUERIES:
        with subtests.test(query):
            answer = client_of(people["auditor"]).get(f"{ENTRIES}?{query}")
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_foreign_and_missing_entries_are_not_found(log, people):
    for index in (5, 6, 2**63, 10**30):
        for end in ("", "proof"):
            assert client_of(people["auditor"]).get(f"{ENTRIES}{index}/{end}").status_code == 404


def test_entries_of_the_tenant_are_paged_newest_first(log, people):
    client = client_of(people["auditor"])
    first = client.get(ENTRIES + "?limit=3").json()
    assert [entry["index"] for entry in first["results"]] == [4, 3, 2]
    second = client.get(first["next"]).json()
    assert [entry["index"] for entry in second["results"]] == [1]
    assert second["next"] is None


def test_entries_of_a_job_are_found_in_the_own_tenant_only(log, people):
    found = client_of(people["auditor"]).get(ENTRIES + "?kind=job&value=job-0").json()
    assert [entry["event"]["job"] for entry in found["results"]] == ["job-0"]
    assert found["results"][0]["index"] == 1


def test_proof_and_checkpoint_verify(log, people):
    client = client_of(people["auditor"])
    proof = TlogProof.parse(client.get(ENTRIES + "1/proof").content.decode())
    assert checkpoint.open_checkpoint(proof.note, selectors.log_key()).size == 6
    head = client_of(people["requester"]).get("/api/v1/audit/checkpoint").json()
    assert (head["size"], head["note"]) == (6, proof.note)


def test_public_log_serves_checkpoint_and_hash_tiles_to_anybody(log, client):
    answer = client.get("/log/checkpoint")
    assert answer.content.decode() == selectors.checkpoint().note
    assert (answer["Content-Type"], answer["Cache-Control"]) == (api.NOTE_TYPE, api.SHORT_CACHE)
    answer = client.get("/log/tile/0/000.p/6")
    assert len(answer.content) == 6 * 32
    assert (answer["Content-Type"], answer["Cache-Control"]) == (api.TILE_TYPE, api.IMMUTABLE)
    assert client.post("/log/checkpoint").status_code == 405


BAD_TILES = ("0/000", "0/000.p/7", "0/0", "64/000", "../secret", "x", "entries/000.p/6", "entries/000")


def test_other_tiles_are_not_found(log, client):
    for name in BAD_TILES:
        assert client.get(f"/log/tile/{name}").status_code == 404


def test_entry_bundle_is_for_auditors_whose_tenant_may_see_all_of_it(log, people):
    def fetch(name, role):
        request = RequestFactory().get(f"/log/tile/{name}")
        request.user = people[role]
        return api.public_tile(request, name)

    answer = fetch("entries/000.p/5", "auditor")
    assert tiles.unbundle(answer.content) == [selectors.entry(index).body for index in range(5)]
    assert "no-store" in answer["Cache-Control"]
    for name, role in (("entries/000.p/6", "auditor"), ("entries/000.p/5", "operator")):
        with pytest.raises(api.Http404):
            fetch(name, role)


def test_log_without_a_head_has_no_public_checkpoint(live_database, client):
    assert client.get("/log/checkpoint").status_code == 404
