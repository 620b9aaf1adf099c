"""An edited script: only what changed is made anew, under the same consents; a withdrawal ends it."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
from django.db import IntegrityError, transaction

from consent import services as consents
from generation import blobs, delivery, performances, performing, presenting, selectors, services, transitions
from generation.delivery import Stored
from generation.engine.errors import UnsupportedMediaError
from generation.errors import NotFoundError, RefusedError
from generation.models import Chunk, Job, Media, Presentation
from generation.presenting import PresentRequest
from likeness import provenance, provenance_look
from likeness.provenance_verdict import Content
from tests.generation import fakes
from tests.generation.finished import finished

pytestmark = [
    pytest.mark.weights,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("espeakng_loader") is None, reason="the extra likeness[espeak] is missing"),
]
SENTENCES = ("您好，请不要把密码告诉别人。", "一百元起存，年利率百分之一点五。", "谢谢您，再见。")
SHORT = "您好，请不要还款。"
EDITED = "五百元起存，年利率百分之二点五。"


class Site:
    """Somebody who presents, and edits what was presented."""

    def __init__(self, studio: Any, work: Callable[[], None], request: PresentRequest, licence: str) -> None:
        self.studio, self.work, self.request, self.licence = studio, work, request, licence
        self.by = studio.by["requester"]

    def present(self, name: str, *sentences: str, revises: str = "") -> Job:
        """The job of a script, when all work is done."""
        asked = replace(self.request, script="".join(sentences), revises=revises)
        presenting.present(asked, client_id=name, by=self.by)
        self.work()
        row = selectors.presentation(name, tenant=self.by.tenant)
        assert row.job is not None, row.message
        return row.job

    def withdraw(self) -> None:
        consents.revoke(self.licence, reason="withdrawn", by=self.studio.by["legal"])


@pytest.fixture
def site(studio: Any, work: Callable[[], None], astronaut: bytes, hopper: bytes) -> Site:
    teller = studio.enrol(astronaut, operations=["face_swap", "lip_sync"])
    performer = studio.enrol(hopper, kind="performer", status="deceased")
    request = PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="",
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
    )
    return Site(studio, work, request, teller.id)


def packets(path: Path, first: int, frames: int) -> list[bytes]:
    """The encoded pictures of some frames, in stored order."""
    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        found = [packet for packet in video.demux(stream) if packet.size]
        step = (stream.time_base or 1) * stream.average_rate  # type: ignore[operator]  # the rate is known
        kept = [each for each in found if first <= round((each.pts or 0) * step) < first + frames]
        return [bytes(each) for each in kept]


def test_an_edited_sentence_is_made_alone_and_the_rest_is_the_same(site: Site) -> None:
    first = site.present("one", *SENTENCES)
    second = site.present("two", SENTENCES[0], EDITED, SENTENCES[2], revises="one")

    assert (first.state, second.state) == ("done", "done"), second.message
    assert second.revises_id == first.pk
    assert second.report["reused"]["sentences"] == 2
    made = [chunk for chunk in Chunk.objects.filter(job=second) if chunk.plan["taken_from"] is None]
    assert len(made) == 1
    old, new = (performances.package_of(job.media) for job in (first, second))
    paths = [services.download(job.pk, by=site.by) for job in (first, second)]
    for number in (0, 2):
        mine, theirs = new.unit(number), old.unit(number)
        length = mine.stop - mine.start
        assert packets(paths[1], mine.start, length) == packets(paths[0], theirs.start, length)
    changed = new.unit(1)
    assert packets(paths[1], changed.start, 20) != packets(paths[0], old.unit(1).start, 20)
    sync = second.report["sync"]
    assert sync["failed"] == []
    assert sync["closures"] == sync["closures_held"]
    assert second.mark_id == first.mark_id
    for job, path in zip((first, second), paths, strict=True):
        found = provenance.trace(path, by=site.studio.by["auditor"])
        assert found.job == str(job.pk)


def test_a_withdrawal_stops_the_edited_script(site: Site) -> None:
    first = site.present("one", SHORT)
    assert first.state == "done", first.message
    site.withdraw()

    with pytest.raises(RefusedError) as refused:
        site.present("two", SHORT, EDITED, revises="one")

    assert refused.value.code.startswith("licence.")
    first.refresh_from_db()
    assert first.state == "withdrawn"
    assert selectors.presentation("two", tenant=site.by.tenant).job is None


def test_a_withdrawal_between_plan_and_work_stops_it(site: Site, sent: list[Any]) -> None:
    first = site.present("one", SHORT, SENTENCES[2])
    asked = replace(site.request, script=SHORT + EDITED, revises="one")
    presenting.present(asked, client_id="two", by=site.by)
    while sent and sent[0][0] != "run_chunk":  # the plan stands, nothing is made yet
        _do(*sent.pop(0))
    site.withdraw()

    site.work()

    job = Presentation.objects.get(client_id="two").job
    assert job is not None
    assert first.pk == job.revises_id
    assert job.state in ("cancelled", "refused")
    assert not job.output_sha256


def _do(task: str, key: Any) -> None:
    doers = {"drive": performing.perform, "admit": services.admit}
    doers[task](uuid.UUID(str(key)))


def test_another_look_is_another_video(site: Site) -> None:
    first = site.present("one", SHORT)
    site.request = replace(site.request, colour="#802020")

    second = site.present("two", SHORT, revises="one")

    assert (second.state, second.revises_id, second.report["reused"]) == ("done", None, {})
    assert second.mark_id != first.mark_id


def test_what_is_revised_must_be_there(site: Site) -> None:
    with pytest.raises(NotFoundError):
        site.present("two", *SENTENCES, revises="none")

    assert not Presentation.objects.exists()


def test_another_tenants_video_is_not_revised(quick: Any) -> None:
    teller = quick.enrol(fakes.portrait(fakes.RED), operations=["face_swap", "lip_sync"])
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    asked = PresentRequest(
        identity_id=teller.identity_id, performer_id=performer.identity_id, script="您好。",
        purpose="product_explainer", channel="branch_screen", format="preview", revises="one",
    )  # fmt: skip
    Presentation.objects.create(
        tenant="other", client_id="one", request_sha256="0" * 64, requester="usr_1", identity_id="x",
        performer_id="y", script="", kind="text", language="zh", voice="v", purpose="p", channel="c",
        territory="CN", nonce="n",
    )  # fmt: skip

    with pytest.raises(NotFoundError):
        presenting.present(asked, client_id="two", by=quick.by["requester"])


# ---- two outputs of one mark, as rows


def _edited(job: Job, *, output: str, state: str = "done") -> Job:
    """A second job that carries the mark of a first one."""
    twin = Job.objects.get(pk=job.pk)
    twin.pk, twin.revises, twin.state, twin.output_sha256 = uuid.uuid4(), job, state, output
    twin.admission_index = 10_000_000 + Job.objects.count()
    twin.save(force_insert=True)
    return twin


def test_a_mark_names_a_delivered_video_before_one_that_never_was(quick: Any, green_clip: bytes) -> None:
    first = finished(quick, green_clip)
    mark = first.mark_id or ""
    assert selectors.by_mark(mark) == first

    stopped = _edited(first, output="", state="cancelled")
    assert selectors.by_mark(mark) == first

    second = _edited(first, output="e" * 64)
    assert selectors.by_mark(mark) == second
    assert selectors.by_mark(mark, rather=[first.pk]) == first
    assert [job.pk for job in selectors.sharing_mark(mark)] == [second.pk, first.pk, stopped.pk]


def test_two_videos_of_one_mark_are_no_accident(quick: Any, green_clip: bytes) -> None:
    first = finished(quick, green_clip)
    second = _edited(first, output="e" * 64)

    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=second.pk).update(revises=None)


def test_what_another_video_shows_is_not_deleted_with_one_that_was_stopped(
    quick: Any, green_clip: bytes
) -> None:
    first = finished(quick, green_clip)
    store = blobs.store()
    shared, own = store.put(io.BytesIO(b"thumbnails")), store.put(io.BytesIO(b"a file"))
    Job.objects.filter(pk=first.pk).update(content_sha256=shared)

    delivery.discard(Stored(own, own, own, shared, own))

    assert store.exists(shared)
    assert not store.exists(own)


def test_a_performance_is_no_footage_of_a_plain_job(quick: Any, green_clip: bytes) -> None:
    job = finished(quick, green_clip)
    Media.objects.filter(pk=job.media_id).update(kind=performances.KIND)

    with pytest.raises(UnsupportedMediaError):
        quick.submit(job, job.media)


def test_the_folder_of_a_presentation_at_work_is_left_alone(quick: Any) -> None:
    row = Presentation.objects.create(
        tenant="demo", client_id="one", request_sha256="0" * 64, requester="usr_1", identity_id="x",
        performer_id="y", script="", kind="text", language="zh", voice="v", purpose="p", channel="c",
        territory="CN", nonce="n", state="driving",
    )  # fmt: skip
    folder = transitions.scratch(row.pk)
    folder.mkdir(parents=True)
    assert folder not in transitions.stale_scratch()

    Presentation.objects.filter(pk=row.pk).update(state="cancelled")
    assert folder in transitions.stale_scratch()


@pytest.mark.parametrize("fits", ["first", "second"])
def test_a_stripped_copy_names_the_video_whose_pictures_it_shows(
    fits: str, quick: Any, green_clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = finished(quick, green_clip)
    second = _edited(first, output="e" * 64)
    mine = {"first": first, "second": second}[fits]
    mark = SimpleNamespace(mark_id=int(first.mark_id or "0", 16), geometry=object())

    def compared(job: Job, *_: Any) -> Any:
        state = Content.AGREES if job.pk == mine.pk else Content.DIFFERS
        return SimpleNamespace(state=state, similarity=0.9)

    monkeypatch.setattr(provenance_look.pictures, "compared", compared)
    found: Any = SimpleNamespace(mark=mark)
    named = {"invisible": second, "sound": second}

    best = provenance_look._best_of_several(named, found, [], tenant=first.tenant)
    assert best == {"invisible": mine, "sound": mine}
    # a label or the very file says more than its looks
    assert provenance_look._best_of_several({**named, "aigc": first}, found, [], tenant=first.tenant) == {}
