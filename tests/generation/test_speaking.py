"""Whose voice may be heard: a person's voice needs that person's licence, as a face does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from audit import selectors as log
from audit.errors import AuditError
from audit.leaf import KeyKind
from consent import services as consents
from consent.terms import SeparateConsent
from generation import performing, presenting, previewing, selectors, speaking, staging, voicing
from generation.errors import RefusedError
from generation.models import JobConsent
from generation.presenter.errors import SpeechUnavailableError, VoiceTableError
from generation.presenter.normalise import Language
from generation.presenter.script import read
from generation.presenter.voices import VoiceEntry
from generation.presenting import PresentRequest
from tests.generation import fakes
from tests.generation.presenter.tones import ToneEngine
from tests.generation.test_api import client_of

OPERATIONS = ["face_swap", "lip_sync"]
CODES = ("PIPL29_FACE", "DEEPSYN14_EDIT", "VOICE_CLONE")
HASH = "0" * 64
VOICE_TABLE = '[wang]\nlanguages = ["zh", "en"]\nengine = "http"\nlicence = "{}"\n'


@pytest.fixture
def tones(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[ToneEngine]:
    """Every engine is the tone engine."""
    settings.LIKENESS_TTS_URL = "https://tts.example/say"
    settings.LIKENESS_TTS_HOSTS = ["tts.example"]
    engine = ToneEngine()
    monkeypatch.setattr(speaking, "engine", lambda _source: engine)
    speaking.cache.cache_clear()
    yield engine
    speaking.cache.cache_clear()


@pytest.fixture
def cast(quick: Any) -> PresentRequest:
    teller = quick.enrol(fakes.portrait(fakes.RED), operations=OPERATIONS)
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    return PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="您好。欢迎。",
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
        voice="wang",
    )


def lend(quick: Any, **changes: Any) -> Any:
    """Somebody's consent to have their voice cloned, and the voice in the site's table."""
    now = timezone.now().replace(microsecond=0)
    agreed = [SeparateConsent(code, HASH, "zh-CN", now) for code in CODES]
    terms = {"operations": ["voice"], "separate_consents": agreed, **changes}
    consent = quick.enrol(fakes.portrait(fakes.BLUE), **terms)
    folder = Path(quick.home) / voicing.SITE_VOICES
    folder.mkdir(exist_ok=True)
    (folder / "ours.toml").write_text(VOICE_TABLE.format(consent.identity_id))
    return consent


def ask(cast: PresentRequest, quick: Any, **changes: Any) -> Any:
    return presenting.present(replace(cast, **changes), client_id="one", by=quick.by["requester"])


@pytest.mark.parametrize(
    ("terms", "changes", "reason"),
    [
        ({"operations": ["face_swap"]}, {}, "scope.operation"),
        ({"purposes": ["internal_training"]}, {}, "scope.purpose"),
        ({"channels": ["website"]}, {}, "scope.channel"),
        ({"languages": ["en"]}, {}, "scope.language"),
        ({"max_seconds": 1}, {}, "scope.seconds"),
    ],
)
def test_a_voice_that_is_not_licensed_for_this_is_refused(
    terms: dict[str, Any], changes: dict[str, Any], reason: str, cast: PresentRequest, quick: Any, sent: Any
) -> None:
    lend(quick, **terms)

    with pytest.raises(RefusedError) as raised:
        ask(cast, quick, **changes)

    assert raised.value.code == "voice.no_licence"
    assert reason in raised.value.reasons
    assert sent == []


def test_a_revoked_and_a_blocked_voice_is_refused(cast: PresentRequest, quick: Any) -> None:
    consent = lend(quick)
    consents.revoke(consent.id, reason="withdrawn", by=quick.by["legal"])

    with pytest.raises(RefusedError) as raised:
        ask(cast, quick)

    assert raised.value.reasons[:2] == ("voice.no_licence", "licence.revoked")


def test_a_voice_of_another_tenant_s_person_is_refused(cast: PresentRequest, quick: Any) -> None:
    lend(quick)
    text = VOICE_TABLE.format("idn_0000000000000000")
    (Path(quick.home) / voicing.SITE_VOICES / "ours.toml").write_text(text)

    with pytest.raises(RefusedError) as raised:
        ask(cast, quick)

    assert raised.value.reasons == ("voice.no_licence", "licence.missing")


def test_a_voice_that_only_the_markup_names_is_asked_for_too(cast: PresentRequest, quick: Any) -> None:
    lend(quick, operations=["face_swap"])
    script = "<speak>您好<voice name='wang'>欢迎</voice></speak>"

    with pytest.raises(RefusedError) as raised:
        ask(cast, quick, script=script, kind="ssml", voice="sample-zh")

    assert raised.value.code == "voice.no_licence"


def test_a_malformed_table_stops_everything(cast: PresentRequest, quick: Any) -> None:
    lend(quick)
    (Path(quick.home) / voicing.SITE_VOICES / "ours.toml").write_text("[wang")

    with pytest.raises(VoiceTableError):
        ask(cast, quick, voice="")


def test_the_list_shows_nobody_s_voices_and_those_of_one_s_own_people(quick: Any) -> None:
    client = client_of(quick.people["requester"])
    lend(quick)
    folder = Path(quick.home) / voicing.SITE_VOICES
    strange = VOICE_TABLE.format("idn_0000000000000000").replace("[wang]", "[strange]")
    (folder / "theirs.toml").write_text(strange)

    listed = client.get("/api/v1/voices/")

    assert listed.status_code == 200
    assert [each["id"] for each in listed.json()] == ["sample-zh", "sample-en", "wang"]
    (folder / "theirs.toml").write_text("[")
    broken = client.get("/api/v1/voices/")
    assert (broken.status_code, broken.json()["code"]) == (503, "voices_invalid")


def test_the_record_says_that_the_words_left_the_house(settings: Any) -> None:
    settings.LIKENESS_TTS_URL = "https://tts.example/say"
    settings.LIKENESS_TTS_HOSTS = ["tts.example"]
    far = VoiceEntry("wang", (Language.ZH,), "http", "idn_0123456789abcdef", version="2")
    near = VoiceEntry("sample-zh", (Language.ZH,), "espeak", "synthetic")
    spoken = ToneEngine().synthesize(read("您好", language=Language.ZH).segments[0], voice=far.voice)

    assert speaking.record([near, far], spoken)["sent_to"] == "tts.example"
    assert speaking.record([near], spoken)["sent_to"] == ""
    assert speaking.record([far], spoken)["voices"] == [
        {"id": "wang", "version": "2", "licence": "idn_0123456789abcdef"}
    ]


@pytest.mark.parametrize("source", ["http", "recorded", "festival"])
def test_an_engine_that_is_not_configured_says_so(source: str) -> None:
    with pytest.raises(SpeechUnavailableError, match="not configured"):
        speaking.engine(source)


def driven(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Instead of a portrait that is drawn: what would have been performed."""
    seen: list[Any] = []

    def rest(part: Any, performance: Any) -> Any:
        seen.append(performance)
        layout = part.span.layout
        return fakes.texture(fakes.GREEN, width=layout.width_px, height=layout.height_px)

    def plates(_picture: Any, spans: Any) -> dict[float, Any]:
        return {span.layout.height_share: None for span in spans}

    monkeypatch.setattr(staging, "plates_of", plates)
    monkeypatch.setattr(staging, "at_rest", rest)
    return seen


def test_a_withdrawal_before_the_first_word_stops_it(
    cast: PresentRequest, quick: Any, work: Any, tones: ToneEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent = lend(quick)
    seen = driven(monkeypatch)
    ask(cast, quick)
    consents.revoke(consent.id, reason="withdrawn", by=quick.by["legal"])

    work()

    row = selectors.presentation("one", tenant=quick.by["requester"].tenant)
    assert (row.state, row.code) == ("rejected", "voice.no_licence")
    assert row.reasons == ["voice.no_licence", "licence.revoked"]
    assert seen == []


def test_more_seconds_than_the_voice_s_licence_holds_are_refused_once_they_are_known(
    cast: PresentRequest, quick: Any, work: Any, tones: ToneEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lend(quick, max_seconds=5)
    seen = driven(monkeypatch)
    monkeypatch.setattr("tests.generation.presenter.tones.PHONE_S", 2.0)
    ask(cast, quick)

    work()

    row = selectors.presentation("one", tenant=quick.by["requester"].tenant)
    assert (row.state, row.reasons) == ("rejected", ["voice.no_licence", "scope.seconds"])
    assert seen == []


def test_what_a_refused_voice_said_is_forgotten(
    cast: PresentRequest, quick: Any, tones: ToneEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent = lend(quick)
    driven(monkeypatch)
    performing.perform(ask(cast, quick).pk)
    assert len(speaking.cache()) == 2

    consents.revoke(consent.id, reason="withdrawn", by=quick.by["legal"])
    with pytest.raises(RefusedError):
        presenting.present(cast, client_id="two", by=quick.by["requester"])

    assert len(speaking.cache()) == 0


def test_a_revoked_voice_takes_its_video_with_it(
    cast: PresentRequest, quick: Any, tones: ToneEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent = lend(quick)
    driven(monkeypatch)
    performing.perform(ask(cast, quick).pk)
    row = selectors.presentation("one", tenant=quick.by["requester"].tenant)
    assert row.job is not None
    assert JobConsent.objects.filter(job=row.job, consent_id=consent.id).exists()

    consents.revoke(consent.id, reason="withdrawn", by=quick.by["legal"])

    row.job.refresh_from_db()
    assert row.job.state == "cancelled"


# ---- words that leave the house


def sent_entries(count: int) -> list[dict[str, Any]]:
    """What the log says of words that went outside."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        found = [each.event for each in log.entries(KeyKind.TYPE, "script.sent")]
        if len(found) >= count:
            return found
        time.sleep(0.05)
    return []


@pytest.fixture
def outside(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An engine outside: what it was sent. It looks whether the log knew by then."""
    logged: list[Any] = []
    append = speaking.audit.append

    def appended(event: Any, **more: Any) -> Any:
        logged.append(event)
        return append(event, **more)

    monkeypatch.setattr(speaking.audit, "append", appended)
    settings.LIKENESS_TTS_URL = "https://tts.example/say"
    settings.LIKENESS_TTS_HOSTS = ["tts.example"]
    got: list[str] = []

    class Far(ToneEngine):
        name = "plain at tts.example"

        def synthesize(self, segment: Any, *, voice: Any) -> Any:
            assert logged, "sent before it was logged"
            assert not connection.in_atomic_block, "sent before the log's entry was sure"
            got.append(segment.spoken)
            return super().synthesize(segment, voice=voice)

    far, near = Far(), ToneEngine()
    monkeypatch.setattr(speaking, "engine", lambda source: far if source == "http" else near)
    speaking.cache.cache_clear()
    return got


def test_the_log_knows_before_words_leave_the_house(
    cast: PresentRequest, quick: Any, outside: list[str]
) -> None:
    lend(quick)
    script = "<speak>您好。<voice name='sample-zh'>欢迎光临。</voice>余额为五元。</speak>"
    row = ask(cast, quick, script=script, kind="ssml")
    read_again = presenting.script_of(row)
    engine = speaking.engine_for(row, read_again)
    for segment in read_again.segments:
        engine.synthesize(segment, voice=speaking.cast_of(row, read_again)[0].voice)

    assert "".join(outside) == "您好。余额为五元。"
    events = sent_entries(1)
    assert [(each["host"], each["voice"], each["characters"]) for each in events] == [
        ("tts.example", "wang", len("您好。余额为五元。"))
    ]
    assert (events[0]["job"], events[0]["script"]) == (row.id.hex, presenting.commitment(row, read_again))
    assert "余额" not in str(events)


def test_what_cannot_be_logged_is_not_sent(
    cast: PresentRequest, quick: Any, outside: list[str], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lend(quick)
    row = ask(cast, quick)
    script = presenting.script_of(row)
    voice = speaking.cast_of(row, script)[0].voice
    with pytest.raises(SpeechUnavailableError, match="may not be sent"):
        speaking.speech_engine().synthesize(script.segments[0], voice=voice)

    def broken(*_: Any, **__: Any) -> None:
        raise DatabaseError("the log is away")

    with monkeypatch.context() as patch:
        patch.setattr(speaking.audit, "append", broken)
        with pytest.raises(DatabaseError):
            speaking.engine_for(row, script).synthesize(script.segments[0], voice=voice)
    settings.LIKENESS_TTS_URL = "https://b\u00fccher.example/say"  # a host that the log cannot hold
    settings.LIKENESS_TTS_HOSTS = ["b\u00fccher.example"]
    with pytest.raises(AuditError):
        speaking.engine_for(row, script).synthesize(script.segments[0], voice=voice)

    assert outside == []


def test_a_preview_that_is_spoken_outside_is_logged_too(
    cast: PresentRequest, quick: Any, outside: list[str]
) -> None:
    lend(quick)

    assert previewing.hear(cast, by=quick.by["requester"])

    assert outside == ["您好。", "欢迎。"]
    assert [each["host"] for each in sent_entries(1)] == ["tts.example"]
