from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from generation import presenting
from generation.models import Presentation
from tests.generation import fakes
from tests.generation.test_api import client_of

URL = "/api/v1/presentations/"
UNKNOWN = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture
def client(quick: Any) -> APIClient:
    return client_of(quick.people["requester"])


@pytest.fixture
def body(quick: Any) -> dict[str, Any]:
    """A request that is admitted."""
    teller = quick.enrol(fakes.portrait(fakes.RED), operations=["face_swap", "lip_sync"])
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    return {
        "identity": teller.identity_id,
        "performer": performer.identity_id,
        "script": "您好，余额¥1,234.56。",
        "purpose": "product_explainer",
        "channel": "branch_screen",
        "format": "preview",
    }


def put(client: APIClient, body: dict[str, Any], client_id: str = "teller-1") -> Any:
    return client.put(f"{URL}{client_id}/", body, format="json")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"script": ""}, 400, "script_empty"),
        ({"script": "好" * 100_000}, 400, "script_too_long"),
        ({"script": "<speak>&a;</speak>", "kind": "ssml"}, 400, "ssml_invalid"),
        ({"script": "您\u200b好"}, 400, "script_character"),
        ({"script": "¥12,34.5"}, 400, "script_ambiguous"),
        ({"language": "fr"}, 400, "presentation_invalid"),
        ({"voice": "nobody"}, 400, "voice_missing"),
        ({"colour": "red"}, 400, "presentation_invalid"),
        ({"surprise": 1}, 400, "unknown_field"),
        ({"subtitles": "perhaps"}, 400, "invalid"),
        ({"identity": "idn_0000000000000000"}, 404, "not_found"),
        ({"script": "本产品保本保息。"}, 422, "text.promise"),
        ({"purpose": "marketing"}, 422, "scope.purpose"),
        ({"scenes": [{"script": "您好。"}]}, 400, "presentation_invalid"),
        ({"script": "", "scenes": []}, 400, "scenes_invalid"),
        ({"script": "", "scenes": [{"script": "您好。", "mood": "x"}]}, 400, "unknown_field"),
        ({"script": "", "scenes": [{"script": "您好。", "layout": {"z": 1}}]}, 400, "unknown_field"),
        ({"script": "", "scenes": [{"script": "您好。", "layout": {"size": 9}}]}, 400, "scenes_invalid"),
        ({"script": "", "scenes": [{"script": "您好。", "background": UNKNOWN}]}, 400, "scenes_invalid"),
        ({"script": "", "scenes": [{"script": "您好。"}, {"script": "保本保息"}]}, 422, "text.promise"),
        ({"script": "", "scenes": [{"script": "您好。"}, {"script": "¥12,34.5"}]}, 400, "script_ambiguous"),
        ({"script": "", "scenes": [{"script": "您好。"}] * 21}, 400, "scenes_invalid"),
        ({"recording": "no-uuid"}, 400, "invalid"),
        ({"recording": UNKNOWN, "voice_identity": "idn_0000000000000000"}, 400, "presentation_invalid"),
        ({"revises": "nothing"}, 404, "not_found"),
    ],
)
def test_bad_requests_are_named(
    changes: dict[str, Any], status: int, code: str, client: APIClient, body: dict[str, Any]
) -> None:
    answer = put(client, {**body, **changes})

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.json()
    assert answer.json()["message"]
    assert answer.json()["hint"]


def test_a_script_is_admitted_and_found_again(client: APIClient, body: dict[str, Any]) -> None:
    answer = put(client, body)

    assert answer.status_code == 202, answer.json()
    assert answer.headers["Location"] == f"{URL}teller-1/"
    found = client.get(f"{URL}teller-1/").json()
    assert (found["state"], found["stage"], found["progress"], found["error"]) == (
        "queued",
        "script",
        0,
        None,
    )
    assert client.get(URL).json()["results"][0]["client_id"] == "teller-1"
    assert put(client, body).status_code == 202
    assert Presentation.objects.count() == 1


def test_a_used_id_with_another_script_is_a_conflict(client: APIClient, body: dict[str, Any]) -> None:
    put(client, body)

    answer = put(client, {**body, "script": "再见。"})

    assert (answer.status_code, answer.json()["code"]) == (409, "client_id_taken")


def test_a_refused_script_says_why_and_where(client: APIClient, body: dict[str, Any]) -> None:
    put(client, {**body, "script": "您好，本产品保本保息。"})

    found = client.get(f"{URL}teller-1/").json()

    assert found["state"] == "rejected"
    assert found["error"]["reasons"] == ["text.promise"]
    assert found["hits"] == [{"code": "text.promise", "start": 6, "end": 10, "outcome": "refuse"}]


def test_a_presentation_is_stopped_once(client: APIClient, body: dict[str, Any]) -> None:
    put(client, body)

    assert client.delete(f"{URL}teller-1/").json()["state"] == "cancelled"
    assert client.delete(f"{URL}teller-1/").status_code == 409
    assert client.delete(f"{URL}nothing/").status_code == 404


def test_the_spoken_form_is_shown_before_anything_is_spoken(client: APIClient) -> None:
    answer = client.post(
        "/api/v1/scripts/review", {"script": "余额¥1,234.56，本产品保证收益。"}, format="json"
    )

    found = answer.json()
    assert answer.status_code == 200
    assert found["spoken"] == "余额一千二百三十四元五角六分，本产品保证收益。"
    assert found["hits"] == [{"code": "text.promise", "start": 15, "end": 19, "outcome": "refuse"}]
    assert (found["voice"], found["sentences"]) == ("sample-zh", 1)
    assert not Presentation.objects.exists()


def test_files_that_are_not_there_are_not_found(client: APIClient, body: dict[str, Any]) -> None:
    put(client, body)

    for kind in ("srt", "vtt", "visemes", "plan"):
        assert client.get(f"{URL}teller-1/files/{kind}").status_code == 404


def test_strangers_see_nothing(client: APIClient, body: dict[str, Any]) -> None:
    put(client, body)

    assert APIClient().get(f"{URL}teller-1/").status_code in (401, 403)


def test_an_id_of_the_platforms_own_is_a_good_id() -> None:
    assert presenting.CLIENT_ID.fullmatch(presenting.new_client_id())


def test_scenes_are_kept_without_their_words_and_read_again(client: APIClient, body: dict[str, Any]) -> None:
    last = {"script": "再见。", "layout": {"position": "left"}, "transition": "fade", "fade_frames": 6}
    answer = put(client, {**body, "script": "", "scenes": [{"script": "您好，余额¥5。欢迎"}, last]})

    assert answer.status_code == 202, answer.json()
    row = Presentation.objects.get()
    assert row.script == "您好，余额¥5。欢迎\n\n再见。"
    first, second = row.scene["scenes"]
    assert (first["chars"], first["sentences"], first["transition"]) == (10, 2, "cut")
    assert (second["sentences"], second["position"], second["fade_frames"]) == (1, "left", 6)
    assert "再见" not in str(row.scene)
    script = presenting.script_of(row)
    assert [segment.spoken for segment in script.segments] == ["您好，余额五元。", "欢迎", "再见。"]
    assert put(client, {**body, "script": "", "scenes": [{"script": "您好"}, last]}).status_code == 409
