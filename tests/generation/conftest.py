from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from consent import services as consents
from consent.terms import LicenceTerms, Representative, SeparateConsent
from generation import queueing, services
from generation.services import JobRequest

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


def encode_clip(frames: list[np.ndarray], *, sound: bool = True, fps: int = 25) -> bytes:
    """An MP4 of these BGR frames, with a tone."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=fps)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        video.options = {"preset": "veryfast", "crf": "16"}
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


@pytest.fixture
def studio(home: Path, sequencing: None, people: dict[str, Any]) -> SimpleNamespace:
    """The real embedder, real consents, a real log; ``licensed`` and ``released`` make active consents."""
    by = {name: user.actor for name, user in people.items()}

    def enrol(picture: bytes, *, kind: str = "likeness", status: str = "living", **changes: Any) -> Any:
        person = consents.enrol(
            name="王五", status=status, kind=kind, portraits=[picture], by=by["requester"]
        )
        if kind == "performer":
            changes.setdefault("operations", ["performance"])
        if status == "deceased":
            changes.setdefault("representative", Representative("estate", HASH))
        row = consents.submit(person.id, terms=terms(**changes), by=by["requester"])
        if status != "living":
            consents.approve(row.id, role="expert", by=by["expert"])
        consents.approve(row.id, role="legal", by=by["legal"])
        return consents.approve(row.id, role="business", by=by["business"])

    def request(consent: Any, media: Any, **changes: Any) -> JobRequest:
        plain = JobRequest(
            identity_id=consent.identity_id,
            media_id=str(media.pk),
            purpose="product_explainer",
            channel="branch_screen",
        )
        return replace(plain, **changes)

    return SimpleNamespace(by=by, enrol=enrol, request=request, home=home)
