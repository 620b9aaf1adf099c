import cv2
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from tests.watermark import attacks
from watermark.errors import MarkIdError, StrengthUnsetError, UnsupportedFrameError
from watermark.evidence import Evidence
from watermark.invisible import (
    LEVELS,
    SEGMENT_S,
    STILL_SEGMENT_S,
    Carrier,
    Embedder,
    Profile,
    pattern_of,
    profile_for,
    segment_for,
)
from watermark.payload import MarkKeys, message
from watermark.reading import likeliest_bits, pilots, residual, soft_bits
from watermark.search import Tally, at_identity


def looked_at(carrier, planes, fps=24):
    evidence = Evidence()
    for at, y in enumerate(planes):
        evidence.add(y, time_s=at / fps)
    return at_identity([[carrier]], evidence, Tally(), (0,))


def read(carrier, planes):
    found = looked_at(carrier, planes)
    return None if found.inverted else found.mark_id


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
    ("height", "width", "target_db"), [(720, 1280, 46), (1080, 1920, 47), (360, 640, 44), (1170, 540, 44)]
)
def test_quality_meets_the_profile_on_the_screen(luma, marked, height, width, target_db):
    y = luma(height, width)
    changed = marked([y])[0]
    assert shown_psnr(y, changed) == pytest.approx(target_db, abs=0.3)
    assert structural_similarity(y, changed) >= (0.988 if target_db > 45 else 0.98)


def test_flat_areas_change_little(luma, marked):
    y = luma(1080, 1920)
    level, change = y.astype(np.float32), (marked([y])[0].astype(np.float32) - y) * (255 / 219)
    mean = cv2.blur(level, (9, 9))
    deviation = np.sqrt(np.maximum(cv2.blur(level * level, (9, 9)) - mean * mean, 0))
    rms = np.sqrt(cv2.blur(change * change, (9, 9)))
    p95, p99 = np.percentile(rms[deviation <= np.percentile(deviation, 40)], [95, 99])
    assert (p95 < 1.2, p99 < 1.8) == (True, True)


@pytest.mark.parametrize("level", [16, 128, 235])
def test_flat_clip_stays_within_two_levels(marked, level):
    y = np.full((720, 1280), level, np.uint8)
    assert np.abs(marked([y])[0].astype(int) - y).max() <= 2


def test_strength_of_a_black_clip_is_clamped(carrier):
    embedder = Embedder(carrier, 1, height=1080, width=1920)
    assert embedder.servo([np.full((1080, 1920), 16, np.uint8)]) == LEVELS[Profile.STANDARD].strength_max


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
    found = looked_at(carrier, [inverted])
    assert (found.mark_id, found.inverted) == (mark_id, True)


def test_tags_of_random_keys_fit_unmarked_pictures_by_chance_only(luma):
    """300 keys, 8 bits of the tag; P(X > 6) = 2e-4 for Binomial(300, 1 / 256)."""
    evidence, hits = Evidence(), 0
    evidence.add(luma(360, 640))
    numbers, weights = np.zeros(1, np.intp), np.ones(1, np.float32)
    seen = evidence.upright()
    for seed in range(300):
        carrier = Carrier(MarkKeys(seed.to_bytes(32, "big"), "null"))
        agreed = pilots(carrier, seen, numbers, weights)
        bits = likeliest_bits(soft_bits(carrier, seen, numbers, weights, agreed.agreement))
        mark_id = int.from_bytes(np.packbits(bits[:64]).tobytes(), "big")
        hits += np.array_equal(message(carrier.keys, mark_id)[64:72], bits[64:72])
    assert hits <= 6


# ---- the pattern along the clip ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def second_by_second(clip, carrier, mark_id):
    """96 frames, 4 s, as they are and marked."""
    clean = clip(96, 360, 640)
    embedder = Embedder(carrier, mark_id, height=360, width=640)
    strength = embedder.servo(clean[:5])
    frames = [y.copy() for y in clean]
    for at, y in enumerate(frames):
        embedder.embed(y, at / 24)
    return clean, frames, strength


def test_every_second_has_another_pattern(carrier, luma, mark_id):
    embedder = Embedder(carrier, mark_id, height=360, width=640, strength=1.0)
    y = luma(360, 640)
    changes = []
    for second in range(64):
        changed = y.copy()
        embedder.embed(changed, second + 0.5)
        changes.append((changed.astype(np.float32) - y).ravel())
    alike = np.corrcoef(changes) - np.eye(64)
    assert np.abs(alike).max() < 0.1


def test_pattern_goes_over_into_the_next_without_a_step(carrier, mark_id):
    embedder = Embedder(carrier, mark_id, height=360, width=640)
    steps, last = [], embedder.pattern_at(0.7)
    for at in range(1, 60):
        now = embedder.pattern_at(0.7 + at / 100)
        steps.append(float(np.sqrt(np.mean(np.square(now - last)))))
        assert np.std(now) == pytest.approx(np.std(last), rel=0.03)
        last = now
    assert max(steps) < 0.2


@pytest.mark.parametrize("seconds", [0.04, 0.13, 0.37])
@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25])
def test_trimmed_and_sped_up_copy_is_read(carrier, second_by_second, mark_id, seconds, speed):
    frames = second_by_second[1][round(seconds * 24) : round(seconds * 24) + 60 : 3]
    assert looked_at(carrier, frames, fps=8 * speed).mark_id == mark_id


def test_copy_that_was_cut_together_anew_is_read(carrier, second_by_second, mark_id):
    frames = second_by_second[1]
    pieces = [*frames[70:76], *frames[5:11], *frames[50:56], *frames[30:36]]
    assert looked_at(carrier, pieces).mark_id == mark_id


@pytest.mark.parametrize("taken", [range(24), range(48), range(0, 96, 2), range(96)], ids=range(4))
@pytest.mark.parametrize("strength", [0.5, 0.75, 1.0, 1.5])
def test_mean_of_many_frames_subtracted_does_not_erase(carrier, second_by_second, mark_id, taken, strength):
    """The id is read, if need be inverted, or the attacker's picture has lost more than 42 dB allow."""
    clean, frames, k = second_by_second
    estimate = attacks.averaged([residual(frames[at]) for at in taken])
    attacked = [attacks.pasted(y, estimate, -strength * k) for y in frames[:24]]
    read_back = looked_at(carrier, attacked).mark_id == mark_id
    assert (
        read_back or np.mean([shown_psnr(*pair) for pair in zip(clean[:3], attacked[:3], strict=True)]) < 42
    )


@pytest.mark.parametrize(
    "clean",
    [
        lambda y: cv2.GaussianBlur(y, (0, 0), 3),
        lambda y: cv2.bilateralFilter(y, 9, 40, 5),
        lambda y: cv2.fastNlMeansDenoising(y, None, 6, 5, 11),
    ],
    ids=["blur 3", "bilateral", "non-local means"],
)
def test_denoising_leaves_the_id_or_ruins_the_picture(carrier, luma, marked, mark_id, clean):
    y = luma(720, 1280)
    cleaned = clean(marked([y])[0])
    assert read(carrier, [cleaned]) == mark_id or shown_psnr(y, cleaned) < 36


def test_folding_one_frame_does_not_erase(carrier, luma, marked, mark_id):
    frame = marked([luma(720, 1280)])[0]
    for tile in (64, 128, 512):
        estimate = attacks.folded([residual(frame)], tile=tile)
        assert read(carrier, [attacks.pasted(frame, estimate, -0.5)]) == mark_id


def test_no_seam_shows_between_tiles(carrier, mark_id):
    """Steps across the edges of the tiles are no larger than steps inside them."""
    pattern = pattern_of(carrier.coefficients(mark_id, 0, 4, 8))
    for plane in (pattern, pattern.T):
        steps = np.abs(np.diff(plane, axis=0)).mean(1)
        edges = np.arange(127, len(steps), 128)
        assert steps[edges].mean() == pytest.approx(np.delete(steps, edges).mean(), rel=0.06)
        power = np.square(plane).mean(1)[128:-128]
        assert power.reshape(-1, 128).mean(0)[[0, 1, -2, -1]].mean() == pytest.approx(1, rel=0.1)


def test_clip_keeps_its_pattern_longer_where_the_camera_stands_still(carrier, clip, luma, mark_id):
    assert segment_for(clip(60, 360, 640)[::15]) == SEGMENT_S
    assert segment_for([luma(360, 640)]) == SEGMENT_S
    assert segment_for([luma(360, 640)] * 3) == STILL_SEGMENT_S
    frames = [luma(360, 640) for _ in range(6)]
    embedder = Embedder(carrier, mark_id, height=360, width=640, segment_s=STILL_SEGMENT_S)
    embedder.servo(frames[:1])
    for at, y in enumerate(frames):
        embedder.embed(y, 5.0 + at)
    assert looked_at(carrier, frames, fps=1).mark_id == mark_id
