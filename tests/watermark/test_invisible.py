import cv2
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from tests.watermark import attacks
from watermark.errors import MarkIdError, StrengthUnsetError, UnsupportedFrameError
from watermark.invisible import (
    STRENGTH_MAX,
    Carrier,
    Embedder,
    Profile,
    correlate,
    decode,
    likeliest_bits,
    profile_for,
    residual,
)
from watermark.payload import MarkKeys, message


def read(carrier, planes):
    return decode(carrier, correlate(carrier, sum(residual(y) for y in planes)))


def shown_psnr(y, marked):
    """PSNR on the screen, where the limited range is spread to 0..255."""
    difference = (marked.astype(np.float64) - y) * (255 / 219)
    return 10 * np.log10(255**2 / np.mean(difference**2))


@pytest.mark.parametrize(("height", "width"), [(239, 640), (640, 239), (720, 2732), (2050, 720), (2, 2)])
def test_frame_that_cannot_carry_the_mark_is_refused(carrier, height, width):
    with pytest.raises(UnsupportedFrameError):
        Embedder(carrier, 1, height=height, width=width)


def test_id_zero_is_refused(carrier):
    with pytest.raises(MarkIdError):
        Embedder(carrier, 0, height=720, width=1280)


def test_frame_before_the_strength_is_refused(carrier, luma):
    with pytest.raises(StrengthUnsetError):
        Embedder(carrier, 1, height=360, width=640).embed(luma(360, 640))


def test_strength_from_no_frames_is_refused(carrier):
    with pytest.raises(StrengthUnsetError):
        Embedder(carrier, 1, height=360, width=640).servo([])


@pytest.mark.parametrize(
    "plane",
    [np.zeros((360, 642), np.uint8), np.zeros((360, 640), np.uint16), np.zeros((360, 640, 3), np.uint8)],
    ids=["size", "depth", "colour"],
)
def test_plane_of_another_kind_is_refused(carrier, plane):
    embedder = Embedder(carrier, 1, height=360, width=640, strength=0.5)
    with pytest.raises(UnsupportedFrameError):
        embedder.embed(plane)


@pytest.mark.parametrize(
    ("height", "width", "profile"),
    [(360, 640, "robust"), (719, 1280, "robust"), (720, 1280, "standard"), (2340, 1080, "standard")],
)
def test_profile_follows_the_short_side(height, width, profile):
    assert profile_for(height, width) == profile


@pytest.mark.parametrize(
    ("height", "width", "target_db"), [(720, 1280, 46), (1080, 1920, 46), (360, 640, 44), (1170, 540, 44)]
)
def test_quality_meets_the_profile_on_the_screen(luma, marked, height, width, target_db):
    y = luma(height, width)
    changed = marked([y])[0]
    assert shown_psnr(y, changed) == pytest.approx(target_db, abs=0.3)
    assert structural_similarity(y, changed) >= (0.988 if target_db == 46 else 0.98)


def test_flat_areas_change_little(luma, marked):
    y = luma(720, 1280)
    level, change = y.astype(np.float32), marked([y])[0].astype(np.float32) - y
    mean = cv2.blur(level, (9, 9))
    deviation = np.sqrt(np.maximum(cv2.blur(level * level, (9, 9)) - mean * mean, 0))
    rms = np.sqrt(cv2.blur(change * change, (9, 9)))
    assert np.percentile(rms[deviation <= np.percentile(deviation, 40)], 99) < 1.9


@pytest.mark.parametrize("level", [16, 128, 235])
def test_flat_clip_stays_within_two_levels(marked, level):
    y = np.full((720, 1280), level, np.uint8)
    assert np.abs(marked([y])[0].astype(int) - y).max() <= 2


def test_strength_of_a_black_clip_is_clamped(carrier):
    embedder = Embedder(carrier, 1, height=720, width=1280)
    assert embedder.servo([np.full((720, 1280), 16, np.uint8)]) == pytest.approx(STRENGTH_MAX)


def test_padding_beside_the_plane_is_left_alone(carrier, luma, mark_id):
    buffer = np.zeros((360, 704), np.uint8)
    buffer[:, :640] = luma(360, 640)
    embedder = Embedder(carrier, mark_id, height=360, width=640)
    embedder.servo([buffer[:, :640]])
    embedder.embed(buffer[:, :640])
    assert not buffer[:, 640:].any()
    assert read(carrier, [buffer[:, :640]]) == mark_id


@pytest.mark.parametrize(
    ("height", "width"), [(720, 1280), (1280, 720), (1170, 540), (361, 641), (1520, 720)]
)
def test_mark_is_read_from_one_frame(carrier, luma, marked, mark_id, height, width):
    assert read(carrier, marked([luma(height, width)])) == mark_id


def test_chunks_with_one_strength_join_without_a_step(carrier, luma, mark_id):
    y = luma(360, 640)
    planned = Embedder(carrier, mark_id, height=360, width=640)
    strength = planned.servo([y])
    chunk = Embedder(carrier, mark_id, height=360, width=640, strength=strength)
    first, second = y.copy(), y.copy()
    planned.embed(first)
    chunk.embed(second)
    assert np.array_equal(first, second)


def test_marked_frame_gives_nothing_to_other_keys(luma, marked, keys):
    frame = marked([luma(720, 1280)])[0]
    for other in (MarkKeys(bytes(32), "bank-a"), MarkKeys(keys.master, "bank-b")):
        assert read(Carrier(other), [frame]) is None


def test_folding_the_tiles_without_the_key_does_not_erase(carrier, clip, marked, mark_id):
    frames = marked(clip(6, 720, 1280))
    estimate = attacks.folded([residual(y) for y in frames])
    assert read(carrier, [attacks.pasted(y, estimate, -0.5) for y in frames]) == mark_id


def test_mark_subtracted_too_strongly_reads_inverted(carrier, luma, mark_id):
    y = luma(720, 1280)
    embedder = Embedder(carrier, mark_id, height=720, width=1280, profile=Profile.STANDARD)
    embedder.servo([y])
    changed = y.copy()
    embedder.embed(changed)
    inverted = np.clip(2.0 * y - changed, 0, 255).astype(np.uint8)
    found = correlate(carrier, residual(inverted))
    assert decode(carrier, found) is None
    assert decode(carrier, found, sign=-1) == mark_id


def test_tags_of_random_keys_fit_unmarked_pictures_by_chance_only(luma):
    """500 keys, 8 bits of the tag; P(X > 8) = 4e-4 for Binomial(500, 1 / 256)."""
    total = residual(luma(360, 640))
    hits = 0
    for seed in range(500):
        carrier = Carrier(MarkKeys(seed.to_bytes(32, "big"), "null"))
        bits = likeliest_bits(carrier, correlate(carrier, total))
        mark_id = int.from_bytes(np.packbits(bits[:64]).tobytes(), "big")
        hits += np.array_equal(message(carrier.keys, mark_id)[64:72], bits[64:72])
    assert hits <= 8
