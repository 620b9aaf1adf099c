"""The studio's pages: what they say while somebody writes, what they submit, and how they follow it."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from generation import previewing, queueing, selectors
from generation.errors import PreviewLimitError, RefusedError
from generation.models import Chunk, Presentation
from generation.presenter.errors import SpeechUnavailableError
from likeness.cli import present as cli
from likeness.portal import batches, presentations, scripts, studio_forms
from likeness.portal.wording.studio import notice, sync_words
from tests.consent import fakes
from tests.likeness.portal.conftest import upload

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
SYNC = {
    "landmarks": {"r": 0.9, "lag": 0},
    "pixels": {"r": 0.8, "lag": 0},
    "sound": {"r": 0.6, "lag": 0},
    "shift_ms": 0.4,
    "rest": 0.02,
    "closures": 9,
    "closures_held": 9,
    "silences": 2,
    "silences_held": 2,
    "frames": 90,
    "failed": [],
}


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    messages: list[tuple[str, Any]] = []
    monkeypatch.setattr(queueing, "send", lambda task, key: messages.append((task, key)))
    return messages


@pytest.fixture
def cast(world: SimpleNamespace) -> dict[str, str]:
    """A form that is admitted."""
    teller = world.enrol("张三")
    world.activate(teller, operations=["face_swap", "lip_sync"])
    performer = world.enrol("李四", kind="performer", portraits=[fakes.picture("li")])
    world.activate(performer, operations=["performance"])
    return {
        "client_id": "made-by-the-page",
        "script": "您好。您的余额为¥1,234.56。",
        "kind": "text",
        "language": "zh",
        "voice": "",
        "identity": teller.id,
        "performer": performer.id,
        "purpose": "product_explainer",
        "channel": "branch_screen",
        "territory": "CN",
        "format": "preview",
        "colour": "#3c6e96",
        "subtitles": "on",
    }


def post(client: Any, name: str, data: dict[str, Any], *, language: str = "en", **headers: str) -> Any:
    client.cookies["django_language"] = language
    return client.post(reverse(name), data, headers=headers)


def read(client: Any, data: dict[str, Any], *, language: str = "en") -> str:
    response = post(client, "studio-review", data, language=language)
    assert response.status_code == 200
    html = response.content.decode()
    assert "<html" not in html
    return html


# ---- while somebody writes


def test_an_empty_script_is_no_fault(sign_in, cast):
    assert "data-empty" in read(sign_in("requester"), {**cast, "script": ""})
    assert "data-empty" in read(sign_in("requester"), {})


def test_the_spoken_form_and_the_length_are_shown(sign_in, cast):
    html = read(sign_in("requester"), cast)
    assert "data-clean" in html
    assert '<ins title="1,234.56">' in html or '<ins title="¥1,234.56">' in html
    assert "一千二百三十四元五角六分" in html
    assert "About 0:0" in html
    assert "2 sentences" in html
    assert not Presentation.objects.exists()


@pytest.mark.parametrize(
    ("script", "language", "words"),
    [
        (
            "您好，本产品保本保息。",
            "en",
            ("promises a return", "Leave it out", "line 1, character 7", "保本保息"),
        ),
        ("您好，本产品保本保息。", "zh-hans", ("不得承诺的收益", "请删去", "第 1 行第 7 个字符")),
        ("好。\n请转账到安全账户。", "en", ("what fraudsters say", "line 2, character 2")),
        ("本产品宝本宝息。", "en", ("the script is held",)),
        (
            "好。\n还款¥12,34.5。",
            "en",
            ("cannot be read with certainty", "1234.5 / 12 34.5", "line 2, character 4"),
        ),
        ("您\u202e好", "zh-hans", ("无法读出的字符",)),
        ("好" * 20_001, "en", ("longer than one video",)),
        ("我们3/5见😀", "en", ("more than one reading", "五分之三", "not spoken")),
    ],
)
def test_what_stands_against_it_is_told_in_words_and_place(sign_in, cast, script, language, words):
    html = read(sign_in("requester"), {**cast, "script": script}, language=language)
    for each in words:
        assert each in html, html


def test_marks_are_places_in_what_was_typed_with_the_line_ends_of_the_field(sign_in, cast):
    html = read(sign_in("requester"), {**cast, "script": "好。\r\n保本保息😀。"})
    marks = json.loads(re.search(r'data-marks="([^"]*)"', html)[1].replace("&quot;", '"'))
    assert {"start": 3, "end": 7, "tone": "bad"} in marks
    assert {"start": 7, "end": 8, "tone": "info"} in marks


def test_markup_is_marked_where_it_is_shown_and_faults_name_their_line(sign_in, cast):
    client = sign_in("requester")
    hidden = "<speak>您好。<sub alias='保本保息'>存款</sub></speak>"
    html = read(client, {**cast, "kind": "ssml", "script": hidden})
    assert '<mark class="bad">' in html
    assert "data-from" not in html  # places of the shown text are none of the field
    html = read(client, {**cast, "kind": "ssml", "script": "<speak>\n<audio/></speak>"})
    assert "markup is not understood" in html
    assert "line 2, character 1" in html


def test_a_missing_consent_is_told_once_everybody_is_chosen(sign_in, cast):
    html = read(sign_in("requester"), {**cast, "purpose": "marketing"})
    assert "does not allow this purpose" in html
    assert "data-clean" not in html
    assert "data-clean" in read(sign_in("requester"), {**cast, "purpose": "marketing", "identity": ""})


def test_script_from_outside_is_escaped(sign_in, cast):
    assert "<b>x" not in read(sign_in("requester"), {**cast, "script": "<b>x</b>保本保息"})


# ---- previews


def test_a_preview_is_handed_out_and_never_stored(sign_in, cast, monkeypatch):
    asked = []
    monkeypatch.setattr(previewing, "see", lambda request, *, by: asked.append((request, by)) or b"\x89PNG")
    response = post(sign_in("requester"), "studio-see", cast)
    assert (response.status_code, response.content) == (200, b"\x89PNG")
    assert response.headers["Content-Type"] == "image/png"
    assert "no-store" in response.headers["Cache-Control"]
    assert asked[0][0].script == cast["script"]
    assert asked[0][1].has("requester")


@pytest.mark.parametrize("name", ["see", "hear"])
@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (PreviewLimitError("40"), 429, "Too many previews"),
        (
            RefusedError("no", job="", code="text.promise", reasons=("text.promise",)),
            422,
            "promises a return",
        ),
        (SpeechUnavailableError("none"), 503, "No speech engine"),
    ],
)
def test_a_preview_that_is_not_made_says_why(sign_in, cast, monkeypatch, name, error, status, words):
    def refuse(_request: Any, *, by: Any) -> bytes:
        raise error

    monkeypatch.setattr(previewing, name, refuse)
    response = post(sign_in("requester"), f"studio-{name}", cast)
    assert response.status_code == status
    assert words in response.json()["sentence"]


def test_a_preview_of_nobody_asks_for_somebody(sign_in, cast):
    response = post(sign_in("requester"), "studio-see", {**cast, "identity": ""})
    assert response.status_code == 422
    assert "Choose a teller" in response.json()["sentence"]


# ---- asking for the video


def test_two_clicks_are_one_video(sign_in, cast):
    client = sign_in("requester")
    for _click in range(2):
        response = post(client, "presentation-create", cast)
        assert response.status_code == 302
        assert response.headers["Location"] == reverse("presentation-detail", args=["made-by-the-page"])
    row = Presentation.objects.get()
    assert (row.state, row.scene) == ("queued", {"format": "preview", "colour": "#3c6e96", "subtitles": True})


def test_the_same_page_with_other_words_is_asked_again(sign_in, cast):
    client = sign_in("requester")
    post(client, "presentation-create", cast)
    response = post(client, "presentation-create", {**cast, "script": "再见。"})
    html = response.content.decode()
    assert response.status_code == 409
    assert "has sent another script already" in html
    fresh = re.search(r'name="client_id" value="([^"]+)"', html)[1]
    assert fresh != cast["client_id"]
    assert "再见。" in html


def test_a_refused_script_has_a_page_that_says_why_and_where(sign_in, cast):
    client = sign_in("requester")
    response = post(client, "presentation-create", {**cast, "script": "您好，本产品保本保息。"})
    html = client.get(response.headers["Location"]).content.decode()
    assert "Why it was refused" in html
    assert "promises a return" in html
    assert '<mark class="bad">保本保息</mark>' in html


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"script": ""}, "Write what is to be said."),
        ({"script": "😀"}, "nothing to say"),
        ({"script": "还款¥12,34.5"}, "cannot be read with certainty"),
        ({"identity": "idn_0000000000000000"}, "not one of the available choices"),
        ({"performer": ""}, "This field is required"),
        ({"format": "cinema"}, "not one of the available choices"),
        ({"colour": "red"}, "Enter a valid value"),
        ({"client_id": "../etc"}, "Something in the form is not known"),
    ],
)
def test_a_bad_form_comes_back_with_what_was_written(sign_in, cast, changes, words):
    response = post(sign_in("requester"), "presentation-create", {**cast, **changes})
    html = response.content.decode()
    assert response.status_code == 422, html
    assert words in html
    assert not Presentation.objects.exists()


def test_only_people_whose_licence_lets_them_speak_are_offered(sign_in, cast, world):
    world.activate(world.enrol("赵六", portraits=[fakes.picture("zhao")]))  # face swap alone
    world.submit(world.enrol("孙七", portraits=[fakes.picture("sun")]), operations=["lip_sync"])
    html = sign_in("requester").get(reverse("studio")).content.decode()
    assert "张三" in html
    assert "李四" in html
    assert "赵六" not in html
    assert "孙七" not in html


def test_without_anybody_to_show_the_page_says_what_is_missing(sign_in):
    html = sign_in("requester").get(reverse("studio")).content.decode()
    assert "Nobody may be shown speaking yet." in html
    assert "no performer" in html


def test_the_scene_of_the_last_video_is_kept_and_a_script_used_again(sign_in, cast):
    client = sign_in("requester")
    post(client, "presentation-create", {**cast, "format": "square", "subtitles": ""})
    html = client.get(reverse("studio")).content.decode()
    assert re.search(r'value="square"[^>]*checked', html)
    assert not re.search(r'name="subtitles"[^>]*checked', html)
    assert "1,234.56。</textarea>" not in html
    again = client.get(reverse("studio"), {"from": cast["client_id"]}).content.decode()
    assert "您好。您的余额为¥1,234.56。</textarea>" in again
    assert client.get(reverse("studio"), {"from": "nothing"}).status_code == 404


# ---- following it


def page(client: Any, row: Presentation, **headers: str) -> Any:
    return client.get(reverse("presentation-detail", args=[row.client_id]), headers=headers)


@pytest.mark.parametrize(("state", "moving"), [("queued", True), ("driving", True), ("failed", False)])
def test_polling_lasts_as_long_as_it_moves(sign_in, world, state, moving):
    response = page(sign_in("requester"), world.presentation(state), **HTMX)
    assert response.status_code == (200 if moving else 286)
    assert ('hx-trigger="every 1s"' in response.content.decode()) is moving


@pytest.mark.parametrize(
    ("state", "job", "now"),
    [
        ("queued", "", "Script"),
        ("driving", "", "Speech"),
        ("generating", "admitting", "Checks"),
        ("generating", "queued", "Queue"),
        ("generating", "running", "Pictures and marks"),
        ("generating", "sealing", "Sealing and measuring"),
    ],
)
def test_the_stage_is_named(sign_in, world, state, job, now):
    row = world.presentation(state, job=world.job(job) if job else None)
    html = page(sign_in("requester"), row).content.decode()
    assert re.search(rf'<li class="now" aria-current="step">{now}</li>', html)
    assert "Cancel the video" in html


def test_the_bar_counts_the_driving_video_and_the_job(world):
    row = world.presentation("driving", done=50, total=100)
    assert presentations.view_of(row, tenant="demo").percent == 20
    job = world.job("running")
    Chunk.objects.create(job=job, index=0, frames=100, frames_done=50, state="running")
    row = world.presentation("generating", job=job)
    assert presentations.view_of(row, tenant="demo").percent == 70


@pytest.mark.parametrize("ended", ["refused", "failed", "cancelled"])
def test_what_ended_early_marks_its_stage(world, ended):
    row = world.presentation("generating", job=world.job(ended))
    tones = [stage.tone for stage in presentations.stages_of(row)]
    assert tones.count("bad") == 1
    assert "done" not in tones[tones.index("bad") :]


def test_a_finished_video_has_player_download_subtitles_and_its_measures(sign_in, world):
    job = world.job("done", report={"sync": SYNC})
    row = world.presentation("generating", job=job)
    html = page(sign_in("requester"), row).content.decode()
    for name in ("job-output", "job-poster", "job-download", "job-detail"):
        assert reverse(name, args=[job.id]) in html
    for kind in ("srt", "vtt"):
        address = reverse("presentation-file", args=[row.client_id, kind])
        assert address in html
        response = sign_in("requester").get(address)
        assert response.body == b"WEBVTT\n"
        assert "attachment" in response.headers["Content-Disposition"]
    assert "9 of 9" in html
    assert "0.90 of 1, at least 0.75" in html
    assert reverse("provenance-evidence", args=[job.id]) in page(sign_in("auditor"), row).content.decode()


def test_others_read_only(sign_in, world):
    row = world.presentation("queued")
    html = page(sign_in("auditor"), row).content.decode()
    assert "Cancel the video" not in html
    assert "Use this script again" not in html
    html = sign_in("auditor").get(reverse("presentation-list")).content.decode()
    assert reverse("presentation-detail", args=[row.client_id]) in html
    assert reverse("studio") not in html


def test_a_file_of_another_kind_is_not_there(sign_in, world):
    row = world.presentation("generating", job=world.job("done"))
    for kind in ("plan", "visemes", "script"):
        assert (
            sign_in("requester").get(reverse("presentation-file", args=[row.client_id, kind])).status_code
            == 404
        )


def test_it_is_cancelled_once(sign_in, world):
    row = world.presentation("queued")
    client = sign_in("requester")
    where = reverse("presentation-cancel", args=[row.client_id])
    assert client.post(where).headers["Location"] == reverse("presentation-detail", args=[row.client_id])
    row.refresh_from_db()
    assert row.state == "cancelled"
    assert "already over" in client.post(where, follow=True).content.decode()


def test_the_list_goes_on_and_stops_polling(sign_in, world):
    client = sign_in("requester")
    rows = [world.presentation("failed") for _number in range(25)]
    start = timezone.now() - timedelta(hours=1)
    for number, row in enumerate(rows):
        Presentation.objects.filter(pk=row.pk).update(created=start + timedelta(minutes=number))
    where = reverse("presentation-list")
    first, second = client.get(where).content.decode(), client.get(where, {"page": "1"}).content.decode()
    assert first.count('reel"') == 24
    assert "page=1" in first
    assert reverse("presentation-detail", args=[rows[0].client_id]) in second
    assert client.get(where, {"page": "x" * 9}).status_code == 200
    assert client.get(where, headers=HTMX).status_code == 286
    world.presentation("driving")
    assert client.get(where, headers=HTMX).status_code == 200


# ---- many from a table


def send(client: Any, cast: dict[str, str], table: bytes, *, batch: str = "batch1", **changes: str) -> Any:
    data = {name: value for name, value in cast.items() if name not in ("client_id", "script", "kind")}
    file = upload(table, name="scripts.csv")
    return client.post(reverse("presentation-batch"), {**data, "batch": batch, "table": file, **changes})


def test_ten_rows_give_nine_videos_and_one_reason(sign_in, cast):
    client = sign_in("requester")
    lines = [f"row-{number},第{number}段：您好。" for number in range(1, 11)]
    lines[4] = "row-5,本产品保本保息。"
    response = send(client, cast, "\n".join(["id,script", *lines]).encode())
    where = response.headers["Location"]
    html = client.get(where).content.decode()
    assert (response.status_code, Presentation.objects.count()) == (302, 10)
    assert html.count("promises a return") == 1
    assert [selectors.presentation(f"row-{n}", tenant="demo").state for n in (4, 5, 6)] == [
        "queued",
        "rejected",
        "queued",
    ]
    assert client.get(where, headers=HTMX).status_code == 200
    assert send(client, cast, "\n".join(["id,script", *lines]).encode()).headers["Location"] == where
    assert Presentation.objects.count() == 10
    assert sign_in("requester").get(where).status_code == 404  # another session has not sent it


def test_rows_that_are_never_kept_have_their_reason_and_the_others_go_on(sign_in, cast, sent):
    client = sign_in("requester")
    table = "\n".join(
        [
            "id,script,identity,performer,language",
            ',"还款¥12,34.5",,,',
            ",您好。,nobody,,",
            ",您好。,张三,李四,",
            ",您好。,,,fr",
            "x,您好。,,,",
        ]
    )
    response = send(client, cast, table.encode())
    html = client.get(response.headers["Location"]).content.decode()
    assert "cannot be read with certainty" in html
    assert "There is no such teller or performer." in html
    assert "write zh or en" in html
    assert "3 to 64 letters" in html
    assert Presentation.objects.get().identity_id == cast["identity"]
    client.cookies["django_language"] = "zh-hans"
    assert "无法确定读法" in client.get(response.headers["Location"]).content.decode()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (b"", "The submitted file is empty"),
        (b"id,words\na,b\n", "is needed"),
        (b"script,colour\na,b\n", "colour"),
        (b"script,script\na,b\n", "there twice"),
        (b"script\n", "1 to 100 rows"),
        (b"script\n" + b"a\n" * 101, "1 to 100 rows"),
        (b"script\na,b,c\n", "more cells"),
        (b"\xff\xfe\x00\xff", "not text"),
        (b'script\n"' + b"a" * 140_000 + b'"\n', "not a CSV table"),
        (b"script\n" + b"a" * (1 << 20), "larger than 1 MB"),
    ],
)
def test_a_table_that_cannot_be_read_says_why(sign_in, cast, table, words):
    response = send(sign_in("requester"), cast, table)
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not Presentation.objects.exists()


def test_tables_from_chinese_spreadsheets_are_read():
    table = "id,script\r\n一,您好。\r\n\r\n"
    for coding in ("utf-8", "utf-8-sig", "gb18030"):
        assert batches.read_table(table.encode(coding)) == [{"id": "一", "script": "您好。"}]


def test_the_columns_are_those_of_the_command_line():
    assert batches.COLUMNS == cli.COLUMNS


# ---- words


def test_a_missed_bound_is_shown_as_missed():
    tones = [each.tone for each in sync_words({**SYNC, "failed": ["sound.shift", "landmarks.lag"]})]
    assert tones.count("bad") == 2
    assert sync_words(None) == ()


def test_a_notice_without_words_keeps_its_own():
    assert notice("script_new", "Something new.") == ("Something new.", "")


def test_line_ends_are_those_of_the_page():
    assert studio_forms.lines("a\r\nb\rc") == "a\nb\nc"


def test_overlapping_marks_show_the_graver():
    both = [scripts.Finding("info", "a", "", start=0, end=4), scripts.Finding("bad", "b", "", start=2, end=3)]
    assert [(each.text, each.tone) for each in scripts.marked("abcde", both)] == [
        ("ab", "info"),
        ("c", "bad"),
        ("d", "info"),
        ("e", ""),
    ]
