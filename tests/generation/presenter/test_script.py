from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.presenter.errors import (
    PresenterError,
    ScriptAmbiguousError,
    ScriptEmptyError,
    ScriptError,
    ScriptTooLongError,
    SsmlInvalidError,
)
from generation.presenter.normalise import LENGTH_MAX, Language
from generation.presenter.script import Kind, Run, Script, read
from generation.presenter.ssml import Mark, Pause

BOMB = '<!DOCTYPE speak [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;">]><speak>&b;</speak>'
DEEP = "<speak>" + "<p>" * 9 + "a" + "</p>" * 9 + "</speak>"
BAD_SSML = [
    ("", "no element found"),
    ("<speak>hello", "no element found"),
    ("<speak>a</s></speak>", "mismatched tag"),
    ("hello", "syntax error"),
    ("<p>hello</p>", "the document is one <speak>"),
    ("<speak><speak>a</speak></speak>", "the document is one <speak>"),
    ("<speak><audio src='x'/></speak>", "<audio> is not known"),
    ("<speak><break colour='red'/></speak>", "no attribute colour"),
    ("<speak><break time='11s'/></speak>", "time is 0s to 10s"),
    ("<speak><break time='-1s'/></speak>", "time is"),
    ("<speak><break time='1e9s'/></speak>", "time is"),
    ("<speak><break strength='huge'/></speak>", "strength is one of"),
    ("<speak><break>text</break></speak>", "<break> holds no text"),
    ("<speak><prosody rate='900%'>a</prosody></speak>", "rate is 50% to 200%"),
    ("<speak><prosody pitch='40st'>a</prosody></speak>", "pitch is"),
    ("<speak><prosody volume='90dB'>a</prosody></speak>", "volume is"),
    ("<speak><say-as interpret-as='poem'>a</say-as></speak>", "interpret-as is one of"),
    ("<speak><say-as>1</say-as></speak>", "needs interpret-as"),
    ("<speak><say-as interpret-as='digits'>abc</say-as></speak>", "cannot be read as digits"),
    ("<speak><say-as interpret-as='date'>2025-02-30</say-as></speak>", "cannot be read as date"),
    ("<speak><sub>a</sub></speak>", "needs alias"),
    ("<speak><sub alias='b'>a<break/></sub></speak>", "<sub> cannot hold <break>"),
    ("<speak><phoneme alphabet='x-sampa' ph='a'>a</phoneme></speak>", "the alphabet is one of"),
    ("<speak><phoneme alphabet='ipa'>a</phoneme></speak>", "needs ph"),
    ("<speak><lang>a</lang></speak>", "<lang> needs xml:lang"),
    ("<speak><lang xml:lang='fr-FR'>a</lang></speak>", "fr-FR has no voice"),
    ("<speak><mark name='../x'/>a</speak>", "name is a letter"),
    ("<speak><voice name=''>a</voice></speak>", "needs name"),
    ("<speak><?php echo 1 ?>a</speak>", "processing instructions"),
    ("<speak>&undefined;</speak>", "undefined entity"),
    ("<speak>\x01</speak>", "not well-formed"),
    (BOMB, "document type"),
    (DEEP, "deeper than 8"),
]


def ssml(source: str) -> Script:
    return read(source, language=Language.ZH, kind=Kind.SSML)


def said(script: Script) -> list[list[tuple[str, str]]]:
    """Language and words of each run, by sentence."""
    return [
        [(part.language.value, part.spoken.strip()) for part in segment.parts if isinstance(part, Run)]
        for segment in script.segments
    ]


@pytest.mark.parametrize(("source", "message"), BAD_SSML)
def test_markup_outside_the_subset_is_refused_with_its_place(source: str, message: str) -> None:
    with pytest.raises(SsmlInvalidError, match=message):
        ssml(source)


def test_refused_markup_names_line_and_column() -> None:
    with pytest.raises(SsmlInvalidError, match=r"Line 2, column 3: <audio> is not known"):
        ssml("<speak>\n  <audio src='x'/></speak>")


@pytest.mark.parametrize(
    "source", ["", "   ", "<speak></speak>", "<speak><break time='1s'/></speak>", "。。！"]
)
def test_a_script_without_words_is_refused(source: str) -> None:
    with pytest.raises(ScriptEmptyError):
        read(source, language=Language.ZH, kind=Kind.SSML if source.startswith("<") else Kind.TEXT)


def test_a_script_of_a_hundred_thousand_characters_is_refused() -> None:
    with pytest.raises(ScriptTooLongError, match=f"100000 characters of at most {LENGTH_MAX}"):
        read("好" * 100_000, language=Language.ZH)


def test_plain_text_becomes_sentences() -> None:
    script = read("您好。余额¥5！请还款？\n再见", language=Language.ZH)

    assert said(script) == [
        [("zh", "您好。")],
        [("zh", "余额五元！")],
        [("zh", "请还款？")],
        [("zh", "再见")],
    ]
    assert [script.text[each.start : each.end] for each in script.segments][1] == "余额¥5！"


def test_figures_and_titles_do_not_end_a_sentence() -> None:
    script = read("Mr. Chen pays 3.85% p.a. today. Thank you.", language=Language.EN)

    assert len(script.segments) == 2
    assert script.segments[0].spoken.startswith("Mister Chen pays three point eight five percent per annum")


def test_latin_words_in_mandarin_are_said_by_the_english_voice() -> None:
    script = read("使用VIP手机银行App付款。", language=Language.ZH)

    assert said(script) == [
        [("zh", "使用"), ("en", "V I P"), ("zh", "手机银行"), ("en", "App"), ("zh", "付款。")]
    ]


def test_an_english_sentence_in_a_chinese_script_is_read_by_english_rules() -> None:
    script = read("您好。You paid $5.", language=Language.ZH)

    assert said(script)[1] == [("en", "You paid five dollars.")]


def test_paragraphs_are_parted_by_silence() -> None:
    script = read("您好。\n\n再见。", language=Language.ZH)

    assert Pause(0.5) in script.segments[1].parts


def test_markup_says_how_to_read() -> None:
    script = ssml(
        '<speak xml:lang="zh-CN">尾号<say-as interpret-as="digits">1234</say-as>，'
        '<sub alias="人民币">RMB</sub>，<say-as interpret-as="telephone">110</say-as>，'
        '<say-as interpret-as="date">2025-09-01</say-as>，'
        '<say-as interpret-as="currency">20.5</say-as>，'
        '<say-as interpret-as="cardinal">95588</say-as>。</speak>'
    )

    assert script.spoken == (
        "尾号一二三四，人民币，幺幺零，二零二五年九月一日，二十元五角，九万五千五百八十八。"
    )
    assert script.text == "尾号1234，RMB，110，2025-09-01，20.5，95588。"


def test_pauses_marks_and_prosody_keep_their_place() -> None:
    script = ssml(
        '<speak>您好<break time="300ms"/><mark name="gesture.wave"/>'
        '<prosody rate="80%" pitch="+2st">欢迎</prosody>'
        '<break strength="weak"/>再见</speak>'
    )
    parts = script.segments[0].parts

    assert [type(part).__name__ for part in parts] == ["Run", "Pause", "Mark", "Run", "Pause", "Run"]
    assert parts[1] == Pause(0.3)
    assert parts[2] == Mark("gesture.wave")
    assert isinstance(parts[3], Run)
    assert (parts[3].prosody.rate, parts[3].prosody.pitch_st) == (0.8, 2.0)
    assert parts[4] == Pause(0.2)


def test_a_phoneme_fixes_the_reading_and_keeps_the_text() -> None:
    script = ssml('<speak><phoneme alphabet="pinyin" ph="huan2 kuan3">还款</phoneme>日</speak>')
    run = script.segments[0].parts[0]

    assert isinstance(run, Run)
    assert (run.alphabet, run.phonemes, run.spoken) == ("pinyin", "huan2 kuan3", "还款")


def test_spans_point_into_the_shown_text() -> None:
    script = ssml("<speak><p>您好。</p><p>余额¥1,234.56。</p></speak>")
    run = script.segments[1].parts[0]

    assert isinstance(run, Run)
    amount = next(piece for piece in run.pieces if piece.rule == "yuan")
    assert script.text[amount.start : amount.end] == "¥1,234.56"


def test_an_ambiguous_amount_in_markup_is_refused() -> None:
    with pytest.raises(ScriptAmbiguousError):
        ssml("<speak>余额¥12,34.5</speak>")


@given(st.text(st.sampled_from("<>/=\"' speakbrtimsubal&;1好。"), max_size=80))
def test_any_markup_is_read_or_refused_by_name(source: str) -> None:
    try:
        ssml(f"<speak>{source}</speak>")
    except PresenterError as error:
        assert error.code  # noqa: PT017  either outcome is right


@pytest.mark.parametrize(
    ("source", "kind", "place"),
    [
        ("您好。\n还款¥12,34.5。", Kind.TEXT, (7, 14)),
        ("您好。您\u202e好", Kind.TEXT, (4, 5)),
        ("<speak>您好。<s>还款¥12,34.5。</s></speak>", Kind.SSML, (6, 13)),
        ("<speak>您好。<sub alias='¥12,34.5'>还款</sub></speak>", Kind.SSML, (3, 5)),
    ],
)
def test_an_error_is_placed_in_the_whole_script(source: str, kind: Kind, place: tuple[int, int]) -> None:
    with pytest.raises(ScriptError) as raised:
        read(source, language=Language.ZH, kind=kind)

    assert (raised.value.start, raised.value.end) == place
