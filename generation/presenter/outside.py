"""An outside lip-sync engine by submit and query: a silent video and the sound go out, a video comes back.

The contract is Duix-Avatar's (its README, "Open APIs"), which others copy::

    POST <base>/submit  {"code", "audio_url", "video_url", "chaofen": 0, "watermark_switch": 0, "pn": 1}
        -> {"code": 10000}                                                  taken
        -> {"code": 10001}                                                  busy: it is asked again
    GET  <base>/query?code=...
        -> {"code": 10000, "data": {"status": 1, "progress": 20}}           1 at work, 2 done, 3 failed
        -> {"code": 10000, "data": {"status": 2, "result": "/<code>-r.mp4"}}

``audio_url`` and ``video_url`` are addresses that the caller gives, or ``data:`` addresses that hold the
files. ``result`` is an address, or a path on the same host. Where the answer may come from is ruled as for
every request of ours (``outbound``); the key goes to the configured host alone. A person's face and voice
leave the house this way: whoever configures it needs a contract for that, and the record names the host.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from generation.engine.errors import MediaError
from generation.engine.media.chunks import whole
from generation.engine.media.decode import read_frames
from generation.engine.media.info import MediaInfo
from generation.engine.media.probe import probe
from generation.presenter import outbound
from generation.presenter.errors import (
    DrivingFailedError,
    DrivingMismatchError,
    DrivingUnavailableError,
    SpeechFailedError,
    SpeechUnavailableError,
)
from generation.presenter.outbound import Reply, Target
from generation.presenter.speech import Pcm

TAKEN, BUSY = 10_000, 10_001
AT_WORK, DONE, FAILED = frozenset({0, 1}), 2, 3
ANSWER_MAX = 1 << 20
INLINE_MAX = 1 << 26
"""Octets of both files, where they are sent in the request itself."""
STUMBLES = 3
"""Unanswered questions in a row after which an engine is dead."""
_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class OutsideConfig:
    """``target.url``: the base address, without a slash at its end; ``key`` goes along as a bearer token.

    ``target.timeout_s`` and ``size_max`` bound one exchange and the video.
    """

    target: Target
    key: str = ""
    poll_s: float = 2.0
    deadline_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class Links:
    """Where the engine finds the files, if it does not get them in the request."""

    audio_url: str
    video_url: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a video must be."""

    frames: int
    size_px: tuple[int, int]
    fps: int


class Outside:
    """One configured engine.

    Raises, from its constructor:
        DrivingUnavailableError: nothing may be sent to its address.
    """

    def __init__(
        self,
        config: OutsideConfig,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if len(config.key) > 4096 or not (config.key.isascii() and config.key.isprintable()):
            raise DrivingUnavailableError("The lip-sync engine's key is not one line of letters.")
        target = replace(config.target, what="lip-sync engine")
        try:
            self.host = outbound.checked(target).hostname or ""
        except SpeechUnavailableError as error:
            raise DrivingUnavailableError(str(error)) from None
        self._config, self._target = config, target
        self._sleep, self._clock = sleep, clock

    def drive(
        self, template: Path, pcm: Pcm, *, rate: int, code: str, out: Path, links: Links | None = None
    ) -> None:
        """Have a silent video speak: ``out`` appears when the engine's video is whole. It is not looked at.

        Raises:
            DrivingUnavailableError: nothing may be sent there.
            DrivingFailedError: the engine refused, failed, or was too slow.
        """
        if not _CODE.fullmatch(code):
            raise DrivingFailedError("The code of a task is 1 to 64 letters, digits, - and _.")
        ends = self._clock() + self._config.deadline_s
        self._submit(_task(template, pcm, rate, code, links), ends)
        self._download(self._result(code, ends), out)

    def _submit(self, body: bytes, ends: float) -> None:
        while True:
            answer = self._asked(self._at("submit", ANSWER_MAX), body)
            if answer.get("code") == TAKEN:
                return
            if answer.get("code") != BUSY:
                raise DrivingFailedError(f"The lip-sync engine refused the task: {_told(answer)}.")
            self._wait(ends)

    def _result(self, code: str, ends: float) -> str:
        question = self._at(f"query?code={quote(code)}", ANSWER_MAX)
        stumbles = 0
        while True:
            self._wait(ends)
            try:
                answer = self._asked(question, None)
            except DrivingFailedError:
                stumbles += 1
                if stumbles >= STUMBLES:
                    raise
                continue
            stumbles = 0
            data = answer.get("data")
            if answer.get("code") != TAKEN or not isinstance(data, dict):
                raise DrivingFailedError(f"The lip-sync engine lost the task: {_told(answer)}.")
            status, result = data.get("status"), data.get("result")
            if status == DONE and isinstance(result, str) and 0 < len(result) <= 2048:
                return result
            if type(status) is not int or status not in AT_WORK:
                raise DrivingFailedError(f"The lip-sync engine failed: {_told(data)}.")

    def _download(self, result: str, out: Path) -> None:
        try:
            target = replace(self._target, url=urljoin(self._target.url + "/", result))
            own = urlsplit(target.url)[:2] == urlsplit(self._target.url)[:2]
        except ValueError:
            raise DrivingFailedError("The lip-sync engine's result is no address.") from None
        part = out.with_name(out.name + ".part")
        headers = self._headers() if own else {}
        try:
            with part.open("wb") as file:
                reply = self._guarded(lambda: outbound.fetch(target, headers=headers, into=file))
            if reply.status != 200:
                raise DrivingFailedError(f"The lip-sync engine's video was answered with {reply.status}.")
            os.replace(part, out)
        finally:
            part.unlink(missing_ok=True)

    def _asked(self, target: Target, body: bytes | None) -> dict[str, Any]:
        headers = {**self._headers(), "Content-Type": "application/json"}
        reply = self._guarded(
            lambda: (
                outbound.fetch(target, headers=headers)
                if body is None
                else outbound.post(target, body, headers=headers)
            )
        )
        if reply.status != 200:
            raise DrivingFailedError(f"The lip-sync engine answered {reply.status}.")
        try:
            found = json.loads(reply.body)
        except (ValueError, RecursionError):
            raise DrivingFailedError("The lip-sync engine did not answer in JSON.") from None
        if not isinstance(found, dict):
            raise DrivingFailedError("The lip-sync engine did not answer with an object.")
        return found

    def _guarded(self, ask: Callable[[], Reply]) -> Reply:
        try:
            return ask()
        except SpeechUnavailableError as error:
            raise DrivingUnavailableError(str(error)) from None
        except SpeechFailedError as error:
            raise DrivingFailedError(str(error)) from error

    def _at(self, path: str, size_max: int) -> Target:
        return replace(self._target, url=f"{self._target.url}/{path}", size_max=size_max)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._config.key}"} if self._config.key else {}

    def _wait(self, ends: float) -> None:
        if self._clock() + self._config.poll_s > ends:
            raise DrivingFailedError(
                f"The lip-sync engine was not ready within {self._config.deadline_s:g} s."
            )
        self._sleep(self._config.poll_s)


def _task(template: Path, pcm: Pcm, rate: int, code: str, links: Links | None) -> bytes:
    if links is None:
        sound = _wav(pcm, rate)
        if template.stat().st_size + len(sound) > INLINE_MAX:
            raise DrivingFailedError(f"Video and sound are more than {INLINE_MAX} octets; links are needed.")
        links = Links(_inline("audio/wav", sound), _inline("video/mp4", template.read_bytes()))
    fixed = {"chaofen": 0, "watermark_switch": 0, "pn": 1}  # as its README has them
    return json.dumps(
        {"code": code, "audio_url": links.audio_url, "video_url": links.video_url} | fixed
    ).encode()


def _inline(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _wav(pcm: Pcm, rate: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.astype("<i2").tobytes())
    return out.getvalue()


def _told(answer: dict[str, Any]) -> str:
    """What an answer says of itself, short and on one line."""
    code, words = answer.get("code", answer.get("status")), str(answer.get("msg", ""))
    return " ".join(f"{code} {words}".split())[:120]


def checked_video(path: Path, wanted: Wanted) -> MediaInfo:
    """What a strange video holds, when it is what was wanted; it is decoded to its end.

    Raises:
        DrivingMismatchError: it is no video, or of another length, size or rate.
    """
    try:
        info = probe(path)
        found = {
            "frames": (info.frame_count, wanted.frames),
            "width": (info.output_size_px[0], wanted.size_px[0]),
            "height": (info.output_size_px[1], wanted.size_px[1]),
            "rate": (float(info.rate), float(wanted.fps)),
        }
        off = [f"{name} {is_:g}, not {should:g}" for name, (is_, should) in found.items() if is_ != should]
        if not off:
            off = [
                f"{each} frames, not {wanted.frames}"
                for each in _decoded(path, info)
                if each != wanted.frames
            ]
    except MediaError as error:
        raise DrivingMismatchError(f"The lip-sync engine's video cannot be read: {error}") from None
    if off:
        raise DrivingMismatchError(f"The lip-sync engine's video has {', '.join(off)}.")
    return info


def _decoded(path: Path, info: MediaInfo) -> Iterator[int]:
    yield sum(1 for _ in read_frames(path, info, whole(info)))
