"""A licence laid out for reading: its document as titled lists of plain lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from likeness.portal.wording.terms import word

MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Line:
    """A label and what it says; ``items`` are several values, ``text`` is one."""

    label: str
    text: str = ""
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A titled group of lines."""

    title: str
    lines: tuple[Line, ...]


def read(document: Mapping[str, Any]) -> tuple[Section, ...]:
    """The whole licence in the order in which a reviewer asks."""
    return (
        _allowed(document["grant"]),
        _forbidden(document["grant"], document["grantee"]),
        _term(document["term"], document["withdrawal"]),
        _marks(document["grant"]["labels"], document["compensation"]),
        _signed(document),
    )


def summary(document: Mapping[str, Any]) -> tuple[Line, ...]:
    """The lines that tell one licence from another in a list."""
    grant = document["grant"]
    return (
        Line(_("Purpose"), items=_words("purpose", grant["purposes"])),
        Line(_("Channel"), items=_words("channel", grant["channels"])),
        Line(_("Territory"), items=_words("territory", grant["territories"])),
        Line(_("Term"), _span(document["term"])),
    )


def _allowed(grant: Mapping[str, Any]) -> Section:
    return Section(
        _("What is allowed"),
        (
            Line(_("In words"), grant["intended_use_text"]),
            Line(_("Editing"), items=_words("operation", grant["operations"])),
            Line(_("Purpose"), items=_words("purpose", grant["purposes"])),
            Line(_("Channel"), items=_words("channel", grant["channels"])),
            Line(_("Territory"), items=_words("territory", grant["territories"])),
            Line(_("Language"), items=_words("language", grant["languages"])),
            Line(_("Quota"), _quota(grant)),
            Line(_("Release"), word("pre_approval", grant["pre_approval"])),
        ),
    )


def _quota(grant: Mapping[str, Any]) -> str:
    outputs = ngettext("%(n)d output", "%(n)d outputs", grant["max_outputs"]) % {"n": grant["max_outputs"]}
    seconds = grant["max_seconds_per_output"]
    if seconds % MINUTE_S == 0:
        minutes = seconds // MINUTE_S
        length = ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    else:
        length = ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    return _("%(outputs)s of up to %(length)s each") % {"outputs": outputs, "length": length}


def _forbidden(grant: Mapping[str, Any], grantee: Mapping[str, Any]) -> Section:
    never = [
        *((_("Live streams"),) if not grant["live_stream"] else ()),
        *((_("Training of models"),) if not grant["training_use"] else ()),
        *((_("Passing the licence on to others"),) if not grantee["sublicensing"] else ()),
        _("Anything that is not listed as allowed"),
    ]
    return Section(
        _("What is forbidden"),
        (
            Line(_("Content"), items=_words("prohibited", grant["prohibited"])),
            Line(_("Products"), items=_words("product", grant["products_excluded"])),
            Line(_("Use"), items=tuple(never)),
        ),
    )


def _term(term: Mapping[str, Any], withdrawal: Mapping[str, Any]) -> Section:
    hours = int(str(withdrawal["published"]).rpartition(":")[2])
    years = withdrawal["audit_retention_years"]
    return Section(
        _("Term and withdrawal"),
        (
            Line(_("Term"), _span(term)),
            Line(_("Renewal"), _("Never by itself")),
            Line(_("On withdrawal"), _("New work stops at once, queued work is cancelled")),
            Line(
                _("Published outputs"),
                ngettext("Withdrawn within %(n)d hour", "Withdrawn within %(n)d hours", hours) % {"n": hours},
            ),
            Line(
                _("Records"),
                ngettext(
                    "Kept for %(n)d year, without biometrics",
                    "Kept for %(n)d years, without biometrics",
                    years,
                )
                % {"n": years},
            ),
        ),
    )


def _marks(labels: Mapping[str, Any], compensation: Mapping[str, Any]) -> Section:
    pay = {
        "none": _("None"),
        "flat": _("%(amount)s %(currency)s, once"),
        "per_output": _("%(per_output)s %(currency)s for each output"),
    }[compensation["model"]]
    return Section(
        _("Marks and payment"),
        (
            Line(_("Visible label"), labels["visible"]),
            *((Line(_("Shown"), _("On every frame")),) if labels.get("duration") == "clip" else ()),
            Line(_("Invisible watermark"), _("Always")),
            Line(_("Removing marks"), _("Never allowed")),
            *(
                (
                    Line(
                        _("Copies without the visible label"),
                        _("By two people's decision, for one recipient"),
                    ),
                )
                if labels.get("unlabelled_export")
                else ()
            ),
            Line(_("Compensation"), pay % compensation),
        ),
    )


def _signed(document: Mapping[str, Any]) -> Section:
    subject, signed, representative = (
        document["subject"],
        document["signed"],
        document["subject"]["representative"],
    )
    return Section(
        _("Who signed"),
        (
            Line(_("Subject"), f"{subject['name']} · {word('status', subject['status'])}"),
            *((Line(_("Represented by"), representative["name"]),) if representative else ()),
            Line(_("Signed by"), f"{signed['by']} · {_day(signed['at'])}"),
            Line(_("Granted to"), document["grantee"]["org"]),
            Line(_("Separate consents"), items=_consents(document["separate_consents"])),
            Line(_("Law"), items=_words("law", document["law"])),
        ),
    )


def _consents(items: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    given = _("%(consent)s: given on %(day)s")
    refused = _("%(consent)s: not given")
    return tuple(
        (given % {"consent": word("consent", item["code"]), "day": _day(item["at"])})
        if item["given"]
        else refused % {"consent": word("consent", item["code"])}
        for item in items
    )


def _words(table: str, codes: Sequence[str]) -> tuple[str, ...]:
    return tuple(word(table, code) for code in codes)


def _span(term: Mapping[str, Any]) -> str:
    return _("%(first)s to %(last)s") % {"first": _day(term["not_before"]), "last": _day(term["not_after"])}


def _day(moment: str) -> str:
    return formats.date_format(datetime.fromisoformat(moment), _("j F Y"))
