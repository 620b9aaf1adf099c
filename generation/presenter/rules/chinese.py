"""How the figures of Chinese bank text are said. The order of the rules is their precedence."""

from __future__ import annotations

import re

from generation.presenter.rules import words
from generation.presenter.rules.numerals import DIGITS, zh_counted, zh_digits, zh_integer, zh_number, zh_yuan
from generation.presenter.rules.rule import BROKEN, NUMBER, Rule, broken, check_date, check_time, rule

SIGNED = rf"(?<![\dA-Za-z.])[-−]?{NUMBER}"
TO = r"\s*(?:[~～\-—–]{1,2}|至|到)\s*"
LABELS = "尾号|卡号|账号|账户|编号|单号|验证码|邮编|工号|代码|密码|流水号|合同号|分机|证号"
PHONE = "|".join(
    (
        *(r"955\d{2}", *words.HOTLINES, "110", "119", "120", "122"),
        *(
            r"[48]00-?\d{3}-?\d{4}",
            r"[48]00-?\d{4}-?\d{3}",
            r"1[3-9]\d[- ]?\d{4}[- ]?\d{4}",
            r"0\d{2,3}-\d{7,8}",
        ),
    )
)
MEASURES = "|".join(words.ZH_MEASURES)
CURRENCY = "|".join(re.escape(sign) for sign in words.ZH_CURRENCIES)
CODE = "|".join(sign for sign in words.ZH_CURRENCIES if sign.isalpha() and sign.isascii())


def _date(match: re.Match[str]) -> str:
    check_date(*match.group(1, 2, 3))
    return f"{zh_digits(match[1])}年{zh_integer(int(match[2]))}月{zh_integer(int(match[3]))}日"


def _day(match: re.Match[str]) -> str:
    check_date("", match[1], match[2])
    return f"{zh_integer(int(match[1]))}月{zh_integer(int(match[2]))}{match[3]}"


def _clock(hour: str, minute: str, second: str | None = None) -> str:
    check_time(hour, minute)
    said = ("两" if int(hour) == 2 else zh_integer(int(hour))) + "点"
    if second is None and minute == "00":
        return said + "整"
    said += _sixtieth(minute) + "分"
    return said if second is None else said + _sixtieth(second) + "秒"


def _sixtieth(figure: str) -> str:
    return ("零" if figure[0] == "0" and figure != "00" else "") + zh_integer(int(figure))


def _big(number: str, group: str | None) -> str:
    return (zh_counted(number) if group else zh_number(number)) + (group or "")


def _percent(match: re.Match[str]) -> str:
    sign = {"-": "负", "−": "负", "+": "正", "±": "正负"}.get(match[1], "")
    plain = match[2].replace(",", "")
    return f"{sign}百分之{'百' if plain == '100' else zh_number(plain)}"


def _address(match: re.Match[str]) -> str:
    text = match[0].removeprefix("https://").removeprefix("http://")
    return "艾特".join(
        "点".join(f" {words.spelled(each)} " for each in part.split(".")) for part in text.split("@")
    ).strip()


def _labelled(match: re.Match[str]) -> str:
    joint = (match[2] or "").replace("：", "，").replace(":", "，")
    return (
        match[1]
        + joint
        + "".join("星号" if each[0] == "*" else zh_digits(each) for each in re.findall(r"\*+|\d+", match[3]))
    )


def _fraction(match: re.Match[str]) -> str:
    return f"{zh_integer(int(match[2]))}分之{zh_integer(int(match[1]))}"


DATES: tuple[Rule, ...] = (
    rule(
        "date", r"(?<!\d)(\d{4})\s*(?:[-/.]|年)\s*(\d{1,2})\s*(?:[-/.]|月)\s*(\d{1,2})(?![\d.])\s*日?", _date
    ),
    rule("years", rf"(?<!\d)(\d{{4}}){TO}(\d{{4}})(?=年)", lambda m: f"{zh_digits(m[1])}至{zh_digits(m[2])}"),
    rule("year", r"(?<!\d)(\d{4})(?=年(?![期限]))", lambda m: zh_digits(m[1])),
    rule("day", r"(?<!\d)(\d{1,2})月(\d{1,2})([日号])", _day),
    rule(
        "hours",
        rf"(?<!\d)(\d{{1,2}})[:：](\d{{2}}){TO}(\d{{1,2}})[:：](\d{{2}})(?![:：\d])",
        lambda m: f"{_clock(m[1], m[2])}至{_clock(m[3], m[4])}",
    ),
    rule(
        "version",
        r"(?<![\d.])\d+(?:\.\d+){2,}(?![\d.])",
        lambda m: "点".join(map(zh_digits, m[0].split("."))),
    ),
    rule(
        "time",
        r"(?<!\d)(\d{1,2})[:：](\d{2})(?:[:：](\d{2}))?(?![:：\d])",
        lambda m: _clock(m[1], m[2], m[3]),
    ),
    rule(
        "ratio",
        r"(?<![\d:])(\d{1,3})[:：](\d{1,3})(?![:：\d])",
        lambda m: f"{zh_integer(int(m[1]))}比{zh_integer(int(m[2]))}",
    ),
)
NAMES: tuple[Rule, ...] = (
    rule(
        "address",
        r"(?<![A-Za-z0-9_.])(?:https?://)?(?:[A-Za-z0-9_-]+@)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,6}(?![A-Za-z0-9])",
        _address,
    ),
    rule(
        "labelled",
        rf"({LABELS})(为|是|[:：])?\s*(\*{{2,}}\d{{2,6}}|\d(?:[\d\-* ]*\d)?)(?![\d%.元万亿])",
        _labelled,
    ),
    rule(
        "masked",
        r"(?<!\d)(\d{0,6})\*{2,}(\d{2,4})(?!\d)",
        lambda m: f"{zh_digits(m[1])}星号{zh_digits(m[2])}",
    ),
    rule(
        "phone",
        rf"(?<![\d.,])(?:(\+86)[- ]?)?({PHONE})(?![.,]?\d|[A-Za-z㎡℃]|\s*(?:{MEASURES}|[%‰]))",
        lambda m: ("加八六" if m[1] else "") + zh_digits(m[2], phone=True),
    ),
    rule(
        "class",
        r"(?<![\dA-Z])([123ⅠⅡⅢ]|I{1,3})(?=类(?:账户|户|卡))",
        lambda m: {"1": "一", "Ⅰ": "一", "I": "一", "2": "二", "Ⅱ": "二", "II": "二"}.get(m[1], "三"),
    ),
)
AMOUNTS: tuple[Rule, ...] = (
    rule("broken", BROKEN, broken),
    rule(
        "yuan range",
        rf"(?:[¥￥]\s*)({NUMBER})([万亿]?){TO}(?:[¥￥]\s*)({NUMBER})([万亿]?)元?",
        lambda m: f"{_yuan(m[1], m[2])}至{_yuan(m[3], m[4])}",
    ),
    rule("yuan", rf"(?:[¥￥]|RMB|CNY)\s*([-−]?{NUMBER})\s*([万亿]?)\s*元?", lambda m: _yuan(m[1], m[2])),
    rule("yuan minus", rf"[-−][¥￥]\s*({NUMBER})\s*([万亿]?)元?", lambda m: "负" + _yuan(m[1], m[2])),
    rule(
        "amount range",
        rf"({SIGNED}){TO}({NUMBER})(?=\s*元)",
        lambda m: f"{zh_counted(m[1])}至{zh_counted(m[2])}",
    ),
    rule("yuan", rf"({SIGNED})\s*元", lambda m: zh_yuan(m[1])),
    rule(
        "foreign",
        rf"({CURRENCY})\s*({NUMBER})\s*([万亿]?)",
        lambda m: (
            _big(m[2], m[3]) + words.ZH_CURRENCIES[m[1]]
            if m[3]
            else zh_counted(m[2]) + words.ZH_CURRENCIES[m[1]]
        ),
    ),
    rule(
        "foreign",
        rf"(?<![\d.])({NUMBER})\s*([万亿]?)\s*({CODE})(?![A-Za-z])",
        lambda m: (_big(m[1], m[2]) if m[2] else zh_counted(m[1])) + words.ZH_CURRENCIES[m[3]],
    ),
    rule("each", r"(?<=[元%‰])\s*/\s*(?=[月年天日笔次人户张股克份周])", lambda _: "每"),
)
RATES: tuple[Rule, ...] = (
    rule("percent", rf"({SIGNED})%?{TO}({NUMBER})%", lambda m: f"{_rate('百', m[1])}至{_rate('百', m[2])}"),
    rule("percent", rf"(?<![\d.])([-−+±]?)({NUMBER})\s*%", _percent),
    rule("permille", rf"({NUMBER})‰", lambda m: f"千分之{zh_number(m[1])}"),
    rule("basis", rf"({NUMBER})\s*(?:bps|BPS|bp|BP|Bp)(?![A-Za-z])", lambda m: f"{zh_counted(m[1])}个基点"),
)
COUNTS: tuple[Rule, ...] = (
    rule(
        "range",
        rf"({NUMBER}){TO}({NUMBER})(?=\s*(?:{MEASURES}))",
        lambda m: f"{zh_number(m[1])}至{zh_counted(m[2])}",
    ),
    rule(
        "range",
        rf"({NUMBER}){TO}({NUMBER})(?=\s*[月日号楼层折])",
        lambda m: f"{zh_number(m[1])}至{zh_number(m[2])}",
    ),
    rule("range", r"(?<=[年月日号点分时天万亿元%])\s*[-~～—–]{1,2}\s*(?=\d)", lambda _: "至"),
    rule(
        "fraction", r"(?<![\d/])(\d{1,3})/(\d{1,3})(?![\d/])(?<!0)(?!月)", _fraction, "a fraction, or a date"
    ),
    rule(
        "plus",
        r"(?<![A-Za-z\d])([A-Za-z])\s*([+\-])\s*(\d)(?!\d)",
        lambda m: m[1] + ("加" if m[2] == "+" else "减") + DIGITS[m[3]],
    ),
    rule("times", rf"({NUMBER})\s*[×xX*]\s*(?={NUMBER})", lambda m: f"{zh_number(m[1])}乘"),
    rule("two", rf"(?<![\d.,第A-Za-z])2(?=\s*(?:{MEASURES})(?!类?账户|类?户口))", lambda _: "两"),
    rule(
        "unit",
        rf"({NUMBER})\s*({'|'.join(words.ZH_UNITS)})(?![A-Za-z])",
        lambda m: zh_counted(m[1]) + words.ZH_UNITS[m[2]],
    ),
    rule("long", r"(?<![\d.,])\d{9,}(?![\d.,])", lambda m: zh_digits(m[0])),
    rule("number", SIGNED, lambda m: zh_number(m[0])),
    rule("number", NUMBER, lambda m: zh_number(m[0])),
    # \b does not part a Chinese character from a Latin letter
    rule(
        "letters",
        r"(?<![A-Za-z])[A-Z]{2,5}(?![A-Za-z])",
        lambda m: m[0] if m[0] in words.SPOKEN_CAPITALS else " ".join(m[0]),
    ),
)
RULES: tuple[Rule, ...] = (*DATES, *NAMES, *AMOUNTS, *RATES, *COUNTS)


def _yuan(number: str, group: str) -> str:
    return _big(number, group) + "元" if group else zh_yuan(number)


def _rate(base: str, number: str) -> str:
    minus = number[0] in "-−"
    return f"{'负' if minus else ''}{base}分之{zh_number(number.lstrip('-−'))}"
