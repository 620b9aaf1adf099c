"""The translation is whole: every string is in it, and the compiled file is the written one."""

from __future__ import annotations

import re
import string
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Message
from babel.messages.extract import extract
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(settings.BASE_DIR)
PORTAL = ROOT / "platform" / "likeness" / "portal"
FOLDER = ROOT / "platform" / "likeness" / "locale" / "zh_Hans" / "LC_MESSAGES"
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}
_CALL = re.compile(
    r"\b(n?gettext|_)\((u?'(?:[^'\\]|\\.)*'|u?\"(?:[^\"\\]|\\.)*\")(?:,\s*(u?'(?:[^'\\]|\\.)*'|u?\"(?:[^\"\\]|\\.)*\"))?"
)


def catalogue() -> list[Message]:
    with (FOLDER / "django.po").open("rb") as file:
        return [message for message in read_po(file) if message.id]


def first(key: object) -> str:
    return str(key[0] if isinstance(key, (tuple, list)) else key)


def in_python() -> set[str]:
    found = set()
    for path in PORTAL.rglob("*.py"):
        with path.open("rb") as file:
            found |= {
                first(message) for _line, message, _notes, _context in extract("python", file, KEYWORDS)
            }
    return found


def in_templates() -> set[str]:
    found = set()
    for path in (ROOT / "templates").rglob("*.html"):
        for match in _CALL.finditer(templatize(path.read_text(), origin=str(path))):
            found.add(eval(match[2]).replace("%%", "%"))  # noqa: S307  a string literal of our own template
    return found


def test_every_string_of_the_portal_is_in_the_translation():
    wanted = in_python() | in_templates()
    assert len(wanted) > 300
    assert not wanted - {first(message.id) for message in catalogue()}


def test_the_translation_holds_nothing_that_is_gone():
    assert not {first(message.id) for message in catalogue()} - (in_python() | in_templates())


def test_every_string_is_translated():
    empty = [message.id for message in catalogue() if not message.string or not all(forms(message))]
    assert not empty
    assert not [message.id for message in catalogue() if message.fuzzy]


def test_no_translation_loses_a_placeholder():
    for message in catalogue():
        for text in forms(message):
            assert placeholders(text) == placeholders(first(message.id)), message.id


def forms(message: Message) -> list[str]:
    return list(message.string) if isinstance(message.string, (tuple, list)) else [str(message.string)]


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)", text))


def test_the_compiled_file_is_the_written_one():
    with (FOLDER / "django.po").open("rb") as file:
        written = read_po(file)
    again = BytesIO()
    write_mo(again, written)
    again.seek(0)
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = read_mo(file)
    assert meanings(read_mo(again)) == meanings(compiled)


def meanings(messages) -> dict[object, object]:
    return {(message.context, first(message.id)): forms(message) for message in messages if message.id}


def test_chinese_text_has_chinese_punctuation():
    for message in catalogue():
        for text in forms(message):
            spoken = re.sub(r"%\(\w+\)[sd]|[A-Za-z0-9-]+\.[A-Za-z0-9-]+|\.[a-z-]+", "", text)
            chinese = any(letter not in string.printable for letter in spoken)
            assert not (chinese and re.search(r"[,;?!]", spoken)), text
