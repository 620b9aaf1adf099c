from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from consent import services as consents
from consent.terms import LicenceTerms, Representative, SeparateConsent
from generation import hooks, judging, loaded, performing, queueing, running, services
from generation.models import Job
from generation.services import JobRequest
from tests.generation import fakes

WEIGHTS = Path(django_settings.LIKENESS_WEIGHTS)
HASH = "a" * 64
TERMS = {"purposes": ["product_explainer"], "channels": ["branch_screen"]}


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | int]]:
    """Messages that would have gone to the broker."""
    messages: list[tuple[str, str | int]] = []
    monkeypatch.setattr(queueing, "send", lambda task, key: messages.append((task, key)))
    return messages


@pytest.fixture
def work(sent: list[tuple[str, str | int]]) -> Callable[[], None]:
    """A worker: does what was sent until nothing is left."""
    tasks: dict[str, Callable[[Any], Any]] = {
        "admit": lambda key: services.admit(uuid.UUID(str(key))),
        "run_chunk": services.run_chunk,
        "seal": lambda key: services.seal(uuid.UUID(str(key))),
        "drive": lambda key: performing.perform(uuid.UUID(str(key))),
        "call": lambda key: hooks.deliver(uuid.UUID(str(key))),
    }

    def run() -> None:
        while sent:
            task, key = sent.pop(0)
            tasks[task](key)

    return run


def terms(**changes: Any) -> LicenceTerms:
    now = timezone.now().replace(microsecond=0)
    plain = LicenceTerms(
        operations=["face_swap"],
        purposes=["product_explainer"],
        channels=["branch_screen"],
        territories=["CN"],
        languages=["zh"],
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=365),
        separate_consents=[
            SeparateConsent("PIPL29_FACE", HASH, "zh-CN", now),
            SeparateConsent("DEEPSYN14_EDIT", HASH, "zh-CN", now),
        ],
        signed_by="王五",
        signed_at=now,
        text_sha256=HASH,
        intended_use="网点屏幕中的产品讲解视频。",
        sample=True,
    )
    return replace(plain, **changes)


def encode_clip(frames: list[np.ndarray], *, sound: bool = True, fps: int = 25, gop: int = 250) -> bytes:
    """An MP4 of these BGR frames, with a tone."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=fps)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        video.options = {"preset": "veryfast", "crf": "16", "g": str(gop)}
        tone = container.add_stream("aac", rate=48000) if sound else None
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(video.encode(None))
        if tone is not None:
            count = 48000 * len(frames) // fps
            wave = (0.2 * np.sin(np.arange(count) * 2 * np.pi * 440 / 48000)).astype(np.float32)
            audio = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            audio.rate = 48000
            container.mux(tone.encode(audio))
            container.mux(tone.encode(None))
    return out.getvalue()


def moving(portrait: np.ndarray, *, width: int, height: int, count: int) -> list[np.ndarray]:
    """The picture, a little moved and turned from frame to frame."""
    scale = height / portrait.shape[0]
    frames = []
    for at in range(count):
        swing = np.sin(at / 12)
        matrix = cv2.getRotationMatrix2D((portrait.shape[1] / 2, portrait.shape[0] / 2), 3 * swing, scale)
        matrix[:, 2] += [width / 2 - portrait.shape[1] / 2 + 6 * swing, height / 2 - portrait.shape[0] / 2]
        frames.append(
            cv2.warpAffine(
                portrait, matrix, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
            )
        )
    return frames


def _sample(name: str) -> bytes:
    path = WEIGHTS / name
    if not path.is_file():
        pytest.skip("the starter weights and sample portraits are not pulled")
    return path.read_bytes()


@pytest.fixture(scope="session")
def astronaut() -> bytes:
    return _sample("astronaut.png")


@pytest.fixture(scope="session")
def hopper() -> bytes:
    return _sample("grace_hopper.jpg")


@pytest.fixture(scope="session")
def clip(hopper: bytes) -> bytes:
    """Two seconds of the performer, 640x360, with a tone."""
    portrait = cv2.imdecode(np.frombuffer(hopper, np.uint8), cv2.IMREAD_COLOR)
    return encode_clip(moving(portrait, width=640, height=360, count=50))


class Studio:
    """Real consents, a real log; short ways to what a job needs."""

    def __init__(self, people: dict[str, Any], home: Path) -> None:
        self.people, self.home = people, home
        self.by = {name: user.actor for name, user in people.items()}
        self.plain_use = {
            "purpose": "product_explainer",
            "channel": "branch_screen",
            "territory": "CN",
            "language": "zh",
        }

    def submit_consent(
        self, picture: bytes, *, kind: str = "likeness", status: str = "living", **changes: Any
    ) -> Any:
        by = self.by["requester"]
        person = consents.enrol(name="王五", status=status, kind=kind, portraits=[picture], by=by)
        if kind == "performer":
            changes.setdefault("operations", ["performance"])
        if status == "deceased":
            changes.setdefault("representative", Representative("estate", HASH))
        return consents.submit(person.id, terms=terms(**changes), by=by)

    def enrol(self, picture: bytes, *, status: str = "living", **changes: Any) -> Any:
        """An active consent."""
        row = self.submit_consent(picture, status=status, **changes)
        if status != "living":
            consents.approve(row.id, role="expert", by=self.by["expert"])
        consents.approve(row.id, role="legal", by=self.by["legal"])
        return consents.approve(row.id, role="business", by=self.by["business"])

    def upload(self, data: bytes) -> Any:
        return services.upload(io.BytesIO(data), by=self.by["requester"])

    def request(self, consent: Any, media: Any, **changes: Any) -> JobRequest:
        plain = JobRequest(
            identity_id=consent.identity_id,
            media_id=str(media.pk),
            purpose="product_explainer",
            channel="branch_screen",
        )
        return replace(plain, **changes)

    def submit(self, consent: Any, media: Any, **changes: Any) -> Job:
        return services.submit(self.request(consent, media, **changes), by=self.by["requester"])


@pytest.fixture
def studio(home: Path, sequencing: None, people: dict[str, Any]) -> Studio:
    """With the real engine."""
    return Studio(people, home)


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """The engine in which people are colours."""
    models = fakes.FakeModels()
    settings.LIKENESS_FACE_EMBEDDER = "tests.generation.fakes.analyse"
    monkeypatch.setattr(loaded, "face_models", lambda: models)
    for module in (running, judging):
        monkeypatch.setattr(module, "Tracker", fakes.FakeTracker)
    monkeypatch.setattr(running, "swapper_of", fakes.swapper_of)


@pytest.fixture
def quick(colours: None, studio: Studio) -> Studio:
    """A studio with the engine of colours, a running log, commits that are real."""
    return studio


@pytest.fixture
def silent(colours: None, home: Path, live_database: str, people: dict[str, Any]) -> Studio:
    """The same, but no sequencer runs: the log answers nothing."""
    return Studio(people, home)


def colour_clip(*colours: tuple[int, int, int], count: int = 16, sound: bool = True, gop: int = 250) -> bytes:
    """A clip of textured frames; the colours follow one another in equal shares."""
    frames = [np.roll(fakes.texture(colours[at * len(colours) // count]), at, axis=1) for at in range(count)]
    return encode_clip(frames, sound=sound, gop=gop)


@pytest.fixture(scope="session")
def green_clip() -> bytes:
    return colour_clip(fakes.GREEN)
