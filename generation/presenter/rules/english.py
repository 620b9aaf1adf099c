"""How the figures of English bank text are said. The order of the rules is their precedence."""

from __future__ import annotations

import re

from generation.presenter.rules import words
from generation.presenter.rules.numerals import en_digits, en_integer, en_number, en_ordinal, en_year
from generation.presenter.rules.rule import BROKEN, NUMBER, Rule, broken, check_date, check_time, rule

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_MONTH = "|".join(f"{name}|{name[:3]}t?\\.?" for name in MONTHS)
SIGNED = rf"(?<![\w.])[-−]?{NUMBER}"
TO = r"\s*[-–—~]\s*"
LABELS = r"ending(?: in)?|account|card|reference|code|number|extension|ext\.|branch|order"
PHONE = "|".join(
    (
        *(r"\+\d{1,3}[ -]\d{2,4}(?:[ -]\d{3,4}){1,3}", r"\+\d{8,14}", r"(?:1[ -])?[48]00-\d{3}-\d{4}"),
        *(r"\d{3}-\d{3}-\d{4}", r"955\d{2}", *words.HOTLINES, "911", "999"),
    )
)
SCALE = rf"(?:\s?({'|'.join(words.EN_SCALES)}|thousand|million|billion|trillion)(?![A-Za-z]))?"
CURRENCY = "|".join(re.escape(sign) for sign in words.EN_CURRENCIES)
CODE = "|".join(sign for sign in words.EN_CURRENCIES if sign.isalpha())


def _date(year: str, month: str, day: str) -> str:
    check_date(year, month, day)
    said = f"{MONTHS[int(month) - 1]} {en_ordinal(int(day))}"
    return f"{said}, {en_year(int(year))}" if year else said


def _month(name: str) -> str:
    return next(str(at) for at, month in enumerate(MONTHS, 1) if month.startswith(name.rstrip(".")[:3]))


def _clock(hour: str, minute: str, half: str | None = None) -> str:
    check_time(hour, minute)
    at, noon = int(hour), (half or "").replace(".", "").replace(" ", "").upper()
    if not noon:
        noon = "PM" if 12 <= at < 24 else "AM"
    shown = at - 12 if at > 12 else (at or 12)
    past = "" if minute == "00" else (" oh " if minute[0] == "0" else " ") + en_integer(int(minute))
    return f"{en_integer(shown)}{past} {' '.join(noon)}"


def _money(sign: str, number: str, scale: str | None) -> str:
    unit, part = words.EN_CURRENCIES[sign]
    if scale:
        return f"{en_number(number)} {words.EN_SCALES.get(scale, scale)} {_many(unit)}"
    minus, plain = number[:1] in ("-", "−"), number.replace(",", "").lstrip("-−")
    whole, _, fraction = plain.partition(".")
    if len(fraction) != 2 or not part:
        return f"{en_number(number)} {unit if plain == '1' else _many(unit)}"
    said = (
        []
        if whole.strip("0") == "" and int(fraction)
        else [f"{en_number(whole)} {unit if whole == '1' else _many(unit)}"]
    )
    if int(fraction):
        parts = part if int(fraction) == 1 else {"penny": "pence"}.get(part, part + "s")
        said.append(f"{en_integer(int(fraction))} {parts}")
    return ("minus " if minus else "") + " and ".join(said)


def _many(unit: str) -> str:
    return unit if unit in ("yuan", "yen") else unit + "s"


def _phone(match: re.Match[str]) -> str:
    groups = [
        en_digits(group) for group in re.split(r"[ -]", match[0].lstrip("+(").replace(")", "")) if group
    ]
    return ("plus " if match[0].startswith("+") else "") + ", ".join(groups)


def _fraction(match: re.Match[str]) -> str:
    top, bottom = int(match[1]), int(match[2])
    name = {2: "half", 4: "quarter"}.get(bottom) or en_ordinal(bottom)
    if top == 1:
        return f"one {name}"
    return f"{en_integer(top)} {'halves' if bottom == 2 else name + 's'}"


def _address(match: re.Match[str]) -> str:
    text = match[0].removeprefix("https://").removeprefix("http://")
    names = [[words.spelled(label) for label in part.split(".")] for part in text.split("@")]
    return " at ".join(" dot ".join(labels) for labels in names)


def _labelled(match: re.Match[str]) -> str:
    groups = re.findall(r"\*+|\d+", match[2])
    return match[1] + ", ".join("star" if each[0] == "*" else en_digits(each) for each in groups)


DATES: tuple[Rule, ...] = (
    rule(
        "date", r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?![\d.]\d|\d)", lambda m: _date(m[1], m[2], m[3])
    ),
    rule(
        "date",
        rf"\b({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})\b",
        lambda m: _date(m[3], _month(m[1]), m[2]),
    ),
    rule(
        "date",
        rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+({_MONTH}),?\s+(\d{{4}})\b",
        lambda m: _date(m[3], _month(m[2]), m[1]),
    ),
    rule(
        "day",
        rf"\b({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?(?![\d:.]\d|\d)",
        lambda m: _date("", _month(m[1]), m[2]),
    ),
    rule(
        "day",
        rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+({_MONTH})(?![A-Za-z])",
        lambda m: _date("", _month(m[2]), m[1]),
    ),
    rule(
        "month",
        rf"\b({_MONTH})\s+(\d{{4}})\b",
        lambda m: f"{MONTHS[int(_month(m[1])) - 1]} {en_year(int(m[2]))}",
    ),
    rule(
        "hours",
        rf"(?<![\d:])(\d{{1,2}}):(\d{{2}})\s*([ap]\.?m\.?|AM|PM)?{TO}(\d{{1,2}}):(\d{{2}})\s*([ap]\.?m\b\.?|AM\b|PM\b)?(?![:\d])",
        lambda m: f"{_clock(m[1], m[2], m[3])} to {_clock(m[4], m[5], m[6])}",
    ),
    rule(
        "time",
        r"(?<![\d:])(\d{1,2}):(\d{2})(?::\d{2})?\s*([ap]\.?m\b\.?|AM\b|PM\b)?(?![:\d])",
        lambda m: _clock(m[1], m[2], m[3]),
    ),
    rule("hour", r"(?<![\d:.])(\d{1,2})\s*([ap]\.?m\b\.?|AM\b|PM\b)", lambda m: _clock(m[1], "00", m[2])),
    rule(
        "ratio",
        r"(?<![\d:])(\d{1,3}):(\d{1,3})(?![:\d])",
        lambda m: f"{en_integer(int(m[1]))} to {en_integer(int(m[2]))}",
    ),
    rule(
        "version",
        r"(?<![\d.])\d+(?:\.\d+){2,}(?![\d.])",
        lambda m: " point ".join(en_digits(each) for each in m[0].split(".")),
    ),
    rule(
        "year",
        r"(?<=\bin |\bby |\bof |\bto )((?:19|20)\d{2})(?![\d,.%]\d|\d|\s*[a-z]+s\b)",
        lambda m: en_year(int(m[1])),
    ),
    rule("year", r"(?<=\bsince )((?:19|20)\d{2})(?!\d)", lambda m: en_year(int(m[1]))),
)
NAMES: tuple[Rule, ...] = (
    rule(
        "address",
        r"(?<![\w.])(?:https?://)?(?:[\w-]+@)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.(?:com|cn|org|net|gov|bank|hk|uk|info)(?:\.[a-z]{2})?(?![\w])",
        _address,
    ),
    rule(
        "labelled",
        rf"(?i)\b((?:{LABELS})(?: number| no\.)?(?: is|:)?\s+)(\*{{2,}}\d{{2,6}}|\d(?:[\d\-* ]*\d)?)"
        r"(?![\d%,]|\.\d|\s*(?:yuan|dollars|percent|days|years|months))",
        _labelled,
    ),
    rule(
        "masked",
        r"(?<!\d)(\d{0,6})\*{2,}(\d{2,4})(?!\d)",
        lambda m: f"{en_digits(m[1])} star {en_digits(m[2])}".strip(),
    ),
    rule(
        "phone",
        rf"(?<![\w.,])(?:{PHONE})(?![\w%]|[.,]\d|\s*(?:yuan|dollars))",
        _phone,
    ),
    rule(
        "abbreviation",
        "|".join(rf"(?<![A-Za-z]){re.escape(each)}" for each in words.EN_ABBREVIATIONS),
        lambda m: words.EN_ABBREVIATIONS[m[0]],
    ),
    rule("always", r"\b24/7\b", lambda _: "twenty-four seven"),
)
AMOUNTS: tuple[Rule, ...] = (
    rule("broken", BROKEN, broken),
    rule(
        "money range",
        rf"(?<![A-Za-z])({CURRENCY})\s?({NUMBER}){TO}(?:{CURRENCY})?\s?({NUMBER}){SCALE}",
        lambda m: f"{en_number(m[2])} to {_money(m[1], m[3], m[4])}",
    ),
    rule(
        "money",
        rf"([-−]?)(?<![A-Za-z])({CURRENCY})\s?([-−]?{NUMBER}){SCALE}",
        lambda m: _money(m[2], m[1] + m[3], m[4]),
    ),
    rule(
        "money",
        rf"({SIGNED}){SCALE}\s?({CODE})(?![A-Za-z])",
        lambda m: _money(m[3], m[1], m[2]),
    ),
    rule("money one", r"(?<![\w.,])1 (?=yuan|dollar\b|euro\b|pound\b)", lambda _: "one "),
)
RATES: tuple[Rule, ...] = (
    rule(
        "percent",
        rf"({SIGNED})%?{TO}({NUMBER})\s?%",
        lambda m: f"{en_number(m[1])} to {en_number(m[2])} percent",
    ),
    rule(
        "percent",
        rf"(?<![\w.])([-−+±]?)({NUMBER})\s?%",
        lambda m: (
            {"-": "minus ", "−": "minus ", "+": "plus ", "±": "plus or minus "}.get(m[1], "")
            + f"{en_number(m[2])} percent"
        ),
    ),
    rule("permille", rf"({NUMBER})‰", lambda m: f"{en_number(m[1])} per mille"),
    rule(
        "basis",
        rf"({NUMBER})\s*(?:bps|bp|BPS|BP)(?![A-Za-z])",
        lambda m: f"{en_number(m[1])} basis point{'' if m[1] == '1' else 's'}",
    ),
)
COUNTS: tuple[Rule, ...] = (
    rule("ordinal", r"(?<![\w.,])(\d{1,6})(?:st|nd|rd|th)(?![A-Za-z])", lambda m: en_ordinal(int(m[1]))),
    rule(
        "range",
        rf"(?<![\w.,-])({NUMBER}){TO}({NUMBER})(?![-\d]|\.\d)",
        lambda m: f"{en_number(m[1])} to {en_number(m[2])}",
    ),
    rule(
        "fraction", r"(?<![\d/])([1-9]\d?)/([2-9]|[1-9]\d{1,2})(?![\d/])", _fraction, "a fraction, or a date"
    ),
    rule(
        "plus",
        r"(?<![\w])([A-Z])\s*([+\-])\s*(\d)(?!\d)",
        lambda m: f"{m[1]} {'plus' if m[2] == '+' else 'minus'} {en_integer(int(m[3]))}",
    ),
    rule(
        "times", rf"({NUMBER})\s*[×xX*]\s*({NUMBER})", lambda m: f"{en_number(m[1])} times {en_number(m[2])}"
    ),
    rule(
        "unit",
        rf"({NUMBER})\s?({'|'.join(words.EN_UNITS)})(?![A-Za-z])",
        lambda m: f"{en_number(m[1])} {words.EN_UNITS[m[2]]}{'' if m[1] == '1' else 's'}",
    ),
    rule(
        "scale",
        rf"({SIGNED})(k|K|m|M|bn)(?![A-Za-z])",
        lambda m: f"{en_number(m[1])} {words.EN_SCALES[m[2]]}",
    ),
    rule("long", r"(?<![\d.,])\d{9,}(?![\d.,]\d)", lambda m: en_digits(m[0])),
    rule("number", SIGNED, lambda m: en_number(m[0])),
    rule("number", NUMBER, lambda m: f" {en_number(m[0])}"),
    rule(
        "letters",
        r"(?<![A-Za-z])[A-Z]{2,5}(?![A-Za-z])",
        lambda m: m[0] if m[0] in words.SPOKEN_CAPITALS else " ".join(m[0]),
    ),
    rule("letters", r"(?<![A-Za-z])([A-Z]{2,5})s(?![A-Za-z])", lambda m: " ".join(m[1]) + "s"),
)
RULES: tuple[Rule, ...] = (*DATES, *NAMES, *AMOUNTS, *RATES, *COUNTS)
