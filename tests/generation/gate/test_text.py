from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.gate.text import Lexicon, Outcome, built_in, screen

TERMS = [
    "保本保息",
    "稳赚不赔",
    "零风险",
    "保证收益",
    "刚性兑付",
    "内部消息",
    "安全账户",
    "刷流水",
    "贷款包过",
    "risk free",
]
TRADITIONAL = str.maketrans("证户赚赔险动内转贷过", "證戶賺賠險動內轉貸過")
DISGUISES = {
    "plain": lambda term: term,
    "spaces": " ".join,
    "hyphens": "-".join,
    "dots": "·".join,
    "zero width": "\u200b".join,
    "soft hyphens": "\u00ad".join,
    "stars": "*".join,
    "full width": lambda term: "".join(
        chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in term
    ),
    "upper case": str.upper,
    "traditional": lambda term: term.translate(TRADITIONAL),
    "traditional with spaces": lambda term: " ".join(term.translate(TRADITIONAL)),
    "line breaks inside": lambda term: f"{term[:1]} \u3000{term[1:]}",
    "underscores": "_".join,
    "mixed": lambda term: "\u200b ".join(term.translate(TRADITIONAL)),
    "variation selectors": lambda term: "\ufe0f".join(term),
    "brackets": lambda term: "】【".join(term),
    "slashes": "/".join,
    "tabs": "\t".join,
    "word joiners": "\u2060".join,
    "commas": "，".join,
}
EVASIONS = [(name, term) for name, term in itertools.product(DISGUISES, TERMS)]

CLEAN = [
    "您好，欢迎致电本行。",
    "您的信用卡账单已出，本期应还款1,234.56元。",
    "理财非存款，产品有风险，投资须谨慎。",
    "请勿向任何人透露验证码。",
    "定期存款一年期利率为1.45%。",
    "如需帮助，请拨打95588。",
    "网点营业时间为上午九点至下午五点。",
    "请携带本人身份证到柜台办理。",
    "您可以通过手机银行查询余额。",
    "贷款审批需要三到五个工作日。",
    "本产品风险等级为R2，适合稳健型投资者。",
    "请妥善保管您的密码。",
    "Your card ending in 8888 will expire soon.",
    "Please visit a branch with your passport.",
    "Investments carry risk.",
    "The annual interest rate is 3.85%.",
    "Transfers above 50,000 yuan take one working day.",
    "尾号6688的账户支出2,000元。",
    "跨行转账免收手续费。",
    "账户安全中心提醒您定期更换密码。",
]


def outcomes(text: str) -> set[Outcome]:
    return {hit.outcome for hit in screen(text, lexicon=built_in())}


@pytest.mark.parametrize(("disguise", "term"), EVASIONS)
def test_a_disguised_term_is_the_same_term(disguise: str, term: str) -> None:
    text = f"本产品{DISGUISES[disguise](term)}，欢迎购买"

    assert Outcome.REFUSE in outcomes(text)


def test_two_hundred_evasions_are_tried() -> None:
    assert len(EVASIONS) >= 200


@pytest.mark.parametrize("text", CLEAN)
def test_ordinary_bank_text_passes(text: str) -> None:
    assert screen(text, lexicon=built_in()) == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("年化收益4.5%", "text.rate"),
        ("年化 6 %", "text.rate"),
        ("收益率可达8", "text.rate"),
        ("联系13800138000", "text.phone"),
        ("卡号6222021001122334455", "text.card"),
        ("请访问http://example.com", "text.link"),
        ("请扫码办理", "text.link"),
        ("加微信abcde123", "text.account"),
        ("QQ:1234567", "text.account"),
    ],
)
def test_contact_data_and_promised_rates_are_refused(text: str, code: str) -> None:
    assert [(hit.code, hit.outcome) for hit in screen(text, lexicon=built_in())] == [(code, Outcome.REFUSE)]


@pytest.mark.parametrize(
    "text",
    ["本产品不保证收益", "我们没有内部消息", "The fund is not risk free.", "并非零风险"],
)
def test_a_denied_promise_is_held_for_a_person(text: str) -> None:
    assert outcomes(text) == {Outcome.HOLD}


def test_a_negation_in_another_sentence_does_not_help() -> None:
    assert outcomes("我们不收费。保证收益！") == {Outcome.REFUSE}


def test_a_term_across_two_sentences_is_held() -> None:
    assert outcomes("收费为零。风险自担。") == {Outcome.HOLD}


def test_a_homophone_is_held() -> None:
    assert outcomes("本产品宝本宝息") == {Outcome.HOLD}


def test_offsets_lead_back_to_what_was_written() -> None:
    text = "您好，本產品保 本-保\u200b息！"

    (hit,) = screen(text, lexicon=built_in())

    assert text[hit.start : hit.end] == "保 本-保\u200b息"


def test_a_licence_may_rule_out_words_of_its_own() -> None:
    (hit,) = screen("推荐某某基金", lexicon=built_in(), prohibited=["基金"])

    assert (hit.code, hit.outcome) == ("text.licence", Outcome.REFUSE)


def test_an_empty_lexicon_lets_nothing_through() -> None:
    with pytest.raises(ValueError, match="empty"):
        screen("您好", lexicon=Lexicon({}, version=1))


@given(st.text(max_size=80))
def test_any_text_is_screened_with_places_inside_it(text: str) -> None:
    for hit in screen(text, lexicon=built_in()):
        assert 0 <= hit.start < hit.end <= len(text)
