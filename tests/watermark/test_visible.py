import math

import cv2
import numpy as np
import pytest

from tests.watermark import attacks
from watermark.errors import LabelSizeError, LabelTextError, UnsupportedFrameError
from watermark.visible import DEFAULT_TEXT, GLYPH_SHARE, SEEN_MIN, Label, check_text, glyph_ink_px

SIZES = [(640, 360), (1280, 720), (1920, 1080), (720, 1280), (1080, 2340), (426, 240), (480, 480)]


def planes(luma, width, height):
    half = (height // 2, width // 2)
    rng = np.random.default_rng(1)
    chroma = rng.integers(60, 200, (2, *half), dtype=np.uint8)
    return luma(height, width).copy(), chroma[0], chroma[1]


@pytest.mark.parametrize(
    "text",
    ["", "AI", "生成", "generated", "人工智能", "AI 假的", "ai生成", "AI生成 \U0010fffd", "AI生成 😀"],
)
def test_text_against_the_rule_is_refused(text):
    with pytest.raises(LabelTextError):
        check_text(text)


@pytest.mark.parametrize(
    "text", [DEFAULT_TEXT, "AI合成", "人工智能生成", "数字人 AI生成", "AI修改合成 · AI MODIFIED"]
)
def test_text_within_the_rule_is_taken(text):
    assert check_text(text) == text


def test_label_that_does_not_fit_is_refused():
    with pytest.raises(LabelSizeError):
        Label(360, 640, "AI生成 " + "VERY LONG WORDS " * 4)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_glyph_is_a_twentieth_of_the_short_side(width, height):
    label = Label(width, height)
    need = math.ceil(min(width, height) * GLYPH_SHARE)
    assert need <= glyph_ink_px(label.text, label.font_px) <= need * 1.15


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_rectangle_is_even_and_inside_the_picture(width, height):
    x, y, w, h = Label(width, height).rectangle
    assert [n % 2 for n in (x, y, w, h)] == [0, 0, 0, 0]
    assert x > width // 4
    assert x + w < width
    assert y + h < height / 3


def test_wide_label_becomes_two_lines():
    one, two = Label(1280, 720).rectangle, Label(720, 1280).rectangle
    assert two[3] > 1.5 * one[3]
    assert two[2] < one[2]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_only_the_rectangle_changes(luma, width, height):
    label = Label(width, height)
    before, after = planes(luma, width, height), planes(luma, width, height)
    label.blend(*after)
    x, y, w, h = label.rectangle
    for old, new, k in zip(before, after, (1, 2, 2), strict=True):
        changed = old != new
        assert changed.any()
        changed[y // k : (y + h) // k, x // k : (x + w) // k] = False
        assert not changed.any()


def test_label_stays_in_the_limited_range(luma):
    y, u, v = np.full((720, 1280), 16, np.uint8), *np.full((2, 360, 640), 128, np.uint8)
    Label(1280, 720).blend(y, u, v)
    assert y.min() >= 15
    assert 230 <= y.max() <= 236
    assert np.abs(u.astype(int) - 128).max() <= 1


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("ground", ["photo", "white", "black", "noise"])
def test_label_is_seen_on_any_ground_after_compression(luma, width, height, ground):
    label = Label(width, height)
    rng = np.random.default_rng(3)
    y = {
        "photo": lambda: luma(height, width).copy(),
        "white": lambda: np.full((height, width), 235, np.uint8),
        "black": lambda: np.full((height, width), 16, np.uint8),
        "noise": lambda: rng.integers(16, 236, (height, width), dtype=np.uint8),
    }[ground]()
    half = np.full((height // 2, width // 2), 128, np.uint8)
    assert label.check(y) < 0.5
    label.blend(y, half, half.copy())
    assert label.check(attacks.jpeg(y, 40)) >= SEEN_MIN


def test_planes_of_another_size_are_refused(luma):
    label = Label(1280, 720)
    y, u, v = planes(luma, 640, 360)
    with pytest.raises(UnsupportedFrameError):
        label.blend(y, u, v)
    with pytest.raises(UnsupportedFrameError):
        label.check(y)


def test_label_needs_no_font_file(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FONTCONFIG_PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert not hasattr(cv2, "freetype")
    assert glyph_ink_px("生", 60) > 50
