"""What a presentation is drawn with: its scene, its performer's licensed portrait as a plate, its engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from consent import selectors as consents
from consent.licence import Use
from generation import backdrops, loaded, templating
from generation.engine.look.matte import Matting
from generation.engine.media.alpha import over
from generation.engine.media.colour import from_planes
from generation.engine.media.image import decode_image
from generation.engine.types import Image
from generation.engine.weights.registry import load_registry
from generation.errors import PresentInvalidError, RefusedError
from generation.models import Presentation
from generation.presenter import scenes
from generation.presenter.behind import Backdrop, Before
from generation.presenter.driving import DrivingEngine, Performance
from generation.presenter.line import FPS, Spoken, make_plate
from generation.presenter.overlay import Overlaid, Scene
from generation.presenter.package import Portrait
from generation.presenter.persons import Person
from generation.presenter.scene import SIZES, Layout, Plate
from generation.presenter.scenes import Part, SceneSpan

GREY = 128
CALLED = {"landscape": (1920, 1080), "portrait": (1080, 1920), "square": (1080, 1080), "preview": (1280, 720)}


def layout_of(format_name: str, colour: str) -> Layout:
    """The scene that a format and a background colour name.

    Raises:
        PresentInvalidError: the format or the colour is not known.
    """
    if format_name not in CALLED:
        known = ", ".join(SIZES)
        raise PresentInvalidError(f"There is no format {format_name[:20]!r}.", fields={"format": [known]})
    match = re.fullmatch(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})", colour)
    if match is None:
        raise PresentInvalidError("A colour is # and six digits.", fields={"colour": ["Such as #3c6e96."]})
    width, height = CALLED[format_name]
    red, green, blue = (int(part, 16) for part in match.groups())
    # an upright frame holds a person larger than a wide one: the head stays where viewers look
    share = 0.8 if height > width else 1.0
    return Layout(width_px=width, height_px=height, height_share=share, colour=(blue, green, red))


def scene_of(row: Presentation) -> Scene:
    """How the video looks: as its template says, or as the request did."""
    if "template" in row.scene:
        return templating.scene_for(row)
    layout = layout_of(row.scene["format"], row.scene["colour"])
    layout = replace(layout, transparent=bool(row.scene.get("transparent")))
    return Scene(layout, subtitles=bool(row.scene["subtitles"]))


def spans_of(row: Presentation, scene: Scene, spoken: Spoken) -> tuple[SceneSpan, ...]:
    """Where each scene of a presentation is in time; most have one.

    Raises:
        SceneError: the scenes do not fit what was said.
    """
    if records := row.scene.get("scenes"):
        return scenes.spans(records, spoken, scene.layout, fps=FPS)
    return (SceneSpan(0, len(spoken.shapes), scene.layout),)


def parts_of(scene: Scene, spans: Sequence[SceneSpan], person: Person, *, tenant: str) -> tuple[Part, ...]:
    """The scenes with their person, ready to be drawn.

    Raises:
        NotFoundError: a background is gone.
    """
    return tuple(
        Part(span, _engines(scene, span, person, tenant=tenant), person.plate(span.layout.height_share))
        for span in spans
    )


def _engines(scene: Scene, span: SceneSpan, person: Person, *, tenant: str) -> Callable[[int], DrivingEngine]:
    """What draws the frames of a scene, its background so many frames old."""
    own = backdrops.behind(span.background, tenant=tenant) if span.own_background else scene.background

    def engine(at: int) -> DrivingEngine:
        picture = None if isinstance(own, Backdrop) else own
        inner = person.engine(picture, first=span.shows_from + at)
        if isinstance(own, Backdrop):
            inner = Before(inner, own.since(at))
        return Overlaid(inner, scene.overlays)

    return engine


def portrait_of(row: Presentation, *, use: Use) -> tuple[Portrait, Image]:
    """The performer's licensed portrait, opened under the release that allows this use now.

    Raises:
        RefusedError: no release does.
        ConsentError: the portrait is gone.
    """
    people = consents.performers(tenant=row.tenant, use=use, now=timezone.now())
    release = next((each for each in people if each.identity_id == row.performer_id), None)
    if release is None:
        raise RefusedError(
            "The performer's release does not allow it.",
            job=str(row.id),
            code="performer.no_release",
            reasons=("performer.no_release",),
        )
    source = consents.licensed_source(row.performer_id, tenant=row.tenant)
    data = consents.open_portrait(source.portrait_id, tenant=row.tenant, purpose_consent=release.consent_id)
    return Portrait(row.performer_id, source.portrait_id, source.sha256), decode_image(data)


def plates_of(picture: Image, spans: Sequence[SceneSpan]) -> dict[float, Plate]:
    """A portrait at each size that the scenes show it, by the share of the frame's height.

    Raises:
        PlateRejectedError: it cannot be driven.
    """
    models = loaded.face_models()
    layouts = {span.layout.height_share: span.layout for span in spans}
    return {
        share: make_plate(picture, layout=layout, models=models, matting=matting())
        for share, layout in layouts.items()
    }


def at_rest(part: Part, performance: Performance) -> Image:
    """(h, w, 3) uint8 BGR: a scene while nobody moves or speaks; grey where it has no background."""
    still = performance.at_rest()
    planes = next(iter(part.engine(0).frames(part.plate, part.span.layout, still, fps=FPS)))
    return from_planes(over(planes, luma=GREY) if planes.a is not None else planes)


@lru_cache(maxsize=1)
def matting() -> Matting:
    """The segmentation network of this worker process."""
    return Matting(load_registry().entry("selfie"), weights_dir=Path(settings.LIKENESS_WEIGHTS))
