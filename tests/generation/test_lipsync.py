"""Another engine for the lips, chosen by the site: what is refused, what is logged, what takes its place."""

from __future__ import annotations

import hashlib
import math
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.db import DatabaseError, connections

from audit import selectors as log
from audit.errors import AuditError
from audit.leaf import KeyKind
from generation import lipsync, loaded, performances, performing, presenting, rendering, selectors, services
from generation.engine.chunk import Likeness
from generation.engine.errors import CancelledError, WeightsError
from generation.engine.media.colour import to_planes
from generation.engine.media.image import decode_image
from generation.engine.types import Planes
from generation.models import Chunk, Job
from generation.presenter import spans
from generation.presenter.driving import Performance
from generation.presenter.engines import Kind
from generation.presenter.errors import DrivingMismatchError, DrivingUnavailableError
from generation.presenter.neural import spoken_share
from generation.presenter.package import Package
from generation.presenter.scene import Layout, Plate
from generation.presenting import PresentRequest
from generation.running import swapper_of
from tests.generation.presenter.test_neural import network, table
from tests.generation.presenter.test_outside import LAYOUT, PLATE, Flat, Server, taken, working
from tests.generation.presenter.test_package import SENTENCES, Humming, package_of, script_of

URL = "https://lips.example/easy"


@pytest.fixture
def site(settings: Any, tmp_path: Path) -> Any:
    """A site with one network in its registry, and a listed engine outside."""
    settings.LIKENESS_HOME = settings.LIKENESS_WEIGHTS = tmp_path
    settings.LIKENESS_LIPSYNC_URL, settings.LIKENESS_LIPSYNC_HOSTS = URL, ["lips.example"]
    register(tmp_path, network())
    return settings


def register(folder: Path, blob: bytes, **changes: object) -> None:
    (folder / "weights.d").mkdir(exist_ok=True)
    (folder / "weights.d" / "lips.toml").write_text(table(blob, **changes))
    (folder / "lips.onnx").write_bytes(blob)


# ---- what is refused ---------------------------------------------------------------------------------

BAD = {
    "an empty word": {"LIPSYNC": ""},
    "a word nobody knows": {"LIPSYNC": "musetalk"},
    "an engine that is no site's choice": {"LIPSYNC": "idle"},
    "a network without a name": {"LIPSYNC": "neural"},
    "a network with an empty name": {"LIPSYNC": "neural:"},
    "more than a word": {"LIPSYNC": "puppet:lips"},
    "capitals": {"LIPSYNC": "Outside"},
    "a network that is not registered": {"LIPSYNC": "neural:other"},
    "a path": {"LIPSYNC": "neural:../lips"},
    "a network that moves no lips": {"LIPSYNC": "neural:selfie"},
    "no address": {"LIPSYNC": "outside", "LIPSYNC_URL": ""},
    "no https": {"LIPSYNC": "outside", "LIPSYNC_URL": "http://lips.example/easy"},
    "a host that is not listed": {"LIPSYNC": "outside", "LIPSYNC_HOSTS": ["other.example"]},
    "a network that is none": {"LIPSYNC": "outside", "LIPSYNC_NETWORKS": ["10.0.0.1/8"]},
    "a key of two lines": {"LIPSYNC": "outside", "LIPSYNC_KEY": "a\nb"},
}


@pytest.mark.parametrize("case", BAD)
def test_a_setting_that_cannot_work_is_found(case: str, site: Any) -> None:
    for name, value in BAD[case].items():
        setattr(site, f"LIKENESS_{name}", value)

    with pytest.raises((DrivingUnavailableError, WeightsError)) as found:
        lipsync.check()

    assert found.value.code
    assert found.value.hint


@pytest.mark.parametrize(
    "changes",
    [{"licence": "CC-BY-NC-4.0", "commercial": False}, {"licence": "unknown"}, {"file": "other.onnx"}],
)
def test_a_network_is_chosen_only_as_the_policy_allows(changes: dict[str, Any], site: Any) -> None:
    site.LIKENESS_LIPSYNC = "neural:lips"
    lipsync.check()
    register(site.LIKENESS_HOME, network(), **changes)

    with pytest.raises((DrivingUnavailableError, WeightsError)):
        lipsync.check()


def test_the_embedded_engine_is_the_default_and_needs_nothing(settings: Any, tmp_path: Path) -> None:
    assert settings.LIKENESS_LIPSYNC == "puppet"
    settings.LIKENESS_HOME = tmp_path
    lipsync.check()
    assert lipsync.engine_name("puppet/3") == "puppet/3"
    assert lipsync.mouth_for(Job(), package("puppet/3"), work=tmp_path, progress=nothing) is None


# ---- what a performance names ------------------------------------------------------------------------


def test_a_network_is_named_with_its_hash(site: Any) -> None:
    sha256 = hashlib.sha256(network()).hexdigest()
    site.LIKENESS_LIPSYNC = "neural:lips"
    name = lipsync.engine_name("puppet/3")
    assert name == f"neural/1 lips {sha256}"
    assert lipsync.kind_of(name) is Kind.NEURAL
    assert lipsync.record(name, [], [])["model_sha256"] == sha256


@pytest.mark.parametrize(
    ("said", "url", "name"),
    [
        ("outside", URL, "outside/1 at lips.example"),
        ("outside", "", "outside/1 at unknown"),
        ("neural:gone", URL, "neural/1 gone unknown"),
    ],
)
def test_what_cannot_start_is_named_all_the_same(said: str, url: str, name: str, site: Any) -> None:
    site.LIKENESS_LIPSYNC, site.LIKENESS_LIPSYNC_URL = said, url
    assert lipsync.engine_name("puppet/3") == name


@pytest.mark.parametrize("name", ["puppet/3", "idle/1", "outside", "neural/12 lips", ""])
def test_any_other_name_is_the_embedded_one(name: str) -> None:
    assert lipsync.kind_of(name) is Kind.PUPPET
    assert lipsync.longest_s(name) == spans.TARGET_S


def test_a_video_goes_outside_in_one_piece(whole: Package) -> None:
    assert len(spans.plan(whole, target_s=2.0)) > 1
    (only,) = spans.plan(whole, target_s=lipsync.longest_s("outside/1 at lips.example"))
    assert (only.first_frame, only.frames) == (0, whole.frames)


def test_silence_is_known_from_the_mouth_shapes(whole: Package) -> None:
    assert math.isinf(lipsync.longest_s("outside/1 at h"))
    share = spoken_share(lipsync.speech_of(whole).phones, frames=whole.frames, fps=25)
    still = np.abs(whole.shapes).max(1) < 1e-3
    assert 0 < share.mean() < 1
    assert share[still].mean() < 0.5 < share[~still].mean()


@pytest.fixture
def whole() -> Package:
    return package_of(script_of(*SENTENCES), Humming())


# ---- what takes its place ----------------------------------------------------------------------------


def package(engine: str) -> Package:
    return replace(package_of(script_of(SENTENCES[0]), Humming()), engine=engine)


def nothing(_done: int, _total: int) -> None:
    return


class Embedded:
    """One grey frame for each that is wanted."""

    name, needs_gpu = "puppet/3", False

    def frames(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Planes]:
        del plate, fps
        grey = np.full((layout.height_px, layout.width_px, 3), 128, np.uint8)
        return (to_planes(grey) for _ in performance.shapes)


def drawn(mouth: lipsync.SiteMouth, performed: Package) -> list[Planes]:
    engine = mouth(Flat(), Embedded, first=0)
    return list(engine.frames(PLATE, LAYOUT, performed.performance, fps=25))


FALLEN = {
    "not registered": ("neural:gone", "neural/1 gone unknown", "weights.unknown"),
    "changed since": ("neural:lips", "neural/1 lips 0000", "driving_unavailable"),
    "the embedded one is chosen now": ("puppet", "outside/1 at lips.example", "driving_unavailable"),
    "the setting is broken now": ("?", "outside/1 at lips.example", "driving_unavailable"),
}


@pytest.mark.parametrize("case", FALLEN)
def test_what_cannot_start_is_replaced_with_a_warning(case: str, site: Any, tmp_path: Path) -> None:
    site.LIKENESS_LIPSYNC, named, code = FALLEN[case]
    performed = package(named)
    mouth = lipsync.mouth_for(Job(), performed, work=tmp_path, progress=nothing)
    assert mouth is not None

    assert len(drawn(mouth, performed)) == performed.frames

    told = mouth.as_record()
    assert (told["engine"], told["drawn_by"]) == (named, ["puppet/3"])
    assert [each["code"] for each in told["warnings"]] == [code]


def test_what_was_given_up_is_not_tried_again(site: Any, tmp_path: Path) -> None:
    site.LIKENESS_LIPSYNC = "neural:lips"
    performed = package(lipsync.engine_name("puppet/3"))
    warning = {"engine": "neural", "code": "sync_out_of_bounds", "message": "No."}
    job = Job(report={"driving": {"warnings": [warning]}})

    mouth = lipsync.SiteMouth(job, performed, work=tmp_path, progress=nothing)
    drawn(mouth, performed)

    assert mouth.as_record()["warnings"] == [warning]
    assert mouth.as_record()["drawn_by"] == ["puppet/3"]


def test_reports_of_chunks_are_added_up_once() -> None:
    warning = {"engine": "outside", "code": "driving_mismatch", "message": "11 frames."}
    one = {"driving": lipsync.record("neural/1 lips abc", ["neural/1 lips abc"], [])}
    other = {"driving": lipsync.record("neural/1 lips abc", ["puppet/3"], [warning])}

    assert lipsync.added_up([{}, {"driving": {}}], given_up=[]) == {}
    assert lipsync.added_up([one, other, {}, other], given_up=[warning]) == {
        "engine": "neural/1 lips abc",
        "drawn_by": ["neural/1 lips abc", "puppet/3"],
        "model_sha256": "abc",
        "warnings": [warning],
    }


# ---- what leaves the house ---------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.close()


@pytest.fixture
def outside(server: Server, studio: Any, settings: Any, monkeypatch: Any) -> Job:
    """An engine on this machine; a job of somebody whose face would go there."""
    settings.LIKENESS_LIPSYNC = "outside"
    settings.LIKENESS_LIPSYNC_URL = f"http://127.0.0.1:{server.port}/easy/"
    settings.LIKENESS_LIPSYNC_HOSTS, settings.LIKENESS_LIPSYNC_NETWORKS = ["127.0.0.1"], ["127.0.0.0/8"]
    plain = lipsync.outside_config
    monkeypatch.setattr(lipsync, "outside_config", lambda: replace(plain(), poll_s=0.01))
    by = studio.by["requester"]
    return Job(pk=uuid.uuid4(), tenant=by.tenant, requester=by.id, consent_id="con_" + "1" * 16, report={})


def sent_out(job: Job, performed: Package, folder: Path, progress: Any = nothing) -> dict[str, Any]:
    mouth = lipsync.SiteMouth(job, performed, work=folder, progress=progress)
    assert len(drawn(mouth, performed)) == performed.frames
    return mouth.as_record()


def test_the_log_knows_before_a_face_leaves_the_house(outside: Job, server: Server, tmp_path: Path) -> None:
    performed = package(lipsync.engine_name("puppet/3"))
    known: list[bool] = []

    def answer(*given: Any) -> None:
        known.append(bool(sent_entries(outside)))  # by another connection: it is committed
        connections.close_all()
        taken(*given)

    server.submit = answer

    told = sent_out(outside, performed, tmp_path)

    assert (told["drawn_by"], told["warnings"], known) == (["outside/1 at 127.0.0.1"], [], [True])
    (event,) = sent_entries(outside)
    expected = {"host": "127.0.0.1", "consent": outside.consent_id, "frames": performed.frames}
    assert {name: event[name] for name in expected} == expected
    assert not list(tmp_path.glob("*.mp4"))


def sent_entries(job: Job) -> list[dict[str, Any]]:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        kinds = [each.event for each in log.entries(KeyKind.JOB, job.pk.hex)]
        if found := [event for event in kinds if event["type"] == "likeness.sent"]:
            return found
        time.sleep(0.02)
    return []


@pytest.mark.parametrize("error", [DatabaseError("the log is away"), AuditError("the log refuses it")])
def test_what_cannot_be_logged_is_not_sent(
    error: Exception, outside: Job, server: Server, tmp_path: Path, monkeypatch: Any
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(lipsync.audit, "append", broken)

    with pytest.raises(type(error)):
        sent_out(outside, package(lipsync.engine_name("puppet/3")), tmp_path)

    assert server.submitted == []


def test_a_job_that_ends_does_not_wait_for_an_engine_outside(
    outside: Job, server: Server, tmp_path: Path
) -> None:
    server.query = working

    def stopped(_done: int, _total: int) -> None:
        raise CancelledError("The job was cancelled.")

    with pytest.raises(CancelledError):
        sent_out(outside, package(lipsync.engine_name("puppet/3")), tmp_path, stopped)


# ---- who is seen -------------------------------------------------------------------------------------


@pytest.mark.weights
def test_an_engine_that_shows_somebody_else_is_stopped(astronaut: bytes, hopper: bytes) -> None:
    models = loaded.face_models()
    _, source = swapper_of(astronaut, models)
    parts: Any = SimpleNamespace(
        models=models, likeness=Likeness(embedder=models.embedder, source=source), mouth=None
    )
    other, own = (to_planes(decode_image(each)[:400, :400].copy()) for each in (hopper, astronaut))
    once = range(1, 2)

    rendering._look_again(other, parts, 7, faces=once)  # the embedded engine moves what is there
    parts.mouth = object()
    rendering._look_again(own, parts, 7, faces=once)
    with pytest.raises(DrivingMismatchError, match="frame 7"):
        rendering._look_again(other, parts, 7, faces=once)


# ---- through the whole chain -------------------------------------------------------------------------


@pytest.fixture
def request_for(studio: Any, astronaut: bytes, hopper: bytes) -> PresentRequest:
    teller = studio.enrol(astronaut, operations=["face_swap", "lip_sync"])
    performer = studio.enrol(hopper, kind="performer", status="deceased")
    return PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="您好，请不要还款。",
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
    )


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.skipif(find_spec("espeakng_loader") is None, reason="the extra likeness[espeak] is missing")
def test_a_network_whose_lips_do_not_fit_is_replaced_by_the_embedded_engine(
    request_for: PresentRequest, studio: Any, work: Callable[[], None], sent: Any, settings: Any
) -> None:
    blob = network(gain=0.0)  # its lips never move
    weights = Path(settings.LIKENESS_WEIGHTS)
    settings.LIKENESS_LIPSYNC = "neural:lips"
    (studio.home / "weights.d").mkdir(exist_ok=True)
    own = f"lips-{uuid.uuid4().hex}.onnx"
    (studio.home / "weights.d" / "lips.toml").write_text(table(blob, file=own))
    (weights / own).write_bytes(blob)
    by = studio.by["requester"]
    try:
        presenting.present(request_for, client_id="one", by=by)
        work()
    finally:
        (weights / own).unlink()
    row = selectors.presentation("one", tenant=by.tenant)
    job = row.job
    assert job is not None, (row.code, row.message)
    assert (job.state, job.code) == ("done", ""), job.message

    sha256 = hashlib.sha256(blob).hexdigest()
    told = job.report["driving"]
    assert performances.package_of(job.media).engine == told["engine"] == f"neural/1 lips {sha256}"
    assert told["model_sha256"] == sha256
    assert told["drawn_by"] == ["puppet/3"]
    assert [each["code"] for each in told["warnings"]] == ["sync_out_of_bounds"]
    assert told["warnings"][0]["engine"] == told["engine"]
    assert job.report["sync"]["failed"] == []
    assert job.report["attempts"] == 2
    assert services.download(job.pk, by=by).is_file()

    presenting.present(replace(request_for, revises="one"), client_id="two", by=by)
    performing.perform(uuid.UUID(str(sent.pop(0)[1])))
    services.admit(uuid.UUID(str(sent.pop(0)[1])))
    again = selectors.presentation("two", tenant=by.tenant).job
    assert again is not None
    plans = [chunk.plan for chunk in Chunk.objects.filter(job=again)]
    assert plans
    assert [plan["taken_from"] for plan in plans] == [None] * len(plans), "the puppet drew those"
