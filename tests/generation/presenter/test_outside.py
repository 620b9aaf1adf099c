"""An outside lip-sync engine, by a real server on this machine; and who drives when it does not."""

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
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from generation.engine.errors import LicenceRefusedError, ModelOutputError
from generation.engine.media.colour import from_planes, to_planes
from generation.engine.types import Image, Planes
from generation.presenter.bases import Shown
from generation.presenter.driving import Performance
from generation.presenter.engines import Kind, after_sync, engine_for
from generation.presenter.errors import (
    DrivingFailedError,
    DrivingMismatchError,
    DrivingUnavailableError,
    SceneError,
    SyncUnmeasuredError,
)
from generation.presenter.outbound import Target
from generation.presenter.outside import Links, Outside, OutsideConfig
from generation.presenter.outside_engine import OutsideEngine
from generation.presenter.scene import Layout, Plate
from generation.presenter.speech import Phone, Speech, Timing, Voice
from generation.presenter.subtitles import Cue
from generation.presenter.sync import Agreement, SyncReport
from tests.generation.presenter.idle_clips import still_motion, write_clip

FPS, RATE, FRAMES = 25, 16_000, 12
LAYOUT = Layout(width_px=320, height_px=240)
PLATE = Plate(np.zeros((2, 2, 3), np.uint8), np.ones((2, 2), np.float32), np.zeros((468, 3), np.float32))
Answer = Callable[["Server", BaseHTTPRequestHandler, dict[str, Any]], None]


class Flat:
    """Shows nobody: a level for each frame."""

    def shown(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Shown]:
        del fps
        for at in range(len(performance.shapes)):
            picture = np.full((layout.height_px, layout.width_px, 3), min(60 + 10 * at, 255), np.uint8)
            yield Shown(picture, plate.mesh, 0, lambda picture=picture: to_planes(picture))

    def reference(self, plate: Plate) -> tuple[Image, Any]:
        return plate.picture, plate.mesh


class Server:
    """What the engine was asked, and how it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.submitted: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.keys: list[str | None] = []
        self.submit: Answer = taken
        self.query: Answer = done
        self.result: Answer = echoed
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.submitted.append(body)
                server.keys.append(self.headers["Authorization"])
                server.submit(server, self, body)

            def do_GET(self) -> None:
                server.asked.append(self.path)
                server.keys.append(self.headers["Authorization"])
                answer = server.query if "/query" in self.path else server.result
                answer(server, self, {"path": self.path})

            def log_message(self, *_: object) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def outside(self, **changes: Any) -> Outside:
        target = {key: changes.pop(key) for key in ("url", "timeout_s", "size_max") if key in changes}
        loopback = (ipaddress.ip_network("127.0.0.0/8"),)
        plain = Target(
            f"http://127.0.0.1:{self.port}/easy", frozenset({"127.0.0.1"}), loopback, timeout_s=5.0
        )
        settings = {"key": "secret", "poll_s": 0.01, "deadline_s": 3.0} | changes
        return Outside(OutsideConfig(replace(plain, **target), **settings))


def make_video(path: Path, *, frames: int, size: tuple[int, int], rate: int = FPS) -> Path:
    width, height = size
    return write_clip(path, (np.full((height, width, 3), 90, np.uint8) for _ in range(frames)), rate=rate)


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def says(document: object, status: int = 200) -> Answer:
    return lambda _server, handler, _body: send(handler, json.dumps(document).encode(), status)


def raw(body: bytes, status: int = 200) -> Answer:
    return lambda _server, handler, _body: send(handler, body, status)


def result_is(result: object) -> Answer:
    return says({"code": 10000, "data": {"status": 2, "result": result}})


def first_then(first: Answer, then: Answer, times: int = 1) -> Answer:
    count = [0]

    def answer(server: Server, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        count[0] += 1
        (first if count[0] <= times else then)(server, handler, body)

    return answer


taken = says({"code": 10000, "success": True, "data": {}})
working = says({"code": 10000, "data": {"status": 1, "progress": 20, "result": ""}})


def done(server: Server, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
    code = parse_qs(urlsplit(body["path"]).query)["code"][0]
    assert code == server.submitted[-1]["code"]
    result_is(f"/{code}-r.mp4")(server, handler, body)


def echoed(server: Server, handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
    """The template as it came."""
    send(handler, base64.b64decode(server.submitted[-1]["video_url"].partition(",")[2]))


def video(**how: Any) -> Answer:
    def answer(server: Server, handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
        path = make_video(server.folder / f"other{len(server.asked)}.mp4", **how)
        send(handler, path.read_bytes())

    return answer


def hangs(_server: Server, handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
    time.sleep(1.0)
    handler.close_connection = True


def dies(_server: Server, handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
    handler.close_connection = True


def endless(_server: Server, handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" " * 65_536)
    except OSError:
        return


def redirecting(_server: Server, handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
    handler.send_response(302)
    handler.send_header("Location", "http://127.0.0.1:1/")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.close()


def speech(frames: int = FRAMES) -> Speech:
    time_s = np.arange(frames * RATE // FPS) / RATE
    pcm = (np.sin(2 * np.pi * 220 * time_s) * 9000).astype(np.int16)
    return Speech(pcm, RATE, (Phone("a", 0.0, frames / FPS),), (), "test", Timing.EXACT, Voice("v"))


def performed(frames: int = FRAMES, cues: tuple[Cue, ...] = ()) -> Performance:
    return Performance(np.zeros((frames, 7)), still_motion(frames), cues)


def engine(server: Server, **changes: Any) -> OutsideEngine:
    work = server.folder / "work"
    work.mkdir(exist_ok=True)
    return OutsideEngine(server.outside(**changes), Flat(), speech(), work=work, leaving=bool)


def driven(made: OutsideEngine, performance: Performance | None = None) -> list[Planes]:
    return list(made.frames(PLATE, LAYOUT, performance or performed(), fps=FPS))


# ---- engines that misbehave --------------------------------------------------------------------------

FAILS: dict[str, tuple[dict[str, Answer], dict[str, Any], type[Exception], str]] = {
    "dead": ({"submit": dies}, {}, DrivingFailedError, "failed"),
    "refused": (
        {"submit": says({"code": 9999, "msg": "no licence"})},
        {},
        DrivingFailedError,
        "9999 no licence",
    ),
    "an error": ({"submit": says({}, 500)}, {}, DrivingFailedError, "answered 500"),
    "a redirect": ({"submit": redirecting}, {}, DrivingFailedError, "answered 302"),
    "html": ({"submit": raw(b"<html>")}, {}, DrivingFailedError, "JSON"),
    "a list": ({"submit": raw(b"[]")}, {}, DrivingFailedError, "object"),
    "deep nesting": ({"submit": raw(b"[" * 100_000)}, {}, DrivingFailedError, "JSON"),
    "slow": ({"submit": hangs}, {"timeout_s": 0.2}, DrivingFailedError, "no answer within"),
    "always busy": ({"submit": says({"code": 10001})}, {"deadline_s": 0.1}, DrivingFailedError, "not ready"),
    "never ready": ({"query": working}, {"deadline_s": 0.1}, DrivingFailedError, "not ready within 0.1"),
    "dies at work": ({"query": first_then(working, dies, 2)}, {}, DrivingFailedError, "failed"),
    "an endless answer": ({"query": endless}, {}, DrivingFailedError, "sends more than"),
    "failed": (
        {"query": says({"code": 10000, "data": {"status": 3, "msg": "no face"}})},
        {},
        DrivingFailedError,
        "no face",
    ),
    "the task is lost": ({"query": says({"code": 10004})}, {}, DrivingFailedError, "lost the task: 10004"),
    "no state": ({"query": says({"code": 10000, "data": {}})}, {}, DrivingFailedError, "failed"),
    "yes": ({"query": says({"code": 10000, "data": {"status": True}})}, {}, DrivingFailedError, "failed"),
    "no result": ({"query": result_is("")}, {}, DrivingFailedError, "failed"),
    "a number for a result": ({"query": result_is(7)}, {}, DrivingFailedError, "failed"),
    "a result elsewhere": (
        {"query": result_is("https://other.example/x")},
        {},
        DrivingUnavailableError,
        "listed",
    ),
    "a file for a result": ({"query": result_is("file:///etc/passwd")}, {}, DrivingUnavailableError, "https"),
    "a result inside": ({"query": result_is("http://10.0.0.1/x")}, {}, DrivingUnavailableError, "listed"),
    "a result that is none": ({"query": result_is("http://[")}, {}, DrivingFailedError, "no address"),
    "a video too large": ({"result": endless}, {"size_max": 1 << 17}, DrivingFailedError, "sends more than"),
    "no video there": ({"result": says({}, 404)}, {}, DrivingFailedError, "answered with 404"),
    "no video": ({"result": raw(b"hello")}, {}, DrivingMismatchError, "cannot be read"),
    "an empty video": ({"result": raw(b"")}, {}, DrivingMismatchError, "cannot be read"),
    "a frame too few": (
        {"result": video(frames=11, size=(320, 240))},
        {},
        DrivingMismatchError,
        "frames 11, not 12",
    ),
    "a frame too many": (
        {"result": video(frames=13, size=(320, 240))},
        {},
        DrivingMismatchError,
        "frames 13",
    ),
    "another size": ({"result": video(frames=12, size=(240, 320))}, {}, DrivingMismatchError, "width 240"),
    "another rate": (
        {"result": video(frames=12, size=(320, 240), rate=30)},
        {},
        DrivingMismatchError,
        "rate 30",
    ),
}


@pytest.mark.parametrize("case", FAILS)
def test_an_engine_that_does_not_deliver_is_refused_before_its_first_frame(case: str, server: Server) -> None:
    answers, settings, error, words = FAILS[case]
    for name, answer in answers.items():
        setattr(server, name, answer)

    with pytest.raises(error, match=words) as raised:
        next(engine(server, **settings).frames(PLATE, LAYOUT, performed(), fps=FPS))

    assert "secret" not in str(raised.value)
    assert not list((server.folder / "work").iterdir())


def test_a_video_that_breaks_off_is_found_before_its_first_frame(server: Server) -> None:
    def broken(server: Server, handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
        chance = np.random.default_rng(0)
        noise = (chance.integers(0, 255, (240, 320, 3)).astype(np.uint8) for _ in range(FRAMES))
        whole = bytearray(write_clip(server.folder / "noise.mp4", noise).read_bytes())
        begins, ends = whole.index(b"mdat") + 4, whole.index(b"moov") - 4
        whole[(begins + ends) // 2 : ends] = bytes(ends - (begins + ends) // 2)
        send(handler, bytes(whole))

    server.result = broken

    with pytest.raises(DrivingMismatchError, match="cannot be read"):
        next(engine(server).frames(PLATE, LAYOUT, performed(), fps=FPS))


BAD_ADDRESSES = [
    "http://lips.example/easy",
    "ftp://127.0.0.1/easy",
    "https://other.example/easy",
    "https://me:word@127.0.0.1/easy",
    "easy",
]


@pytest.mark.parametrize("url", BAD_ADDRESSES)
def test_nothing_is_sent_to_an_address_that_is_not_listed(url: str, server: Server) -> None:
    with pytest.raises(DrivingUnavailableError):
        server.outside(url=url)
    assert not server.submitted


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel", "k" * 5000])
def test_a_key_is_one_line(key: str, server: Server) -> None:
    with pytest.raises(DrivingUnavailableError) as raised:
        server.outside(key=key)
    assert key not in str(raised.value)


def test_transparency_cannot_be_sent(server: Server) -> None:
    clear = Layout(width_px=320, height_px=240, transparent=True)
    with pytest.raises(DrivingUnavailableError):
        next(engine(server).frames(PLATE, clear, performed(), fps=FPS))


# ---- one that behaves --------------------------------------------------------------------------------


def test_a_silent_film_and_the_sound_go_out_and_a_video_comes_back(server: Server) -> None:
    server.submit = first_then(says({"code": 10001}), taken)
    server.query = first_then(working, first_then(dies, done), 2)

    found = driven(engine(server))

    assert [round(float(from_planes(each).mean()) / 10) for each in found] == list(range(6, 6 + FRAMES))
    task = server.submitted[-1]
    assert {key: task[key] for key in ("chaofen", "watermark_switch", "pn")} == {
        "chaofen": 0,
        "watermark_switch": 0,
        "pn": 1,
    }
    assert task["video_url"].startswith("data:video/mp4;base64,")
    with wave.open(io.BytesIO(base64.b64decode(task["audio_url"].partition(",")[2]))) as sound:
        assert (sound.getframerate(), sound.getnframes()) == (RATE, FRAMES * RATE // FPS)
        assert np.frombuffer(sound.readframes(100), "<i2").any()
    assert len(server.submitted) == 2
    assert server.keys == ["Bearer secret"] * len(server.keys)
    assert not list((server.folder / "work").iterdir())


def test_only_the_sound_under_a_part_goes_out(server: Server) -> None:
    work = server.folder
    made = OutsideEngine(server.outside(), Flat(), speech(), work=work, leaving=bool, first=8)

    assert len(driven(made, performed(4))) == 4
    with wave.open(io.BytesIO(base64.b64decode(server.submitted[0]["audio_url"].partition(",")[2]))) as sound:
        assert sound.getnframes() == 4 * RATE // FPS
    with pytest.raises(DrivingMismatchError, match="12 frames, 13"):
        driven(made, performed(5))


def test_links_are_sent_instead_of_the_files(server: Server) -> None:
    template = make_video(server.folder / "template.mp4", frames=3, size=(320, 240))
    server.result = video(frames=3, size=(320, 240))
    links = Links("https://files.example/a.wav", "https://files.example/v.mp4")

    server.outside().drive(
        template, speech().pcm, rate=RATE, code="task-1", out=server.folder / "out.mp4", links=links
    )

    assert (server.submitted[0]["audio_url"], server.submitted[0]["video_url"]) == (
        links.audio_url,
        links.video_url,
    )
    assert (server.folder / "out.mp4").stat().st_size > 0
    with pytest.raises(DrivingFailedError, match="code"):
        server.outside().drive(template, speech().pcm, rate=RATE, code="a/b", out=server.folder / "x.mp4")


def test_the_key_does_not_go_to_another_port(server: Server) -> None:
    other = Server(server.folder)
    other.submitted = server.submitted
    server.query = lambda *args: result_is(f"http://127.0.0.1:{other.port}/r.mp4")(*args)
    try:
        driven(engine(server))
    finally:
        other.close()
    assert other.keys == [None]


def test_subtitles_are_drawn_on_what_comes_back(server: Server) -> None:
    plain = driven(engine(server))
    told = driven(engine(server), performed(cues=(Cue(0.0, 2 / FPS, ("您好",)),)))

    assert [bool((a.y == b.y).all()) for a, b in zip(plain, told, strict=True)] == [False] * 2 + [True] * 10


# ---- who drives --------------------------------------------------------------------------------------


class Stub:
    """An engine of so many frames, that fails at one of them."""

    needs_gpu = False

    def __init__(self, name: str, *, fails_at: int = -1, error: Exception | None = None) -> None:
        self.name, self._fails_at, self._error = name, fails_at, error

    def frames(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Planes]:
        del plate, layout, fps
        for at in range(len(performance.shapes)):
            if at == self._fails_at and self._error is not None:
                raise self._error
            level: Image = np.full((2, 2, 3), len(self.name), np.uint8)
            yield to_planes(level)


def puppet() -> Stub:
    return Stub("puppet")


def made_by(error: Exception) -> Callable[[], Stub]:
    def make() -> Stub:
        raise error

    return make


REPLACED: dict[str, tuple[Callable[[], Stub], str, str]] = {
    "no licence": (made_by(LicenceRefusedError("Model x has licence NC.")), "neural", "weights.licence"),
    "not configured": (made_by(DrivingUnavailableError("No host.")), "neural", "driving_unavailable"),
    "dead": (
        lambda: Stub("far", fails_at=0, error=DrivingFailedError("dead")),
        "far",
        "driving_engine_failed",
    ),
    "a mismatch": (
        lambda: Stub("far", fails_at=0, error=DrivingMismatchError("11")),
        "far",
        "driving_mismatch",
    ),
    "no numbers": (
        lambda: Stub("far", fails_at=0, error=ModelOutputError("nan")),
        "far",
        "face.model_output",
    ),
}


@pytest.mark.parametrize("case", REPLACED)
def test_the_puppet_takes_the_place_of_an_engine_that_fails_and_the_record_says_so(case: str) -> None:
    maker, name, code = REPLACED[case]

    chosen = engine_for("neural", {Kind.PUPPET: puppet, Kind.NEURAL: maker})
    found = list(chosen.frames(PLATE, LAYOUT, performed(), fps=FPS))

    assert len(found) == FRAMES
    assert chosen.name == "puppet"
    assert [(each.engine, each.code) for each in chosen.warnings] == [(name, code)]
    assert set(chosen.warnings[0].as_record()) == {"engine", "code", "message"}


def test_an_engine_that_is_missing_is_replaced_and_one_that_is_unknown_is_refused() -> None:
    assert engine_for("idle", {Kind.PUPPET: puppet}).warnings[0].code == "driving_unavailable"
    with pytest.raises(DrivingUnavailableError, match="magic"):
        engine_for("magic", {Kind.PUPPET: puppet})


def test_an_engine_that_works_drives_without_a_warning() -> None:
    chosen = engine_for("idle", {Kind.PUPPET: puppet, Kind.IDLE: lambda: Stub("idle/1")})

    assert len(list(chosen.frames(PLATE, LAYOUT, performed(), fps=FPS))) == FRAMES
    assert (chosen.name, chosen.warnings) == ("idle/1", ())
    assert list(chosen.frames(PLATE, LAYOUT, performed(0), fps=FPS)) == []


@pytest.mark.parametrize(
    ("kind", "maker"),
    [
        (
            "neural",
            lambda: Stub("far", fails_at=3, error=DrivingFailedError("late")),
        ),  # frames are out already
        ("neural", lambda: Stub("far", fails_at=0, error=SceneError("too wide"))),  # no engine's fault
        ("puppet", lambda: Stub("puppet", fails_at=0, error=DrivingFailedError("itself"))),
    ],
)
def test_what_the_puppet_cannot_mend_fails(kind: str, maker: Callable[[], Stub]) -> None:
    makers = {Kind.PUPPET: puppet, Kind(kind): maker}
    with pytest.raises((DrivingFailedError, SceneError)):
        list(engine_for(kind, makers).frames(PLATE, LAYOUT, performed(), fps=FPS))


def report(*failed: str) -> SyncReport:
    good = Agreement(0.9, 0)
    return SyncReport(good, good, good, 0.0, 0.02, 1, 1, 1, 1, 100, failed)


def test_a_file_out_of_bounds_is_rendered_again_by_the_puppet_with_a_warning() -> None:
    assert after_sync(report(), kind="neural") is None
    found = after_sync(report("landmarks.r", "rest"), kind="neural")
    assert found is not None
    assert (found.engine, found.code) == ("neural", "sync_out_of_bounds")
    assert "landmarks.r, rest" in found.message
    unmeasured = after_sync(SyncUnmeasuredError("no face"), kind="outside")
    assert unmeasured is not None
    assert unmeasured.code == "sync_unmeasured"


def test_the_puppet_is_never_replaced_by_itself() -> None:
    assert after_sync(report("landmarks.r"), kind="puppet") is None
    assert after_sync(SyncUnmeasuredError("no face"), kind="puppet") is None
