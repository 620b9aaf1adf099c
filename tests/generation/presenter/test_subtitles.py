from __future__ import annotations

from itertools import pairwise

import pytest

from generation.presenter.normalise import Language
from generation.presenter.script import Script, read
from generation.presenter.speech import Speech, Voice, joined
from generation.presenter.subtitles import CUE_MAX_S, LINE_WIDTH, Cue, cues, to_srt, to_vtt, width
from tests.generation.presenter.tones import ToneEngine

LONG = (
    "尊敬的客户，您尾号6688的账户于11月20日14:05支出人民币2,000.00元，余额35,018.20元，"
    "如非本人操作，请立即致电95588或前往就近网点办理挂失手续。"
)


def said(text: str, language: Language = Language.ZH) -> tuple[Script, Speech]:
    script = read(text, language=language)
    parts = [ToneEngine().synthesize(segment, voice=Voice("v")) for segment in script.segments]
    return script, joined(parts)


def test_subtitles_show_what_was_written_not_what_was_said() -> None:
    found = cues(*said("余额¥1,234.56。请还款。"))

    assert [cue.lines for cue in found] == [("余额¥1,234.56。",), ("请还款。",)]


def test_a_cue_lasts_while_its_words_are_said() -> None:
    script, speech = said("您好。余额¥5。")
    found = cues(script, speech)

    assert found[0].start_s == speech.words[0].start_s
    assert found[1].start_s == next(word.start_s for word in speech.words if word.char_start >= 3)
    assert all(cue.end_s <= speech.duration_s for cue in found)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (LONG, Language.ZH),
        ("好" * 150, Language.ZH),
        ("Your card was charged two thousand yuan on the twentieth of November, " * 4, Language.EN),
        ("x" * 300, Language.EN),
    ],
)
def test_long_sentences_are_cut_into_lines_that_fit(text: str, language: Language) -> None:
    script, speech = said(text, language)
    found = cues(script, speech)

    assert len(found) > 1
    assert all(1 <= len(cue.lines) <= 2 for cue in found)
    assert all(width(line) <= LINE_WIDTH for cue in found for line in cue.lines)
    assert all(cue.end_s - cue.start_s <= CUE_MAX_S for cue in found)
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in pairwise(found))
    shown = "".join(line for cue in found for line in cue.lines).replace(" ", "")
    assert shown == script.text.replace(" ", "")


def test_an_amount_is_never_cut_in_two() -> None:
    lines = [line for cue in cues(*said(LONG)) for line in cue.lines]

    assert any("2,000.00元" in line for line in lines)
    assert any("35,018.20元" in line for line in lines)


def test_side_files_have_the_times_of_their_formats() -> None:
    found = (Cue(0.0, 1.5, ("您好 <b>",)), Cue(3661.25, 3662.5, ("A & B", "C")))

    assert to_srt(found) == (
        "1\n00:00:00,000 --> 00:00:01,500\n您好 <b>\n\n2\n01:01:01,250 --> 01:01:02,500\nA & B\nC\n"
    )
    assert to_vtt(found) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n您好 &lt;b&gt;\n\n"
        "01:01:01.250 --> 01:01:02.500\nA &amp; B\nC\n"
    )
