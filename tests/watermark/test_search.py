import time

import numpy as np
import pytest

from tests.watermark import attacks
from watermark.errors import DecodeLimitError, UnsupportedFrameError
from watermark.evidence import Evidence
from watermark.invisible import Carrier, Embedder
from watermark.payload import CODE_BITS, MarkKeys
from watermark.search import Tally, at_identity, everywhere, groups_of

PICTURE_ATTACKS = {
    "none": lambda y: y,
    "jpeg 50": lambda y: attacks.jpeg(y, 50),
    "resize 50": lambda y: attacks.resized(y, 0.5),
    "crop 75": lambda y: attacks.cropped(y, 0.75),
    "crop 50": lambda y: attacks.cropped(y, 0.5),
    "rotate 2": lambda y: attacks.rotated(y, 2),
    "rotate -5": lambda y: attacks.rotated(y, -5),
    "mirror": attacks.mirrored,
    "screenshot": lambda y: attacks.jpeg(attacks.resized(y, 0.83), 60),
    "rotate 3 and crop 72": lambda y: attacks.cropped(attacks.rotated(y, 3), 0.72, 0.5, 0.5),
    "jpeg 30": lambda y: attacks.jpeg(y, 30),
    "crop 25": lambda y: attacks.cropped(y, 0.25),
    "quarter turn": lambda y: np.ascontiguousarray(np.rot90(y)),
    "turned and mirrored": lambda y: np.ascontiguousarray(np.rot90(y, 3)[:, ::-1]),
}


def evidence_of(planes):
    evidence = Evidence()
    for at, y in enumerate(planes):
        evidence.add(y, time_s=at / 24)
    return evidence


def searched(carriers, planes, tally=None):
    tally, evidence, groups = tally or Tally(), evidence_of(planes), groups_of(carriers)
    found = at_identity(groups, evidence, tally, range(4))
    return (found if found.mark_id is not None else everywhere(groups, evidence, tally)), tally


@pytest.mark.parametrize("shape", [(20, 900), (900, 20), (100, 1000), (64, 64, 3)])
def test_frame_that_cannot_be_searched_is_refused(shape):
    with pytest.raises(UnsupportedFrameError):
        Evidence().add(np.zeros(shape, np.uint8))


def test_frame_of_another_shape_is_left_out(luma):
    evidence = evidence_of([luma(360, 640), luma(640, 360), luma(360, 640)])
    assert len(evidence.frames) == 2


def test_limit_of_decodes_holds(carrier):
    soft, tally = np.ones(CODE_BITS, np.float32), Tally(max_decodes=3)
    for _ in range(3):
        tally.decode(carrier, soft)
    with pytest.raises(DecodeLimitError):
        tally.decode(carrier, soft)
    assert tally.false_positive_bound == 3 * 2.0**-40


def test_search_without_time_says_that_it_left_something_out(carrier, luma):
    found, tally = searched([carrier], [luma(360, 640)], Tally(budget_s=0))
    assert found.mark_id is None
    assert tally.spent


@pytest.mark.parametrize("attack", PICTURE_ATTACKS)
def test_id_is_found_in_one_altered_picture(carrier, luma, marked, mark_id, attack):
    changed = PICTURE_ATTACKS[attack](marked([luma(720, 1280)])[0])
    found, tally = searched([carrier], [changed])
    assert found.mark_id == mark_id
    assert tally.false_positive_bound < 1e-11


def test_geometry_says_what_was_cut(carrier, luma, marked):
    found, _ = searched([carrier], [attacks.cropped(marked([luma(720, 1280)])[0], 0.5, 0.4, 0.6)])
    assert found.geometry.scale == pytest.approx(0.7071, abs=0.002)
    assert found.geometry.dy == pytest.approx(0.6 * (720 - 509) * 0.75, abs=1.5)
    assert found.geometry.dx == pytest.approx(0.4 * (1280 - 905) * 0.75, abs=1.5)


def test_one_search_serves_all_tenants(keys, carrier, luma, marked, mark_id):
    others = [Carrier(MarkKeys(keys.master, f"bank-{n}")) for n in range(3)]
    foreign = Carrier(MarkKeys(bytes(32), "bank-a"))
    found, tally = searched([foreign, *others, carrier], [marked([luma(720, 1280)])[0]])
    assert (found.mark_id, found.carrier) == (mark_id, carrier)
    assert tally.decodes == 4


def test_mark_of_an_unknown_tenant_is_suspected(keys, luma, marked):
    groups = groups_of([Carrier(MarkKeys(keys.master, "bank-z"))])
    found = at_identity(groups, evidence_of([marked([luma(720, 1280)])[0]]), Tally(), (0,))
    assert found.mark_id is None
    assert found.suspected


@pytest.mark.parametrize("seed", [1])
def test_unmarked_picture_gives_no_id(carrier, luma, seed):
    rng = np.random.default_rng(seed)
    y = luma(720, 1280)
    picture = np.roll(y, rng.integers(50, 400, 2), axis=(0, 1)) if seed else y
    start = time.process_time()
    found, tally = searched([carrier], [picture])
    assert found.mark_id is None
    assert not found.suspected
    assert tally.decodes <= 24
    assert time.process_time() - start < 15


def test_other_keys_give_no_id(luma, marked):
    groups, tally = groups_of([Carrier(MarkKeys(bytes(32), "bank-a"))]), Tally()
    found = at_identity(groups, evidence_of([marked([luma(720, 1280)])[0]]), tally, range(4))
    assert found.mark_id is None
    assert not found.suspected
    assert tally.decodes <= 8


def test_second_mark_of_the_same_key_wins_and_of_another_leaves_the_first(
    keys, carrier, luma, marked, mark_id
):
    twice, other = marked([luma(720, 1280)])[0], Carrier(MarkKeys(keys.master, "bank-b"))
    for owner, second_id in ((carrier, 7), (other, 9)):
        picture = twice.copy()
        embedder = Embedder(owner, second_id, height=720, width=1280)
        embedder.servo([picture])
        embedder.embed(picture)
        assert searched([owner], [picture])[0].mark_id == second_id
        if owner is other:
            assert searched([carrier], [picture])[0].mark_id == mark_id


@pytest.mark.parametrize("shape", [(16, 16), (31, 400)])
def test_picture_too_small_to_search_is_refused(shape):
    with pytest.raises(UnsupportedFrameError):
        Evidence().add(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_picture_gives_no_id(carrier, level):
    tally = Tally()
    found = at_identity([[carrier]], evidence_of([np.full((720, 1280), level, np.uint8)]), tally, range(4))
    assert (found.mark_id, found.suspected) == (None, False)


def test_mark_of_an_8k_picture_is_read(carrier, luma, mark_id):
    y = np.ascontiguousarray(np.kron(luma(540, 960), np.ones((8, 8), np.uint8)))
    embedder = Embedder(carrier, mark_id, height=4320, width=7680)
    embedder.servo([y])
    embedder.embed(y)
    assert searched([carrier], [y])[0].mark_id == mark_id
