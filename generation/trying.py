"""Two seconds of a new look, made and measured like a video, before anybody may agree to it.

The person is the public-domain portrait that comes with the weights: a trial shows no customer's likeness,
and its film is thrown away.
"""

from __future__ import annotations

import logging
import tempfile
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from generation import hooks, loaded, speaking, staging, templating
from generation.engine.media.image import decode_image
from generation.engine.media.probe import probe
from generation.engine.weights.registry import load_samples
from generation.models import TemplateVersion, VersionState
from generation.presenter import templates
from generation.presenter.driving import PuppetEngine
from generation.presenter.line import FPS, drive, make_plate, speak
from generation.presenter.normalise import Language
from generation.presenter.overlay import Overlaid
from generation.presenter.script import Kind, read
from generation.presenter.speech import Voice
from generation.presenter.sync import Bounds, SyncReport, measure
from generation.presenter.voices import voice_for

log = logging.getLogger(__name__)

SAID = "您好，请妈妈办好八百。"
"""About two seconds, with lips that close several times."""
PERSON = "grace_hopper"


def try_version(version_id: uuid.UUID) -> None:
    """Try a version once; whatever fails is written into its row.

    Raises:
        DatabaseError: the database is away; the trial is taken up again.
    """
    version = TemplateVersion.objects.select_related("template").filter(pk=version_id).first()
    if version is None or version.state != VersionState.TRYING:
        return
    try:
        report = _measured(version)
        trial: dict[str, Any] = {"code": "", "sync": report.as_record()}
        if report.failed:
            trial |= {"code": "sync_out_of_bounds", "message": f"Failed: {', '.join(report.failed)}."}
    except (DatabaseError, InterfaceError):
        raise
    except Exception as error:  # the edge of the task: the row must not stay trying
        code = getattr(error, "code", None)
        if code is None:
            log.error("The trial of %s failed.", version_id, exc_info=error)
        told = str(error) if code else "Something failed in the worker."
        trial = {"code": str(code or "internal"), "message": told}
    state = VersionState.FAILED if trial["code"] else VersionState.READY
    with transaction.atomic():
        waiting = TemplateVersion.objects.filter(pk=version_id, state=VersionState.TRYING)
        ended = waiting.update(state=state, trial=trial, touched=timezone.now())
        if ended and trial["code"]:
            name, tenant = version.template.name, version.template.tenant
            hooks.trial_failed(tenant, name=name, version=version.number, code=trial["code"])


def _measured(version: TemplateVersion) -> SyncReport:
    template = templates.read(version.document)
    filled = templates.fill(template, templates.samples(template, image=templating.SAMPLE))
    scene = templating.scene(filled, tenant=version.template.tenant)
    models = loaded.face_models()
    sample = load_samples().entry(PERSON)
    portrait = decode_image((Path(settings.LIKENESS_WEIGHTS) / sample.file).read_bytes())
    plate = make_plate(portrait, layout=scene.layout, models=models, matting=staging.matting())
    script = read(SAID, language=Language.ZH, kind=Kind.TEXT)
    voice: Voice = voice_for("", language=Language.ZH).voice
    spoken = speak(script, engine=speaking.speech_engine(), voice=voice)
    Path(settings.LIKENESS_WORK).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.LIKENESS_WORK) as folder:
        film = Path(folder) / "trial.mp4"
        engine = Overlaid(PuppetEngine(scene.background), scene.overlays)
        drive(spoken, plate=plate, layout=scene.layout, engine=engine, out=film, subtitles=scene.subtitles)
        return measure(
            film,
            probe(film),
            speech=spoken.speech,
            visemes=spoken.visemes,
            shapes=spoken.shapes,
            fps=FPS,
            models=models,
            bounds=Bounds.smiling(),
        )
