from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.presenter.errors import (
    PresenterError,
    ScriptAmbiguousError,
    ScriptCharacterError,
    ScriptEmptyError,
    ScriptTooLongError,
)
from generation.presenter.normalise import LENGTH_MAX, Language, normalise


def rows(language: Language) -> list[tuple[str, str]]:
    """Script and spoken form, written by hand."""
    text = (Path(__file__).parent / f"bank_text_{language}.tsv").read_text("utf-8")
    return [(script, spoken) for script, spoken in (line.split("\t") for line in text.splitlines())]


BAD = [
    ("", ScriptEmptyError),
    ("  \n\t", ScriptEmptyError),
    ("……！", ScriptEmptyError),
    ("😀", ScriptEmptyError),
    ("a" * (LENGTH_MAX + 1), ScriptTooLongError),
    ("¥12,34.5", ScriptAmbiguousError),
    ("1,2345元", ScriptAmbiguousError),
    ("2025-02-30", ScriptAmbiguousError),
    ("2025-13-01", ScriptAmbiguousError),
    ("4月31日", ScriptAmbiguousError),
    ("25:00", ScriptAmbiguousError),
    ("9:75", ScriptAmbiguousError),
    ("您\u200b好", ScriptCharacterError),
    ("您\u202e好", ScriptCharacterError),
    ("您\x00好", ScriptCharacterError),
    ("您\x1b[2J好", ScriptCharacterError),
    ("\ue000好", ScriptCharacterError),
    ("按⌘键", ScriptCharacterError),
    ("方框█", ScriptCharacterError),
]


@pytest.mark.parametrize(("script", "error"), BAD)
def test_what_cannot_be_read_is_refused_with_its_place(script: str, error: type[PresenterError]) -> None:
    with pytest.raises(error) as raised:
        normalise(script, language=Language.ZH)

    assert raised.value.code
    assert raised.value.hint
    if isinstance(raised.value, (ScriptAmbiguousError, ScriptCharacterError)):
        assert raised.value.end > raised.value.start


@pytest.mark.parametrize(
    "script", ["February 30, 2025", "31 April 2025", "at 25:00", "$12,34.5", "2025/00/10", "see ▓"]
)
def test_what_cannot_be_read_is_refused_in_english_too(script: str) -> None:
    with pytest.raises((ScriptAmbiguousError, ScriptCharacterError)):
        normalise(script, language=Language.EN)


@pytest.mark.parametrize(("script", "spoken"), rows(Language.ZH))
def test_chinese_bank_text_is_said_as_people_say_it(script: str, spoken: str) -> None:
    assert normalise(script, language=Language.ZH).spoken == spoken


@pytest.mark.parametrize(("script", "spoken"), rows(Language.EN))
def test_english_bank_text_is_said_as_people_say_it(script: str, spoken: str) -> None:
    assert normalise(script, language=Language.EN).spoken == spoken


def test_tables_hold_three_hundred_cases() -> None:
    assert sum(len(rows(language)) for language in Language) >= 300


@given(
    st.text(st.sampled_from("0123456789,.-%/:¥元万年月日的卡号*~至 abAB+$"), min_size=1, max_size=40),
    st.sampled_from(Language),
)
def test_pieces_tile_the_script(script: str, language: Language) -> None:
    try:
        reading = normalise(script, language=language)
    except PresenterError:
        return

    ends = [0, *(piece.end for piece in reading.pieces)]
    assert [piece.start for piece in reading.pieces] == ends[:-1]
    assert ends[-1] == len(script)


@given(st.text(max_size=60), st.sampled_from(Language))
def test_any_text_is_read_or_refused_by_name(script: str, language: Language) -> None:
    try:
        assert normalise(script, language=language).spoken
    except PresenterError as error:
        assert error.code.startswith("script_")  # noqa: PT017  either outcome is right


def test_spoken_words_lead_back_to_the_script() -> None:
    script = "您的余额为¥1,234.56，请还款。"
    reading = normalise(script, language=Language.ZH)
    at = reading.spoken.index("二百")

    start, end = reading.span(at, at + 2)

    assert script[start:end] == "¥1,234.56"


def test_full_width_figures_keep_their_places() -> None:
    reading = normalise("收费１２３元", language=Language.ZH)

    assert reading.spoken == "收费一百二十三元"
    assert reading.span(2, 8) == (2, 6)


def test_a_possible_date_is_pointed_out() -> None:
    reading = normalise("3/5的客户", language=Language.ZH)

    assert reading.spoken == "五分之三的客户"
    assert [notice.code for notice in reading.notices] == ["script_reading"]


def test_emoji_is_left_out_and_pointed_out() -> None:
    reading = normalise("欢迎👩‍💻！", language=Language.ZH)

    assert reading.spoken == "欢迎！"
    assert [(notice.code, notice.start, notice.end) for notice in reading.notices] == [("script_emoji", 2, 5)]


def test_ambiguous_amount_offers_its_readings() -> None:
    with pytest.raises(ScriptAmbiguousError) as raised:
        normalise("还款¥12,34.5", language=Language.ZH)

    assert raised.value.readings == ("1234.5", "12 34.5")
