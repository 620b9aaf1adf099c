"""Numbers as they are said, in Chinese and in English. Strings of ASCII digits in, words out."""

from __future__ import annotations

DIGITS = dict(zip("0123456789", "零一二三四五六七八九", strict=True))
PHONE_DIGITS = DIGITS | {"1": "幺"}
"""On the telephone one is yāo, so that nobody hears seven."""

_TENS = ("", "十", "百", "千")
_PAIRS = ("二千", "二万", "二亿")  # said 两千, 两万, 两亿 where a number begins with them
_GROUPS = ("", "万", "亿", "万亿")
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_DECADES = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def zh_digits(text: str, *, phone: bool = False) -> str:
    """Digit by digit; everything else is left out."""
    table = PHONE_DIGITS if phone else DIGITS
    return "".join(table[sign] for sign in text if sign in table)


def zh_integer(number: int) -> str:
    """A cardinal from 0 to 10^16 - 1: 10500 is 一万零五百."""
    if number == 0:
        return DIGITS["0"]
    groups = []
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    out, gap = "", False
    for at in range(len(groups) - 1, -1, -1):
        if groups[at] == 0:
            gap = True
            continue
        out += ("零" if out and (gap or groups[at] < 1000) else "") + _zh_four(groups[at]) + _GROUPS[at]
        gap = False
    return out[1:] if out.startswith("一十") else out


def _zh_four(number: int) -> str:
    out, zero = "", False
    for power in (3, 2, 1, 0):
        digit = number // 10**power % 10
        if digit:
            out += ("零" if zero and out else "") + DIGITS[str(digit)] + _TENS[power]
        zero = not digit
    return out


def zh_number(text: str) -> str:
    """A signed decimal with or without thousands commas: -1,234.50 is 负一千二百三十四点五零."""
    sign, text = _sign(text)
    whole, _, fraction = text.partition(".")
    return ("负" if sign else "") + _zh_whole(whole) + ("点" + zh_digits(fraction) if fraction else "")


def _zh_whole(text: str) -> str:
    # 007 is a name, not a number; sixteen digits are nobody's amount
    if (len(text) > 1 and text.startswith("0")) or len(text) > 16:
        return zh_digits(text)
    said = zh_integer(int(text))
    return "两" + said[1:] if said[:2] in _PAIRS else said


def zh_counted(text: str) -> str:
    """A number before a measure word: two is 两."""
    sign, plain = _sign(text)
    return ("负" if sign else "") + "两" if plain == "2" else zh_number(text)


def zh_yuan(text: str) -> str:
    """An amount of yuan: two decimals are 角 and 分, more are a decimal: 100.05 is 一百元零五分."""
    sign, plain = _sign(text)
    whole, _, fraction = plain.partition(".")
    if len(fraction) > 2:
        return zh_number(text) + "元"
    cents = (fraction + "00")[:2]
    jiao, fen = cents[0], cents[1]
    units = zh_counted(whole) + "元" if int(whole) or jiao == fen == "0" else ""
    out = units
    if jiao != "0":
        out += DIGITS[jiao] + "角"
    elif fen != "0" and units:
        out += "零"
    return ("负" if sign else "") + out + (DIGITS[fen] + "分" if fen != "0" else "")


def en_digits(text: str) -> str:
    """Digit by digit, separated by spaces."""
    return " ".join(_SMALL[int(sign)] for sign in text if sign.isdigit())


def en_integer(number: int) -> str:
    """A cardinal from 0 to 10^18 - 1: 1234 is "one thousand two hundred thirty-four"."""
    if number == 0:
        return _SMALL[0]
    out: list[str] = []
    for scale in _SCALES:
        number, group = divmod(number, 1000)
        if group:
            out.insert(0, f"{_en_three(group)} {scale}".strip())
        if not number:
            break
    return " ".join(out)


def _en_three(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    out = [f"{_SMALL[hundreds]} hundred"] if hundreds else []
    if rest >= 20:
        tens, ones = divmod(rest, 10)
        out.append(_DECADES[tens] + (f"-{_SMALL[ones]}" if ones else ""))
    elif rest:
        out.append(_SMALL[rest])
    return " ".join(out)


def en_number(text: str) -> str:
    """A signed decimal: -1,234.5 is "minus one thousand two hundred thirty-four point five"."""
    sign, text = _sign(text)
    whole, _, fraction = text.partition(".")
    named = (len(whole) > 1 and whole.startswith("0")) or len(whole) > 18
    said = en_digits(whole) if named else en_integer(int(whole))
    return ("minus " if sign else "") + said + (f" point {en_digits(fraction)}" if fraction else "")


def en_ordinal(number: int) -> str:
    """31 is "thirty-first"."""
    said = en_integer(number)
    head, _, last = said.replace("-", "- ").rpartition(" ")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return f"{head} {last}".replace("- ", "-").strip()


def en_year(number: int) -> str:
    """2025 is "twenty twenty-five", 2005 "two thousand five", 1900 "nineteen hundred"."""
    century, rest = divmod(number, 100)
    if 2000 <= number <= 2009 or number < 1000:
        return en_integer(number)
    if rest == 0:
        return f"{en_integer(century)} hundred"
    return f"{en_integer(century)} {'oh ' if rest < 10 else ''}{en_integer(rest)}"


def _sign(text: str) -> tuple[bool, str]:
    plain = text.replace(",", "")
    return plain[:1] in ("-", "−"), plain.lstrip("-−+")
