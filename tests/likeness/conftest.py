from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import transaction

from audit import selectors, services
from audit.events import GateDecided, GenerationFinished, LabelApplied, OutputDownloaded
from consent import services as consents
from generation import loaded
from tests.consent import fakes
from tests.consent.samples import make_terms

JOB, OUTPUT, MANIFEST, MODEL = "ab" * 16, "cd" * 32, "ef" * 32, "12" * 32
MARK = "0123456789abcdef"
SAME, REVIEW = 0.9, 1.2


@pytest.fixture
def story(settings, monkeypatch, home, sequencing, people):
    """One person, one licence, one job: everything that the log says of them."""
    settings.LIKENESS_FACE_EMBEDDER = "tests.consent.fakes.analyse"
    thresholds = SimpleNamespace(same=SAME, review=REVIEW)
    models = SimpleNamespace(embedder=SimpleNamespace(thresholds=thresholds))
    monkeypatch.setattr(loaded, "face_models", lambda: models)
    by = {role: user.actor for role, user in people.items()}
    person = consents.enrol(
        name="王五", status="living", kind="likeness", portraits=[fakes.picture("wang")], by=by["requester"]
    )
    other = consents.enrol(
        name="李四", status="living", kind="likeness", portraits=[fakes.picture("li")], by=by["operator"]
    )
    licence = consents.submit(person.id, terms=make_terms(), by=by["requester"])
    events = (
        GateDecided(
            job=JOB,
            stage="admit",
            decision="admit",
            identity=person.id,
            consents=(licence.id,),
            models=(MODEL,),
        ),
        GenerationFinished(job=JOB, output=OUTPUT, bytes=1, mime="video/mp4"),
        LabelApplied(job=JOB, label="1", mark=MARK, manifest=MANIFEST),
        OutputDownloaded(job=JOB, output=OUTPUT),
    )
    with transaction.atomic():
        for event in events:
            last = services.append(event, actor=by["requester"])
    selectors.receipt(last, timeout_s=10)
    return SimpleNamespace(by=by, person=person, other=other, licence=licence)
