from __future__ import annotations

from pathlib import Path

import pytest

from generation.presenter.errors import VoiceMissingError, VoiceTableError
from generation.presenter.normalise import Language
from generation.presenter.voices import load_voices, voice_for, voices

PERSON = "idn_0123456789abcdef"
GOOD = f'[wang-zh]\nlanguages = ["zh"]\nengine = "http"\nlicence = "{PERSON}"\nname = "wang"\nversion = "2"\n'
BAD = {
    "no toml": "[wang",
    "no table": 'wang-zh = "zh"',
    "an id with capitals": GOOD.replace("wang-zh", "Wang"),
    "an id that is a path": GOOD.replace("[wang-zh]", '["../x"]'),
    "an id of one letter": GOOD.replace("wang-zh", "w"),
    "no languages": GOOD.replace('languages = ["zh"]\n', ""),
    "an empty list": GOOD.replace('["zh"]', "[]"),
    "an unknown language": GOOD.replace('["zh"]', '["fr"]'),
    "a language that is a number": GOOD.replace('["zh"]', "[1]"),
    "a language twice": GOOD.replace('["zh"]', '["zh", "zh"]'),
    "languages as a word": GOOD.replace('["zh"]', '"zh"'),
    "no engine": GOOD.replace('engine = "http"\n', ""),
    "an unknown engine": GOOD.replace('"http"', '"festival"'),
    "an engine that is a list": GOOD.replace('"http"', '["http"]'),
    "no licence": GOOD.replace(f'licence = "{PERSON}"\n', ""),
    "an empty licence": GOOD.replace(PERSON, ""),
    "a licence that is a name": GOOD.replace(PERSON, "Wang Wu"),
    "a cloned voice called nobody's": GOOD.replace(PERSON, "synthetic"),
    "a vendor's voice without a contract": GOOD.replace(PERSON, "vendor"),
    "a vendor's recording": GOOD.replace(PERSON, "vendor").replace('"http"', '"recorded"')
    + 'terms = "2026-4"\n',
    "a person in espeak": GOOD.replace('"http"', '"espeak"'),
    "an unknown field": GOOD + "speed = 2\n",
    "a rate of nothing": GOOD + "rate = 0.0\n",
    "a rate that is not a number": GOOD + "rate = nan\n",
    "a rate of yes": GOOD + "rate = true\n",
    "a name of two lines": GOOD.replace('"wang"', '"wa\\nng"'),
    "a version that is a number": GOOD.replace('"2"', "2"),
    "an id that the platform has": GOOD.replace("wang-zh", "sample-zh"),
    "too long a file": GOOD + "#" * (1 << 18),
}


def site(tmp_path: Path, text: str, *, name: str = "ours.toml") -> Path:
    folder = tmp_path / "voices.d"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("case", BAD)
def test_a_malformed_table_is_refused_with_its_file(case: str, tmp_path: Path) -> None:
    folder = site(tmp_path, BAD[case])

    with pytest.raises(VoiceTableError, match=r"ours\.toml") as raised:
        load_voices(folder)

    assert raised.value.code == "voices_invalid"


def test_octets_that_are_no_text_are_refused(tmp_path: Path) -> None:
    folder = site(tmp_path, "")
    (folder / "ours.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(VoiceTableError):
        load_voices(folder)


def test_an_id_in_two_files_is_refused(tmp_path: Path) -> None:
    site(tmp_path, GOOD)
    folder = site(tmp_path, GOOD, name="theirs.toml")

    with pytest.raises(VoiceTableError, match="twice"):
        load_voices(folder)


def test_a_site_s_voice_stands_beside_the_platform_s(tmp_path: Path) -> None:
    known = load_voices(site(tmp_path, GOOD))

    found = voice_for("wang-zh", language=Language.ZH, known=known)

    assert (found.identity, found.name, found.version) == (PERSON, "wang", "2")
    assert found.voice.licence == PERSON
    assert set(known) == {*voices(), "wang-zh"}
    assert voice_for("", language=Language.ZH, known=known).id == "sample-zh"
    with pytest.raises(VoiceMissingError):
        voice_for("wang-zh", language=Language.EN, known=known)


def test_a_vendor_s_voice_names_its_contract(tmp_path: Path) -> None:
    text = GOOD.replace(PERSON, "vendor") + 'terms = "Speech services, 2026-4"\n'

    assert load_voices(site(tmp_path, text))["wang-zh"].identity == ""


def test_without_a_folder_there_are_the_platform_s_voices(tmp_path: Path) -> None:
    assert load_voices(tmp_path / "none") == voices()
    assert all(each.identity == "" for each in voices().values())
