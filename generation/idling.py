"""A filmed performer in place of a portrait: the clip as a loop, inside the performance it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from generation import blobs, loaded, selectors
from generation.engine.media.info import MediaInfo
from generation.engine.media.probe import probe
from generation.errors import NotFoundError
from generation.presenter.line import FPS
from generation.presenter.loop import make_loop, unpacked
from generation.presenter.package import Idle
from generation.presenter.persons import Filmed
from generation.staging import matting


def loop_of(media_id: str, *, tenant: str, folder: Path) -> Idle:
    """The loop of an uploaded clip.

    Raises:
        NotFoundError: there is no such clip in this tenant, or its file is gone.
        IdleRejectedError: it cannot be driven; every failed check with its number.
        MediaError: it cannot be read.
    """
    media = selectors.media(media_id, tenant=tenant)
    if media.kind != "video" or not blobs.store().exists(media.sha256):
        raise NotFoundError("There is no such clip.")
    folder.mkdir(parents=True, exist_ok=True)
    film = folder / "loop.mp4"
    loop = make_loop(
        blobs.store().path(media.sha256),
        MediaInfo.from_record(media.info),
        out=film,
        models=loaded.face_models(),
        fps=FPS,
        matting=matting(),
    )
    return Idle(film.read_bytes(), loop.packed())


@contextmanager
def filmed(idle: Idle, folder: Path) -> Iterator[Filmed]:
    """The performer of a loop, whose film lies in ``folder`` for as long as the block lasts.

    Raises:
        IdleRejectedError: the loop is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    film = folder / "loop.mp4"
    try:
        film.write_bytes(idle.film)
        yield Filmed(unpacked(idle.loop), film, probe(film))
    finally:
        film.unlink(missing_ok=True)
