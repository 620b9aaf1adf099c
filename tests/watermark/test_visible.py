import math
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.watermark import attacks
from watermark.errors import LabelSizeError, LabelTextError, UnsupportedFrameError
from watermark.visible import (
    DEFAULT_TEXT,
    GLYPH_SHARE,
    SEEN_MIN,
    Label,
    Look,
    Place,
    Tone,
    check_text,
    glyph_ink_px,
)

ROOT = Path(__file__).resolve().parents[2]
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


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("place", list(Place))
def test_every_place_is_even_and_inside_the_picture(width, height, place):
    x, y, w, h = Label(width, height, look=Look(place)).rectangle
    assert [n % 2 for n in (x, y, w, h)] == [0, 0, 0, 0]
    assert min(x, y) >= 2
    assert x + w <= width - 2
    assert y + h <= height - 2


@pytest.mark.parametrize("tone", list(Tone))
@pytest.mark.parametrize("ground", [16, 60, 128, 200, 235])
@pytest.mark.parametrize("text", ["AI MODIFIED", "数字人 AI生成"])
def test_label_of_either_tone_is_seen_after_compression(luma, tone, ground, text):
    label = Label(854, 480, text, Look(Place.TOP_LEFT, tone, icon=text.startswith("AI")))
    y = np.full((480, 854), ground, np.uint8)
    half = np.full((240, 427), 128, np.uint8)
    assert label.check(y) < 0.5
    label.blend(y, half, half.copy())
    assert label.check(attacks.jpeg(y, 40)) >= SEEN_MIN
    other = Label(
        854, 480, text[::-1] if not text.startswith("AI") else "AI生成 X", Look(Place.TOP_LEFT, tone)
    )
    assert other.check(y) < SEEN_MIN


def test_dark_letters_stay_in_the_limited_range():
    y, half = np.full((720, 1280), 235, np.uint8), np.full((360, 640), 128, np.uint8)
    Label(1280, 720, look=Look(tone=Tone.DARK_ON_LIGHT)).blend(y, half, half.copy())
    assert 15 <= y.min() <= 24
    assert y.max() <= 236


def test_icon_is_a_filled_badge_with_the_letters_cut_out():
    plain, icon = Label(1280, 720, "AI MODIFIED"), Label(1280, 720, "AI MODIFIED", Look(icon=True))
    y, half = np.full((720, 1280), 60, np.uint8), np.full((360, 640), 128, np.uint8)
    icon.blend(y, half, half.copy())
    assert icon.font_px == plain.font_px
    assert plain.check(y) < SEEN_MIN
    left, top, _w, h = icon.rectangle
    badge = y[top : top + h, left + 8 : left + 2 * icon.font_px]
    assert (badge > 200).mean() > 0.3


@pytest.mark.parametrize(
    ("text", "lines"),
    [("AI生成 · AI GENERATED · 示范银行", 3), ("人工智能生成合成的示范视频", 2), ("AI生成", 1)],
)
def test_narrow_picture_gets_more_lines(text, lines):
    wide, narrow = Label(3840, 1080, text), Label(540, 1080, text)
    per_line = (narrow.rectangle[3] / narrow.font_px) / (wide.rectangle[3] / wide.font_px)
    assert per_line == pytest.approx((1.2 + 1.35 * (lines - 1)) / 1.2, rel=0.3)
    assert narrow.rectangle[2] <= 540


@pytest.mark.parametrize(("width", "height"), [(641, 361), (1279, 719), (333, 251)])
def test_odd_pictures_get_an_even_label(luma, width, height):
    label = Label(width, height)
    y = luma(height, width).copy()
    u = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    label.blend(y, u, u.copy())
    assert [n % 2 for n in label.rectangle] == [0, 0, 0, 0]
    assert label.check(y) >= SEEN_MIN


def test_system_fonts_are_never_opened(tmp_path):
    code = (
        "import sys\n"
        "def refuse(event, args):\n"
        "    name = str(args[0]) if event == 'open' and args else ''\n"
        "    assert not name.endswith(('.ttf', '.otf', '.ttc', '.pfb')), name\n"
        "sys.addaudithook(refuse)\n"
        "from watermark.visible import Label\n"
        "print(Label(1280, 720, '数字人 AI生成').rectangle[2] > 100)\n"
    )
    bare = {
        "PATH": "/nowhere",
        "HOME": str(tmp_path),
        "FONTCONFIG_FILE": "/dev/null",
        "XDG_DATA_DIRS": "/nowhere",
    }
    done = subprocess.run([sys.executable, "-c", code], env=bare, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr
