"""Template tags and filters of the portal: icons, states, moments, hashes, words for codes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import template
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from likeness.portal.templatetags.icons import MARK, PATHS
from likeness.portal.wording import terms
from likeness.portal.wording.events import Told, tell
from likeness.portal.wording.quality import Measure, measures_of
from likeness.portal.wording.states import chip

register = template.Library()

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """An icon as inline SVG, hidden from screen readers: a word always stands beside it."""
    return format_html(
        '<svg class="icon {}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.7" '
        'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{}</svg>',
        size,
        mark_safe(PATHS[name]),  # noqa: S308  our own constants
    )


@register.simple_tag
def brand() -> SafeString:
    """The product's sign."""
    return mark_safe(MARK)  # noqa: S308  our own constant


@register.simple_tag
def state(value: str) -> SafeString:
    """A state as a chip: colour, icon and word."""
    shown = chip(value)
    return format_html('<span class="state {}">{}{}</span>', shown.tone, icon(shown.icon), shown.label)


@register.filter
def word(code: object, table: str) -> str:
    """The word for a code of a table, such as ``purpose``; an unknown code is shown as it is."""
    return terms.word(table, str(code))


@register.filter
def words(codes: Any, table: str) -> str:
    """The words for several codes, joined as the language joins lists."""
    return _(", ").join(terms.word(table, str(code)) for code in codes)


@register.simple_tag
def moment(value: datetime | str | None) -> SafeString | str:
    """A date and time, with its zone in the title."""
    if not value:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    local = timezone.localtime(at)
    text = formats.date_format(local, _("j M Y, H:i"))
    return format_html(
        '<time datetime="{}" title="{}" data-local>{}</time>',
        at.isoformat(),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        text,
    )


@register.simple_tag
def day(value: datetime | str | None) -> SafeString | str:
    """A date without its time."""
    if not value:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), formats.date_format(at, _("j F Y")))


@register.simple_tag
def ago(value: datetime | None) -> SafeString | str:
    """How long ago, in one unit, with the exact moment in the title."""
    if not value:
        return ""
    exact = f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S %Z}"
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), exact, _since(value))


def _since(value: datetime) -> str:
    seconds = max(0, int((timezone.now() - value).total_seconds()))
    if seconds < MINUTE_S:
        return _("just now")
    if seconds < HOUR_S:
        minutes = seconds // MINUTE_S
        return ngettext("%(n)d minute ago", "%(n)d minutes ago", minutes) % {"n": minutes}
    if seconds < DAY_S:
        hours = seconds // HOUR_S
        return ngettext("%(n)d hour ago", "%(n)d hours ago", hours) % {"n": hours}
    if seconds < 30 * DAY_S:
        days = seconds // DAY_S
        return ngettext("%(n)d day ago", "%(n)d days ago", days) % {"n": days}
    return formats.date_format(timezone.localtime(value), _("j F Y"))


@register.filter
def short(value: object, keep: int = 10) -> str:
    """The first digits of a long id or hash."""
    text = str(value)
    return text if len(text) <= keep + 2 else text[:keep] + "…"


@register.filter
def pretty(value: object) -> str:
    """JSON, indented, in its own glyphs."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def percent(value: float | None) -> int:
    """A fraction as whole per cent; 100 only when everything is done."""
    return min(100, int((value or 0) * 100))


@register.filter
def clock(seconds: float | None) -> str:
    """A length in minutes and seconds."""
    whole = round(seconds or 0)
    return f"{whole // MINUTE_S}:{whole % MINUTE_S:02d}"


@register.filter
def joined(items: Any) -> str:
    """Several texts in one line, as the language joins lists."""
    return _(", ").join(str(item) for item in items)


@register.filter
def state_word(value: str) -> str:
    """The word of a state alone."""
    return str(chip(value).label)


@register.filter
def step_word(what: str, role: str) -> str:
    """What happened to a licence, and in which role."""
    return str(tell({"type": f"consent.{what}", "role": role}).label)


@register.simple_tag
def told(event: Any) -> Told:
    """An entry of the log in words."""
    return tell(event)


@register.filter
def measures(quality: Any) -> tuple[Measure, ...]:
    """A portrait's measures in words."""
    return measures_of(quality)


@register.filter
def listed(value: Any) -> str:
    """A list of tokens, one a line's length apart; anything else as it is."""
    return ", ".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)


@register.filter
def text(value: Any) -> str:
    """Bytes of a leaf as the text that they are."""
    return bytes(value).decode(errors="replace")
