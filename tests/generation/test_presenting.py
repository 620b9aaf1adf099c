"""From a script to a delivered video through the real parts; and everything that is refused on the way."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit import selectors as log
from audit.leaf import KeyKind
from consent import services as consents
from generation import blobs, performances, performing, presenting, selectors, services, speaking, staging
from generation.errors import (
    ClientIdTakenError,
    JobStateError,
    NotFoundError,
    PresentInvalidError,
    RefusedError,
    RoleError,
    SyncOutOfBoundsError,
)
from generation.models import Presentation, PresentationState
from generation.presenter.errors import PresenterError, SpeechFailedError, VoiceMissingError
from generation.presenter.package import Package
from generation.presenting import PresentRequest
from tests.generation import fakes
from watermark.metadata import read_label

OPERATIONS = ["face_swap", "lip_sync"]
needs_espeak = pytest.mark.skipif(
    find_spec("espeakng_loader") is None, reason="the extra likeness[espeak] is not installed"
)


@pytest.fixture
def cast(quick: Any) -> PresentRequest:
    """A request that everybody agreed to, in the studio where people are colours."""
    teller = quick.enrol(fakes.portrait(fakes.RED), operations=OPERATIONS)
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    return PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="您好。您的余额为¥1,234.56。",
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"script": ""}, PresenterError),
        ({"script": "好" * 100_000}, PresenterError),
        ({"script": "<speak><audio/></speak>", "kind": "ssml"}, PresenterError),
        ({"script": "您\u202e好"}, PresenterError),
        ({"script": "还款¥12,34.5"}, PresenterError),
        ({"language": "fr"}, PresentInvalidError),
        ({"kind": "html"}, PresentInvalidError),
        ({"format": "cinema"}, PresentInvalidError),
        ({"colour": "blue"}, PresentInvalidError),
        ({"voice": "nobody"}, VoiceMissingError),
        ({"identity_id": "idn_0000000000000000"}, NotFoundError),
        ({"performer_id": "idn_0000000000000000"}, NotFoundError),
    ],
)
def test_what_cannot_be_presented_is_refused_and_nothing_is_kept(
    changes: dict[str, Any], error: type[Exception], cast: PresentRequest, quick: Any
) -> None:
    with pytest.raises(error):
        presenting.present(replace(cast, **changes), client_id="one", by=quick.by["requester"])

    assert not Presentation.objects.exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"script": "本产品保本保息。"}, "text.promise"),
        ({"script": "请转账到安全账户。"}, "text.fraud"),
        ({"script": "本产品宝本宝息。"}, "text.review"),
        ({"script": "<speak><sub alias='保本保息'>存款</sub></speak>", "kind": "ssml"}, "text.promise"),
        ({"purpose": "marketing"}, "scope.purpose"),
        ({"channel": "website"}, "scope.channel"),
        ({"language": "en", "script": "Hello."}, "scope.language"),
        ({"script": "您好。" * 2_500}, "scope.seconds"),
    ],
)
def test_the_gate_refuses_before_anybody_speaks(
    changes: dict[str, Any], reason: str, cast: PresentRequest, quick: Any, sent: list[Any]
) -> None:
    with pytest.raises(RefusedError) as raised:
        presenting.present(replace(cast, **changes), client_id="one", by=quick.by["requester"])

    row = selectors.presentation("one", tenant=quick.by["requester"].tenant)
    assert raised.value.code == reason
    assert (row.state, row.code) == ("rejected", reason)
    assert sent == []


def test_a_performer_without_a_release_is_refused(cast: PresentRequest, quick: Any) -> None:
    other = quick.enrol(fakes.portrait(fakes.BLUE), operations=OPERATIONS)

    with pytest.raises(RefusedError) as raised:
        presenting.present(
            replace(cast, performer_id=other.identity_id), client_id="one", by=quick.by["requester"]
        )

    assert raised.value.reasons == ("performer.no_release",)


def test_only_a_requester_may_ask(cast: PresentRequest, quick: Any) -> None:
    with pytest.raises(RoleError):
        presenting.present(cast, client_id="one", by=quick.by["auditor"])


@pytest.mark.parametrize("client_id", ["", "ab", "a" * 65, "a b", "../x", "ä-1"])
def test_a_bad_client_id_is_refused(client_id: str, cast: PresentRequest, quick: Any) -> None:
    with pytest.raises(PresentInvalidError):
        presenting.present(cast, client_id=client_id, by=quick.by["requester"])


def test_the_same_request_again_is_the_same_presentation(
    cast: PresentRequest, quick: Any, sent: list[Any]
) -> None:
    by = quick.by["requester"]
    first = presenting.present(cast, client_id="one", by=by)

    assert presenting.present(cast, client_id="one", by=by).pk == first.pk
    assert sent == [("drive", str(first.pk))]
    with pytest.raises(ClientIdTakenError):
        presenting.present(replace(cast, script="再见。"), client_id="one", by=by)


def test_another_tenant_does_not_find_it(cast: PresentRequest, quick: Any) -> None:
    presenting.present(cast, client_id="one", by=quick.by["requester"])

    with pytest.raises(NotFoundError):
        selectors.presentation("one", tenant="other")


def test_the_log_holds_a_commitment_not_the_words(cast: PresentRequest, quick: Any) -> None:
    row = presenting.present(cast, client_id="one", by=quick.by["requester"])
    reviewed = presenting.review(cast)
    expected = presenting.commitment(row, reviewed.script)

    entries = quick.entries(row) if hasattr(quick, "entries") else _entries(expected)

    assert [entry.event["stage"] for entry in entries] == ["script"]
    assert cast.script not in json.dumps(entries[0].event, ensure_ascii=False)


def _entries(script: str) -> list[Any]:
    import time

    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if found := log.entries(KeyKind.SCRIPT, script):
            return list(found)
        time.sleep(0.05)
    return []


def test_a_waiting_presentation_is_cancelled(cast: PresentRequest, quick: Any, work: Any) -> None:
    by = quick.by["requester"]
    presenting.present(cast, client_id="one", by=by)

    assert presenting.cancel("one", by=by).state == "cancelled"
    work()

    assert selectors.presentation("one", tenant=by.tenant).job is None
    with pytest.raises(JobStateError):
        presenting.cancel("one", by=by)


def test_withdrawal_before_the_drive_stops_it(cast: PresentRequest, quick: Any, work: Any) -> None:
    by = quick.by["requester"]
    presenting.present(cast, client_id="one", by=by)
    release = next(
        each
        for each in __import__("consent.selectors", fromlist=["consents"]).consents(tenant=by.tenant)
        if each.identity_id == cast.performer_id
    )
    consents.revoke(release.id, reason="withdrawn", by=quick.by["legal"])

    work()

    row = selectors.presentation("one", tenant=by.tenant)
    assert (row.state, row.code) == ("rejected", "performer.no_release")


def test_a_failing_engine_fails_the_presentation(
    cast: PresentRequest, quick: Any, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise SpeechFailedError("The speech worker failed twice.")

    monkeypatch.setattr(speaking, "engine_for", broken)
    monkeypatch.setattr(staging, "plates_of", lambda *_: {})
    presenting.present(cast, client_id="one", by=quick.by["requester"])

    work()

    row = selectors.presentation("one", tenant=quick.by["requester"].tenant)
    assert (row.state, row.code) == ("failed", "tts_failed")
    assert row.hint


def test_a_dead_worker_is_tried_again_twice(cast: PresentRequest, quick: Any) -> None:
    row = presenting.present(cast, client_id="one", by=quick.by["requester"])
    Presentation.objects.filter(pk=row.pk).update(state=PresentationState.DRIVING, attempts=2)

    performing.perform(row.pk)

    row.refresh_from_db()
    assert (row.state, row.code) == ("failed", "attempts_exhausted")


@needs_espeak
@pytest.mark.weights
@pytest.mark.slow
def test_a_script_becomes_a_marked_video_whose_mouth_fits(
    studio: Any, work: Any, astronaut: bytes, hopper: bytes
) -> None:
    by = studio.by["requester"]
    teller = studio.enrol(astronaut, operations=OPERATIONS)
    performer = studio.enrol(hopper, kind="performer", status="deceased")
    request = PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="您好，请不要把密码告诉别人。",
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
    )

    presenting.present(request, client_id="teller-1", by=by)
    work()

    row = selectors.presentation("teller-1", tenant=by.tenant)
    assert (row.state, row.code, row.message) == ("generating", "", "")
    assert row.job is not None
    assert (row.job.state, row.job.code, row.job.message) == ("done", "", ""), row.job.message
    sync = row.job.report["sync"]
    assert sync["failed"] == []
    assert sync["landmarks"]["r"] >= 0.75
    assert sync["closures"] == sync["closures_held"] >= 2
    path = services.download(row.job.pk, by=by)
    label = read_label(path).label
    assert label is not None
    assert label.produce_id == row.job.id.hex
    with blobs.store().open(row.srt_sha256) as srt:
        assert "请不要把密码告诉别人" in srt.read().decode()


@needs_espeak
@pytest.mark.weights
@pytest.mark.slow
def test_a_file_whose_mouth_does_not_fit_is_not_delivered(
    studio: Any, work: Any, astronaut: bytes, hopper: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = studio.by["requester"]
    teller = studio.enrol(astronaut, operations=OPERATIONS)
    performer = studio.enrol(hopper, kind="performer", status="deceased")
    request = PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="您好，请还款。",
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
    )
    write = performances._write_sound

    def late(package: Package, path: Path) -> None:
        """The sound of the file comes two frames later than its pictures."""
        early = np.zeros(2 * package.rate // package.fps, np.int16)
        write(replace(package, pcm=np.concatenate([early, package.pcm])), path)

    monkeypatch.setattr(performances, "_write_sound", late)
    presenting.present(request, client_id="teller-2", by=by)
    work()

    row = selectors.presentation("teller-2", tenant=by.tenant)
    assert row.job is not None
    assert (row.job.state, row.job.code) == ("failed", SyncOutOfBoundsError.code)
    assert row.job.report["sync"]["failed"], "the figures say why"
    assert not row.job.output_sha256
