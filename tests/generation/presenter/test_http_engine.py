"""Engines over HTTP, by a real server on this machine: one that behaves, and all those that do not."""

from __future__ import annotations

import base64
import io
import ipaddress
import json
import threading
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from generation.presenter.errors import (
    SpeechError,
    SpeechFailedError,
    SpeechTimesError,
    SpeechUnavailableError,
    VoiceMissingError,
)
from generation.presenter.http_answers import VISEME_IPA
from generation.presenter.http_engine import HttpConfig, HttpEngine, Kind
from generation.presenter.normalise import Language
from generation.presenter.outbound import Target
from generation.presenter.script import Kind as ScriptKind
from generation.presenter.script import Script, read
from generation.presenter.speech import Speech, Timing, Voice, check
from generation.presenter.visemes import ids_of
from tests.generation.presenter.tones import ToneEngine

RATE = 24_000
VOICE = Voice("wang", "idn_0123456789abcdef", 1.0, "wang-neural", "2")
TEXT = "余额五元"
STEP_S = 0.2


def tone(seconds: float, *, level: float = 0.3, rate: int = RATE) -> np.ndarray:
    time_s = np.arange(round(seconds * rate)) / rate
    return (np.sin(2 * np.pi * 220 * time_s) * level * 32767).astype("<i2")


def wav(pcm: np.ndarray, *, rate: int = RATE, channels: int = 1) -> str:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.tobytes())
    return base64.b64encode(out.getvalue()).decode()


def plain(text: str) -> dict[str, Any]:
    """A fifth of a second for each character, silence of as much at both ends."""
    ends = [round(STEP_S * at, 6) for at in range(len(text) + 3)]
    phones = [{"ipa": "", "start": 0, "end": STEP_S}]
    phones += [
        {"ipa": "m" if at % 2 else "a", "start": ends[at + 1], "end": ends[at + 2], "stress": 2}
        for at in range(len(text))
    ]
    phones.append({"ipa": "", "start": ends[-2], "end": ends[-1]})
    words = [
        {"start": ends[at + 1], "end": ends[at + 2], "char_start": at, "char_end": at + 1}
        for at in range(len(text))
    ]
    sound = tone(ends[-1])
    return {
        "pcm": base64.b64encode(sound.tobytes()).decode(),
        "sample_rate": RATE,
        "phones": phones,
        "words": words,
    }


class Server:
    """What the engine was asked, and what it answers next."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[BaseHTTPRequestHandler, str], None] = well
        self.ended = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.asked.append(body)
                server.headers.append(dict(self.headers))
                server.answer(self, body["text"])

            def log_message(self, *_: object) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/say?x=1"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.ended.set()
        self.http.shutdown()
        self.http.server_close()


def send(
    handler: BaseHTTPRequestHandler, body: bytes, *, status: int = 200, kind: str = "application/json"
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def well(handler: BaseHTTPRequestHandler, text: str) -> None:
    send(handler, json.dumps(plain(text)).encode())


def changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[BaseHTTPRequestHandler, str], None]:
    """Answers well but for one change."""

    def answer(handler: BaseHTTPRequestHandler, text: str) -> None:
        document = plain(text)
        change(document)
        send(handler, json.dumps(document).encode())

    return answer


def raw(body: bytes, **how: Any) -> Callable[[BaseHTTPRequestHandler, str], None]:
    return lambda handler, _text: send(handler, body, **how)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def target(server: Server, **changes: Any) -> Target:
    loopback = (ipaddress.ip_network("127.0.0.0/8"),)
    plain = Target(server.url, frozenset({"127.0.0.1"}), loopback, timeout_s=5.0, size_max=1 << 22)
    return replace(plain, **changes)


def engine(server: Server, kind: Kind = Kind.PLAIN, **changes: Any) -> HttpEngine:
    return HttpEngine(HttpConfig(target(server, **changes), kind, key="secret"), reference=ToneEngine)


def script(text: str = TEXT, kind: ScriptKind = ScriptKind.TEXT) -> Script:
    return read(text, language=Language.ZH, kind=kind)


def said(made: HttpEngine, text: str = TEXT) -> Speech:
    return made.synthesize(script(text).segments[0], voice=VOICE)


def test_sound_and_times_come_back_without_the_engine_s_silence(server: Server) -> None:
    speech = check(said(engine(server), "余额¥5。"))

    assert server.asked == [
        {
            "text": "余额五元。",
            "language": "zh",
            "voice": "wang-neural",
            "version": "2",
            "rate": 1.0,
            "pitch_st": 0.0,
            "volume_db": 0.0,
            "readings": [],
        }
    ]
    assert server.headers[0]["Authorization"] == "Bearer secret"
    assert speech.timing is Timing.EXACT
    assert speech.phones[0].ipa == "a"
    assert speech.duration_s == pytest.approx(5 * STEP_S + 0.3)
    assert [(word.char_start, word.char_end) for word in speech.words] == [
        *((0, 1), (1, 2), (2, 4), (2, 4), (4, 5))
    ]
    assert speech.engine == "plain at 127.0.0.1"


def test_pauses_marks_and_manners_are_kept_and_words_between_them_are_asked_for(server: Server) -> None:
    source = (
        "<speak>余额<break time='1s'/><mark name='gesture.wave'/>五元"
        "<prosody rate='80%'>请</prosody><phoneme alphabet='pinyin' ph='huan2'>还</phoneme></speak>"
    )
    segment = script(source, ScriptKind.SSML).segments[0]

    speech = check(engine(server).synthesize(segment, voice=VOICE))

    assert [(each["text"], each["rate"]) for each in server.asked] == [
        *(("余额", 1.0), ("五元", 1.0), ("请", 0.8), ("还", 1.0))
    ]
    assert server.asked[-1]["readings"] == [{"start": 0, "end": 1, "alphabet": "pinyin", "phonemes": "huan2"}]
    assert speech.marks["gesture.wave"] == pytest.approx(2 * STEP_S + 1)
    assert speech.duration_s == pytest.approx(6 * STEP_S + 1 + 0.3)


# ---- engines that misbehave -----------------------------------------------------------------------


def dead(handler: BaseHTTPRequestHandler, _text: str) -> None:
    handler.close_connection = True


def slow(handler: BaseHTTPRequestHandler, _text: str) -> None:
    time.sleep(1.0)
    handler.close_connection = True


def dripping(handler: BaseHTTPRequestHandler, _text: str) -> None:
    """An octet every 50 ms: no single wait is long."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        return


def dripping_headers(handler: BaseHTTPRequestHandler, _text: str) -> None:
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(100):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        return


def endless(handler: BaseHTTPRequestHandler, _text: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" " * 65_536)
    except OSError:
        return


def half(handler: BaseHTTPRequestHandler, _text: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{}")
    handler.close_connection = True


def redirecting(handler: BaseHTTPRequestHandler, _text: str) -> None:
    handler.send_response(302)
    handler.send_header("Location", "http://127.0.0.1:1/")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def nan(document: dict[str, Any]) -> None:
    document["phones"][1]["end"] = float("nan")


QUICK = {"timeout_s": 0.4}
TRANSPORT: dict[str, tuple[Any, dict[str, Any], str]] = {
    "dead": (dead, {}, "failed"),
    "slow": (slow, QUICK, "no answer within"),
    "dripping": (dripping, QUICK, "no answer within"),
    "dripping headers": (dripping_headers, QUICK, "no answer within"),
    "endless": (endless, {"size_max": 1 << 17}, "sends more than"),
    "announces too much": (raw(b" " * 2048), {"size_max": 1024}, "announces 2048"),
    "half an answer": (half, {}, "middle"),
    "a redirect": (redirecting, {}, "answered 302"),
    "an error": (raw(b"{}", status=500), {}, "answered 500"),
    "not allowed": (raw(b"{}", status=401), {}, "answered 401"),
    "html": (raw(b"<html>", kind="text/html"), {}, "text/html"),
    "nonsense": (lambda handler, _: handler.wfile.write(b"hello\r\n\r\n"), {}, "failed"),
}


@pytest.mark.parametrize("case", TRANSPORT)
def test_an_engine_that_does_not_answer_properly_fails_after_one_more_try(case: str, server: Server) -> None:
    server.answer, changes, words = TRANSPORT[case]

    with pytest.raises(SpeechFailedError, match=words) as raised:
        said(engine(server, **changes))

    assert len(server.asked) == 2
    assert raised.value.code == "tts_failed"
    assert "secret" not in str(raised.value)


ANSWERS: dict[str, Callable[[BaseHTTPRequestHandler, str], None]] = {
    "no json": raw(b"hello"),
    "a list": raw(b"[]"),
    "deep nesting": raw(b"[" * 100_000),
    "nothing": raw(b"{}"),
    "nan": changed(nan),
    "infinity": raw(b'{"phones": [], "words": [], "pcm": "AAA=", "sample_rate": Infinity}'),
    "a huge number": changed(lambda d: d["phones"][1].update(end=10**400)),
    "no sound": changed(lambda d: d.update(pcm="")),
    "no base64": changed(lambda d: d.update(pcm="***")),
    "a list for sound": changed(lambda d: d.update(pcm=[1, 2])),
    "silence": changed(lambda d: d.update(pcm=base64.b64encode(bytes(len(tone(1.2)) * 2)).decode())),
    "clipped": changed(
        lambda d: d.update(
            pcm=base64.b64encode((np.sign(tone(1.2)) * 32767).astype("<i2").tobytes()).decode()
        )
    ),
    "a rate of nothing": changed(lambda d: d.update(sample_rate=0)),
    "a rate that is not its own": changed(lambda d: d.update(sample_rate=48_000)),
    "a rate that nothing has": changed(lambda d: d.update(sample_rate=23_999)),
    "a rate of yes": changed(lambda d: d.update(sample_rate=True)),
    "no phones": changed(lambda d: d.update(phones=[])),
    "phones as words": changed(lambda d: d.update(phones=["a", "b"])),
    "only silence": changed(lambda d: [each.update(ipa="") for each in d["phones"]]),
    "a gap": changed(lambda d: d["phones"].pop(2)),
    "times in milliseconds": changed(
        lambda d: [each.update(start=each["start"] * 1000, end=each["end"] * 1000) for each in d["phones"]]
    ),
    "phones out of order": changed(lambda d: d["phones"].reverse()),
    "phones beyond the sound": changed(lambda d: d["phones"][-1].update(end=9.0)),
    "no words": changed(lambda d: d.update(words=[])),
    "a word beyond the text": changed(lambda d: d["words"][0].update(char_end=99)),
    "a word without characters": changed(lambda d: d["words"][0].update(char_end=0)),
    "a word before the text": changed(lambda d: d["words"][0].update(char_start=-1)),
    "words at another time": changed(lambda d: [each.update(start=50, end=51) for each in d["words"]]),
    "a wav that is none": changed(lambda d: (d.pop("pcm"), d.update(wav="AAAA"))),
    "a wav in stereo": changed(lambda d: (d.pop("pcm"), d.update(wav=wav(tone(1.2), channels=2)))),
    "a phone of a thousand letters": changed(lambda d: d["phones"][1].update(ipa="a" * 1000)),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_sound_and_times_that_cannot_be_used_fail_after_one_more_try(case: str, server: Server) -> None:
    server.answer = ANSWERS[case]

    with pytest.raises(SpeechTimesError):
        said(engine(server))

    assert len(server.asked) == 2


def test_one_failure_is_forgiven(server: Server) -> None:
    def once(handler: BaseHTTPRequestHandler, text: str) -> None:
        (well if len(server.asked) > 1 else dead)(handler, text)

    server.answer = once

    assert said(engine(server)).words
    assert len(server.asked) == 2


def test_a_voice_that_it_does_not_have_is_no_reason_to_try_again(server: Server) -> None:
    server.answer = raw(b'{"code": "voice_missing"}', status=404)

    with pytest.raises(VoiceMissingError, match="wang-neural"):
        said(engine(server))
    assert len(server.asked) == 1


def test_nothing_listens(server: Server) -> None:
    made = engine(server)
    server.close()

    with pytest.raises(SpeechFailedError):
        said(made)


@pytest.mark.parametrize(
    "changes",
    [{"hosts": frozenset()}, {"networks": ()}, {"networks": (ipaddress.ip_network("10.0.0.0/8"),)}],
)
def test_a_host_or_network_that_is_not_listed_is_never_reached(
    changes: dict[str, Any], server: Server
) -> None:
    with pytest.raises(SpeechUnavailableError):
        said(engine(server, **changes))
    assert server.asked == []


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel", "x" * 5000])
def test_a_key_that_would_break_the_request_is_refused(key: str, server: Server) -> None:
    with pytest.raises(SpeechUnavailableError) as raised:
        HttpEngine(HttpConfig(target(server), Kind.PLAIN, key=key))
    assert key not in str(raised.value)


# ---- the other kinds ---------------------------------------------------------------------------------


def ticks(seconds: float) -> int:
    return round(seconds * 10_000_000)


def azure(text: str) -> dict[str, Any]:
    visemes = [{"AudioOffset": ticks(0.05), "VisemeId": 0}]
    visemes += [{"AudioOffset": ticks(0.1 + at * STEP_S), "VisemeId": 21 - at % 2} for at in range(len(text))]
    visemes.append({"AudioOffset": ticks(0.1 + len(text) * STEP_S), "VisemeId": 0})
    words = [
        {
            "AudioOffset": ticks(0.1 + at * STEP_S),
            "Duration": ticks(STEP_S - 0.01),
            "TextOffset": at,
            "WordLength": 1,
        }
        for at in range(len(text))
    ]
    return {"wav": wav(tone(0.1 + (len(text) + 1) * STEP_S)), "visemes": visemes, "words": words}


def cosy(text: str) -> dict[str, Any]:
    words = [
        {"text": text[at], "begin_time": 100 + at * 200, "end_time": 290 + at * 200}
        | {"begin_index": at, "end_index": at + 1}
        for at in range(len(text))
    ]
    return {"wav": wav(tone(0.1 + (len(text) + 1) * STEP_S)), "words": words}


def answering(
    make: Callable[[str], dict[str, Any]], change: Callable[[dict[str, Any]], Any] = lambda _: None
) -> Callable[[BaseHTTPRequestHandler, str], None]:
    def answer(handler: BaseHTTPRequestHandler, text: str) -> None:
        document = make(text)
        change(document)
        send(handler, json.dumps(document).encode())

    return answer


@pytest.mark.parametrize("number", range(22))
def test_every_viseme_comes_back_as_itself(number: int) -> None:
    assert not VISEME_IPA[number] if number == 0 else ids_of(VISEME_IPA[number]) == (number,)
    assert len(VISEME_IPA) == 22


def test_azure_s_visemes_become_phones_with_their_times(server: Server) -> None:
    server.answer = answering(azure)

    speech = check(said(engine(server, Kind.AZURE)))

    assert [ids_of(phone.ipa)[0] for phone in speech.phones if phone.ipa] == [21, 20, 21, 20]
    assert speech.phones[1].start_s == pytest.approx(STEP_S, abs=1e-3)
    assert [word.text for word in speech.words] == list(TEXT)
    assert speech.timing is Timing.EXACT


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(visemes=[]),
        lambda d: d["visemes"].reverse(),
        lambda d: d["visemes"][1].update(VisemeId=22),
        lambda d: d["visemes"][1].update(VisemeId=-1),
        lambda d: d["visemes"][1].update(VisemeId="p"),
        lambda d: d["visemes"][-1].update(AudioOffset=ticks(60)),
        lambda d: [each.update(AudioOffset=each["AudioOffset"] * 1000) for each in d["visemes"]],
        lambda d: d["words"][0].update(WordLength=0),
    ],
)
def test_wrong_visemes_are_refused(change: Callable[[dict[str, Any]], Any], server: Server) -> None:
    server.answer = answering(azure, change)

    with pytest.raises(SpeechTimesError):
        said(engine(server, Kind.AZURE))


def test_word_times_are_shared_out_among_the_phones_of_each_word(server: Server) -> None:
    server.answer = answering(cosy)

    speech = check(said(engine(server, Kind.COSYVOICE)))

    assert speech.timing is Timing.ALIGNED
    assert [word.text for word in speech.words] == list(TEXT)
    assert speech.words[1].start_s - speech.words[0].start_s == pytest.approx(STEP_S, abs=1e-3)
    assert sum(bool(phone.ipa) for phone in speech.phones) == len(TEXT)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(words=[]),
        lambda d: d["words"].reverse(),
        lambda d: d["words"][1].update(begin_time=0),
        lambda d: d["words"][1].update(end_time=300),
        lambda d: d["words"][-1].update(end_time=60_000),
        lambda d: d["words"][0].update(begin_index=50, end_index=51),
    ],
)
def test_wrong_word_times_are_refused(change: Callable[[dict[str, Any]], Any], server: Server) -> None:
    server.answer = answering(cosy, change)

    with pytest.raises(SpeechError):
        said(engine(server, Kind.COSYVOICE))


def test_word_times_alone_need_another_engine_beside_them(server: Server) -> None:
    with pytest.raises(SpeechUnavailableError):
        HttpEngine(HttpConfig(target(server), Kind.COSYVOICE))
