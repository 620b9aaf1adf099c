"""How a request would look, before there is a presentation: its frame, its first scene, what is on it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from generation import backdrops, selectors, staging, templating
from generation.engine.media.colour import from_planes
from generation.engine.types import Image
from generation.models import Media
from generation.presenter.behind import Backdrop
from generation.presenter.line import FPS
from generation.presenter.overlay import Scene
from generation.presenter.scene import Layout
from generation.presenter.scenes import layout_for
from generation.templating import Pinned

if TYPE_CHECKING:
    from generation.presenting import PresentRequest


def layout_of(request: PresentRequest, pinned: Pinned | None, *, tenant: str) -> Layout:
    """The frame of the video, the person where the first scene has them."""
    if pinned is None:
        whole = staging.layout_of(request.format, request.colour)
    else:
        whole = templating.filled_of(pinned, tenant=tenant).template.layout
    return layout_for(asdict(request.scenes[0]), whole) if request.scenes else whole


def scene_of(request: PresentRequest, pinned: Pinned | None, layout: Layout, *, tenant: str) -> Scene:
    """The first scene, drawn at a layout's size.

    Raises:
        SceneError: it does not go into the frame.
        NotFoundError: a picture is gone.
    """
    if pinned is None:
        scene = Scene(layout, subtitles=request.subtitles)
    else:
        filled = templating.filled_of(pinned, tenant=tenant)
        scene = templating.scene(filled, tenant=tenant, layout=layout)
    first = request.scenes[0] if request.scenes else None
    if first is None or not (first.background or first.colour):
        return scene
    return replace(scene, background=_picture(first.background, layout, tenant=tenant))


def pictures_of(request: PresentRequest, pinned: Pinned | None, *, tenant: str) -> list[Media]:
    """What is seen around the person in the first scene.

    Raises:
        NotFoundError: one of them is gone.
    """
    found = backdrops.pictures_of(pinned, tenant=tenant) if pinned is not None else []
    if request.scenes and request.scenes[0].background:
        found.append(selectors.media(request.scenes[0].background, tenant=tenant))
    return found


def _picture(media_id: str, layout: Layout, *, tenant: str) -> Image | None:
    behind = backdrops.behind(media_id, tenant=tenant)
    if isinstance(behind, Backdrop):
        return from_planes(next(behind.planes(layout, fps=FPS)))
    return behind
