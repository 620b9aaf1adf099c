from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from generation.engine.types import Planes
from generation.presenter import overlay, templates
from generation.presenter.errors import SceneError, TemplateInvalidError
from generation.presenter.scene import Layout

PICTURE = "a" * 64
BALANCE = {
    "format": "preview",
    "title": "{{name}}",
    "line": "{{sum}} · {{day}}",
    "background": "{{picture}}",
    "variables": {"name": "text", "sum": "amount", "day": "date", "picture": "image"},
}
VALUES = {"name": "李经理", "sum": "1234.5", "day": "2026-02-01", "picture": PICTURE}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"surprise": 1}, "surprise"),
        ({"format": "cinema"}, "format"),
        ({"height_share": 0.1}, "height_share"),
        ({"height_share": True}, "height_share"),
        ({"centre": "middle"}, "centre"),
        ({"centre": float("nan")}, "centre"),
        ({"colour": "red"}, "colour"),
        ({"colour": 7}, "colour"),
        ({"background": "../etc/passwd"}, "background"),
        ({"background": "{{picture}}"}, "background"),
        ({"logo": "{{name}}", "variables": {"name": "text"}}, "logo"),
        ({"logo_place": "middle"}, "logo_place"),
        ({"title": "{{name}}"}, "title"),
        ({"title": "{{ name }}", "variables": {"name": "text"}}, "title"),
        ({"title": "{{picture}}", "variables": {"picture": "image"}}, "title"),
        ({"title": "a\nb"}, "title"),
        ({"line": "a\u202eb"}, "line"),
        ({"line": 3}, "line"),
        ({"subtitles": "yes"}, "subtitles"),
        ({"variables": ["name"]}, "variables"),
        ({"variables": {"Name": "text"}}, "variables.Name"),
        ({"variables": {"name": "html"}}, "variables.name"),
        ({"variables": {f"v{at}": "text" for at in range(21)}}, "variables"),
    ],
)
def test_a_bad_template_is_refused_by_its_field(document: dict[str, Any], field: str) -> None:
    with pytest.raises(TemplateInvalidError) as raised:
        templates.read(document)

    assert list(raised.value.fields) == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": None}, "name"),
        ({"more": "x"}, "more"),
        ({"name": ""}, "name"),
        ({"name": "x" * 41}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "\u200b"}, "name"),
        ({"name": "{{sum}}"}, "name"),
        ({"sum": "12,34.5"}, "sum"),
        ({"sum": "1e9"}, "sum"),
        ({"sum": "１２"}, "sum"),
        ({"sum": "1.234"}, "sum"),
        ({"day": "2026-02-30"}, "day"),
        ({"day": "20260201"}, "day"),
        ({"picture": "cat.png"}, "picture"),
    ],
)
def test_values_that_do_not_fit_are_refused(changes: dict[str, str | None], field: str) -> None:
    values = {name: value for name, value in {**VALUES, **changes}.items() if value is not None}

    with pytest.raises(TemplateInvalidError) as raised:
        templates.fill(templates.read(BALANCE), values)

    assert list(raised.value.fields) == [field]


def test_values_are_written_by_their_kind() -> None:
    filled = templates.fill(templates.read(BALANCE), VALUES)

    assert templates.lines_of(filled) == ["李经理", "¥1,234.50 · 2026年2月1日"]
    assert filled.assets == (PICTURE,)


def test_values_in_markup_are_text() -> None:
    template = templates.read(BALANCE)
    values = {**VALUES, "name": "<break time='9s'/>&"}

    script = templates.fill_script("<speak>{{name}}，{{sum}}</speak>", template, values, markup=True)
    plain = templates.fill_script("{{name}}", template, values, markup=False)

    assert script == "<speak>&lt;break time='9s'/&gt;&amp;，¥1,234.50</speak>"
    assert plain == "<break time='9s'/>&"


@pytest.mark.parametrize("script", ["{{nobody}}", "{{picture}}"])
def test_a_script_that_names_what_is_not_there_is_refused(script: str) -> None:
    with pytest.raises(TemplateInvalidError):
        templates.fill_script(script, templates.read(BALANCE), VALUES, markup=False)


def test_the_hash_is_of_what_is_said_not_of_its_order() -> None:
    turned = dict(reversed(list(BALANCE.items())))

    assert templates.sha256_of(turned) == templates.sha256_of(BALANCE)
    assert templates.sha256_of({**BALANCE, "title": "x"}) != templates.sha256_of(BALANCE)


# ---- what stands in front

LAYOUT = Layout(1280, 720)


def grey() -> Planes:
    return Planes(*(np.full(size, 100, np.uint8) for size in ((720, 1280), (360, 640), (360, 640))))


def test_a_lower_third_is_drawn_above_the_subtitles_and_below_the_face() -> None:
    planes = grey()
    overlay.lower_third(["李经理", "手机银行"], LAYOUT).blend(planes)

    rows = np.flatnonzero((planes.y != 100).any(1))
    assert 0.6 * 720 < rows[0] < rows[-1] < 0.77 * 720
    assert planes.y.max() > 200  # letters


def test_a_transparent_logo_shows_what_is_behind() -> None:
    picture = np.zeros((40, 80, 4), np.uint8)
    picture[:, 40:] = (255, 255, 255, 255)
    planes = grey()
    overlay.logo(picture, LAYOUT, place="right").blend(planes)

    columns = np.flatnonzero((planes.y != 100).any(0))
    assert len(columns) == pytest.approx(72, abs=2)
    assert columns[-1] == 1280 - 36 - 1


@pytest.mark.parametrize("size", [(10, 400), (1, 1000)])
def test_a_logo_that_fills_the_frame_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(SceneError):
        overlay.logo(np.zeros((*size, 3), np.uint8), LAYOUT, place="left")


def test_a_line_wider_than_the_frame_is_refused() -> None:
    with pytest.raises(SceneError):
        overlay.lower_third(["宽" * 40], Layout(240, 426))
