from __future__ import annotations

from uuid import UUID

import pytest

from likeness.provenance_verdict import SENTENCES, Content, Said, Verdict, Why, judge

ONE, TWO = UUID(int=1), UUID(int=2)


def said(**changes):
    plain = {"exact": False, "named": {}, "content": Content.UNCOMPARED, "suspected": False}
    return Said(**{**plain, "complete": True, "inverted": False, "alike": False, **changes})


@pytest.mark.parametrize(
    ("changes", "verdict", "reasons"),
    [
        # What cannot all be true.
        ({"named": {"invisible": None}}, "conflict", {Why.MARK_UNKNOWN}),
        ({"named": {"sound": None}, "complete": False}, "conflict", {Why.MARK_UNKNOWN}),
        ({"named": {"c2pa": ONE, "invisible": TWO}}, "conflict", {Why.MARKS_DIFFER}),
        ({"named": {"c2pa": None, "invisible": TWO}}, "conflict", {Why.MARKS_DIFFER}),
        ({"named": {"invisible": ONE, "sound": TWO}}, "conflict", {Why.MARKS_DIFFER}),
        ({"named": {"invisible": ONE, "aigc": TWO}}, "conflict", {Why.MARKS_DIFFER}),
        ({"named": {"invisible": ONE}, "content": Content.DIFFERS}, "conflict", {Why.CONTENT_DIFFERS}),
        ({"named": {"aigc": ONE}, "content": Content.DIFFERS}, "conflict", {Why.CONTENT_DIFFERS}),
        # Delivered bytes and credentials.
        ({"exact": True, "named": {"sha256": ONE, "invisible": TWO}}, "ours", set()),
        ({"named": {"c2pa": ONE}}, "ours", set()),
        ({"named": {"c2pa": ONE, "invisible": ONE}, "content": Content.AGREES}, "ours", set()),
        # Hidden marks.
        ({"named": {"invisible": ONE}, "content": Content.AGREES}, "ours-altered", set()),
        ({"named": {"invisible": ONE}}, "ours-altered", {Why.CONTENT_UNCOMPARED}),
        ({"named": {"sound": ONE}}, "ours-altered", {Why.CONTENT_UNCOMPARED}),
        (
            {"named": {"invisible": ONE}, "content": Content.REARRANGED, "inverted": True},
            "ours-altered",
            {Why.CONTENT_REARRANGED, Why.MARK_INVERTED},
        ),
        # A label that anybody can write.
        ({"named": {"aigc": ONE}, "content": Content.AGREES}, "ours-altered", {Why.LABEL_UNSIGNED}),
        ({"named": {"aigc": ONE}}, "undecided", {Why.LABEL_UNSIGNED}),
        # Nothing of the asker's.
        ({"named": {"c2pa": None, "aigc": None}}, "absent", {Why.CREDENTIAL_ELSEWHERE}),
        ({"suspected": True}, "undecided", {Why.MARK_SUSPECTED}),
        ({"suspected": True, "complete": False}, "undecided", {Why.MARK_SUSPECTED}),
        ({"complete": False}, "undecided", {Why.SEARCH_INCOMPLETE}),
        ({"alike": True}, "absent", {Why.LOOKS_ALIKE}),
        ({}, "absent", set()),
    ],
)
def test_the_layers_together_give_one_verdict(changes, verdict, reasons):
    found, why = judge(said(**changes))
    assert (found, set(why)) == (Verdict(verdict), reasons)


def test_every_reason_has_a_sentence_and_none_calls_a_file_genuine():
    assert set(SENTENCES) == set(Why)
    assert not any("not AI" in text or "genuine" in text for text in SENTENCES.values())
