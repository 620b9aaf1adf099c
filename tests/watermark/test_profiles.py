import pytest

from watermark import profiles
from watermark.errors import LabelPolicyError, LabelTextError, TerritoryError
from watermark.profiles import (
    CN,
    CN_EU,
    EU,
    OPENING_MIN_S,
    PROFILES,
    Demand,
    Mark,
    Nature,
    Output,
    Wording,
    of_use,
    require,
)
from watermark.visible import check_text

SWAP, PRESENTER = Output(Nature.MODIFIED, sound=True), Output(Nature.GENERATED, sound=True)
SOUND_ONLY = Output(Nature.GENERATED, picture=False, sound=True)


@pytest.mark.parametrize("territory", ["", "cn", "C", "CHN", "C1", "CN ", "中国", "CN\n"])
def test_territory_that_is_none_is_refused(territory):
    with pytest.raises(TerritoryError):
        of_use(territory=territory, channel="branch_screen")


@pytest.mark.parametrize("name", ["", "none", "us", "CN"])
def test_profile_that_does_not_exist_is_refused(name):
    with pytest.raises(LabelPolicyError):
        profiles.named(name)
    if name:
        with pytest.raises(LabelPolicyError):
            of_use(territory="CN", channel="internal", at_least=name)


@pytest.mark.parametrize("text", [
    "非AI生成", "不是生成", "真人出镜", "实拍", "no AI here", "NOT GENERATED", "real person", "human-made",
    "样片 😀", "标识\U0010fffd",
])  # fmt: skip
def test_licence_text_that_would_lower_is_refused(text):
    with pytest.raises(LabelTextError):
        require(CN, SWAP, asked={"licence": Demand(text=text)})


@pytest.mark.parametrize(("territory", "channel", "at_least", "code"), [
    ("CN", "branch_screen", "", "cn"),
    ("CN", "website", "", "cn+eu"),
    ("CN", "internal", "cn", "cn"),
    ("CN", "internal", "eu", "cn+eu"),
    ("CN", "internal", "cn+eu", "cn+eu"),
    ("EU", "branch_screen", "", "eu"),
    ("EU", "branch_screen", "cn", "cn+eu"),
    ("DK", "mobile_app", "", "eu"),
    ("US", "branch_screen", "", "cn+eu"),
    ("HK", "branch_screen", "", "cn+eu"),
    ("ZZ", "branch_screen", "", "cn+eu"),
    ("ZZ", "branch_screen", "cn", "cn+eu"),
])  # fmt: skip
def test_place_decides_and_doubt_takes_the_stricter(territory, channel, at_least, code):
    assert of_use(territory=territory, channel=channel, at_least=at_least).code == code


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("output", [SWAP, PRESENTER])
def test_every_picture_carries_all_marks(profile, output):
    needed = require(profile, output)
    assert set(needed.marks) == {Mark.VISIBLE, Mark.INVISIBLE, Mark.AIGC, Mark.CREDENTIAL}
    assert needed.wanted == (Mark.SOUND,)
    assert needed.profile == profile.name
    assert profiles.named(needed.profile) is profile
    assert profile.sources
    assert needed.opening_s == 0 or needed.opening_s >= OPENING_MIN_S
    if profile.chinese:
        assert check_text(needed.text)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_sound_alone_carries_an_audible_label(profile):
    needed = require(profile, SOUND_ONLY)
    assert Mark.AUDIBLE in needed.marks
    assert Mark.SOUND in needed.marks
    assert Mark.VISIBLE not in needed.marks
    assert "spoken" in needed.audible


@pytest.mark.parametrize(("profile", "output", "wording", "text"), [
    (CN, SWAP, None, "AI生成"),
    (CN, SWAP, Wording.CHINESE, "AI生成"),
    (CN, SWAP, Wording.ENGLISH, "AI生成 · AI GENERATED"),
    (CN, SWAP, Wording.BOTH, "AI生成 · AI GENERATED"),
    (CN, PRESENTER, Wording.CHINESE, "数字人 AI生成"),
    (EU, SWAP, None, "AI MODIFIED"),
    (EU, PRESENTER, Wording.ENGLISH, "AI GENERATED"),
    (EU, SWAP, Wording.CHINESE, "AI MODIFIED · AI生成"),
    (CN_EU, SWAP, Wording.ENGLISH, "AI MODIFIED · AI生成"),
    (CN_EU, PRESENTER, None, "AI GENERATED · 数字人 AI生成"),
])  # fmt: skip
def test_words_of_a_profile(profile, output, wording, text):
    needed = require(profile, output, asked={"operator": Demand(wording=wording)})
    assert needed.text == text
    assert needed.icon is (profile is not CN)


def test_law_of_the_opening_can_be_raised_to_the_whole_clip():
    assert require(CN, SWAP).opening_s >= OPENING_MIN_S
    raised = require(CN, SWAP, asked={"licence": Demand(whole_clip=True)})
    assert (raised.opening_s, raised.raised_by) == (0.0, ("licence",))


@pytest.mark.parametrize("asked", [{}, {"licence": Demand()}, {"operator": Demand(wording=Wording.CHINESE)}])
@pytest.mark.parametrize(("profile", "output"), [(CN, PRESENTER), (EU, SWAP), (EU, PRESENTER), (CN_EU, SWAP)])
def test_continuous_label_cannot_be_shortened(profile, output, asked):
    assert require(profile, output, asked=asked).opening_s == 0


def test_licence_adds_its_words_to_those_of_the_law():
    same = require(CN, SWAP, asked={"licence": Demand(text="AI生成")})
    more = require(CN, SWAP, asked={"licence": Demand(text=" 示范银行制作 ")})
    assert (same.text, same.raised_by) == ("AI生成", ())
    assert (more.text, more.raised_by) == ("AI生成 · 示范银行制作", ("licence",))


@pytest.mark.parametrize("text", ["非凡银行制作", "Nordic Bank", "Note 7", "内部培训"])
def test_words_that_only_look_like_a_denial_are_taken(text):
    assert require(CN, SWAP, asked={"licence": Demand(text=text)}).text.endswith(text)


def test_two_who_ask_for_different_languages_get_both():
    asked = {"operator": Demand(wording=Wording.CHINESE), "licence": Demand(wording=Wording.ENGLISH)}
    assert require(CN, SWAP, asked=asked).text == "AI生成 · AI GENERATED"


def test_export_without_visible_label_exists_under_the_cn_profile_alone():
    needed = profiles.without_visible_label(require(CN, SWAP), CN)
    assert set(needed.marks) == {Mark.INVISIBLE, Mark.AIGC, Mark.CREDENTIAL}
    assert needed.wanted == (Mark.SOUND,)
    assert needed.text == ""
    for profile in (EU, CN_EU):
        with pytest.raises(LabelPolicyError):
            profiles.without_visible_label(require(profile, SWAP), profile)
    with pytest.raises(LabelPolicyError):
        profiles.without_visible_label(require(EU, SWAP), CN)
