"""Which marks an output must carry, by the law of the place where it is shown.

A reading of secondary sources, named beside each profile; counsel must check it. Whoever asks may add to a
profile, by a licence or by the operator's settings; nothing here takes anything away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from watermark.errors import LabelPolicyError, LabelTextError, TerritoryError
from watermark.lettering import SEPARATOR, check_glyphs
from watermark.visible import check_text

OPENING_MIN_S = 2.0
"""GB 45438-2025, 5.4."""
OPENING_S = 3.0
"""What we show at least: frames have times, and players skip a little."""


class Mark(StrEnum):
    """One thing that says a file is generated."""

    VISIBLE = "visible"
    INVISIBLE = "invisible"
    SOUND = "sound"
    AIGC = "aigc"
    CREDENTIAL = "c2pa"
    AUDIBLE = "audible"


class Nature(StrEnum):
    """What was done: a recording of a person was changed, or a digital human was made."""

    MODIFIED = "modified"
    GENERATED = "generated"


class Wording(StrEnum):
    """In which language a label speaks."""

    CHINESE = "zh"
    ENGLISH = "en"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Output:
    """What kind of file it is."""

    nature: Nature
    picture: bool = True
    sound: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """One law's demands. ``form`` names them in the log; ``version`` grows when they change."""

    code: str
    form: str
    texts: Mapping[Nature, Mapping[Wording, str]]
    icon: bool
    whole_clip: frozenset[Nature]
    audible: tuple[str, ...]
    chinese: bool
    unlabelled_export: bool
    sources: tuple[str, ...]
    version: int = 1

    @property
    def name(self) -> str:
        """Code and version, as records name it."""
        return f"{self.code}/{self.version}"


@dataclass(frozen=True, slots=True)
class Demand:
    """What somebody asks for beyond the law; every field can only add."""

    text: str = ""
    whole_clip: bool = False
    wording: Wording | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """What one output must carry. ``opening_s`` 0 is the whole clip; ``text`` is empty without a picture.

    ``marks`` must be there. ``wanted`` must be there where the file can carry it, and is reported where not.
    """

    profile: str
    form: str
    marks: tuple[Mark, ...]
    wanted: tuple[Mark, ...] = ()
    text: str = ""
    icon: bool = False
    opening_s: float = 0.0
    audible: tuple[str, ...] = ()
    raised_by: tuple[str, ...] = ()


_CN_TEXTS = {
    Nature.MODIFIED: {Wording.CHINESE: "AI生成", Wording.BOTH: "AI生成 · AI GENERATED"},
    Nature.GENERATED: {Wording.CHINESE: "数字人 AI生成", Wording.BOTH: "数字人 AI生成 · AI GENERATED"},
}
_UNION_TEXTS = {
    Nature.MODIFIED: {Wording.BOTH: "AI MODIFIED · AI生成"},
    Nature.GENERATED: {Wording.BOTH: "AI GENERATED · 数字人 AI生成"},
}
CN = Profile(
    code="cn",
    form="gb45438-2025/2",
    texts=_CN_TEXTS,
    icon=False,
    whole_clip=frozenset({Nature.GENERATED}),
    audible=("spoken", "rhythm"),
    chinese=True,
    unlabelled_export=True,
    sources=(
        "人工智能生成合成内容标识办法 (国信办通字〔2025〕2号), art. 4, 5, 9; in force 2025-09-01",
        "GB 45438-2025, 5.2 (text), 5.3 (sound), 5.4 (height, 2 s at the opening), as validators quote it",
        "TC260-PG-20252A, -20257A, -20259A (metadata)",
        "数字虚拟人信息服务管理办法（征求意见稿）, 2026-04-03: a digital human is labelled all the time",
    ),
)
EU = Profile(
    code="eu",
    form="eu-icon/1",
    texts={
        Nature.MODIFIED: {
            Wording.ENGLISH: "AI MODIFIED",
            Wording.BOTH: _UNION_TEXTS[Nature.MODIFIED][Wording.BOTH],
        },
        Nature.GENERATED: {
            Wording.ENGLISH: "AI GENERATED",
            Wording.BOTH: _UNION_TEXTS[Nature.GENERATED][Wording.BOTH],
        },
    },
    icon=True,
    whole_clip=frozenset(Nature),
    audible=("spoken",),
    chinese=False,
    unlabelled_export=False,
    sources=(
        "Regulation (EU) 2024/1689, art. 50(2) and 50(4); from 2026-08-02",
        "Code of practice on marking and labelling of AI-generated content, 2026-06-10: signed metadata, an "
        "imperceptible mark, an icon with a capital AI, top right, at first exposure and after breaks",
    ),
)
CN_EU = Profile(
    code="cn+eu",
    form="gb45438-2025+eu-icon/1",
    texts=_UNION_TEXTS,
    icon=True,
    whole_clip=frozenset(Nature),
    audible=("spoken",),
    chinese=True,
    unlabelled_export=False,
    sources=CN.sources + EU.sources,
)
PROFILES: Mapping[str, Profile] = {profile.code: profile for profile in (CN, EU, CN_EU)}

TERRITORIES: Mapping[str, Profile] = {"CN": CN, "EU": EU, "DK": EU}
"""Places whose law is one of ours; Denmark is in the Union. Every other place gets the stricter union."""
BORDERLESS = frozenset({"website"})
"""Channels that reach beyond their territory: who opens a public page is not known."""
_TERRITORY = re.compile(r"[A-Z]{2}")
_DENIES = re.compile(
    r"非\s*(?:AI|人工|生成|合成|机器)|不是|不含|没有|未经|未使用|无AI|真人|真实|实拍|本人出镜"
    r"|\b(?:no|not|non|never|without|real|authentic|genuine|human[- ]made)\b",
    re.IGNORECASE,
)


def of_use(*, territory: str, channel: str, at_least: str = "") -> Profile:
    """The profile of a use. ``at_least``: a profile that the operator puts on top; both are met then.

    Raises:
        TerritoryError: the territory is not two capital letters.
        LabelPolicyError: there is no profile ``at_least``.
    """
    if _TERRITORY.fullmatch(territory) is None:
        raise TerritoryError(f"The territory {territory[:20]!r} is not two capital letters.")
    found = CN_EU if channel in BORDERLESS else TERRITORIES.get(territory, CN_EU)
    if not at_least:
        return found
    if at_least not in PROFILES:
        raise LabelPolicyError(f"There is no label profile {at_least[:20]!r}.")
    return found if at_least == found.code else CN_EU


def named(name: str) -> Profile:
    """The profile of a record's name, such as ``cn/1``.

    Raises:
        LabelPolicyError: none of that name in this version.
    """
    for profile in PROFILES.values():
        if profile.name == name:
            return profile
    raise LabelPolicyError(f"This version has no label profile {name[:40]!r}.")


def require(profile: Profile, output: Output, *, asked: Mapping[str, Demand] | None = None) -> Requirement:
    """What an output must carry under a profile, raised by what was asked for, by whom.

    Raises:
        LabelTextError: a text that was asked for denies the label, or cannot be drawn.
    """
    demands = dict(asked or {})
    if not output.picture:
        marks = (Mark.AUDIBLE, Mark.SOUND, Mark.AIGC, Mark.CREDENTIAL)
        return Requirement(profile.name, profile.form, marks, audible=profile.audible)
    base = _text(profile, output.nature, None)
    text = _text(profile, output.nature, _widest(demands))
    raised = [who for who, demand in demands.items() if demand.wording and text != base]
    whole = output.nature in profile.whole_clip
    for who, demand in demands.items():
        added = demand.text.strip()
        if added and added not in text:
            text = f"{text}{SEPARATOR}{_harmless(added)}"
            raised.append(who)
        if demand.whole_clip and not whole:
            whole = True
            raised.append(who)
    if profile.chinese:
        check_text(text)
    marks = (Mark.VISIBLE, Mark.INVISIBLE, Mark.AIGC, Mark.CREDENTIAL)
    return Requirement(
        profile=profile.name,
        form=profile.form,
        marks=marks,
        wanted=(Mark.SOUND,) if output.sound else (),
        text=check_glyphs(text),
        icon=profile.icon,
        opening_s=0.0 if whole else OPENING_S,
        raised_by=tuple(dict.fromkeys(raised)),
    )


def without_visible_label(requirement: Requirement, profile: Profile) -> Requirement:
    """The same with all marks but the visible one: 标识办法, art. 9, and nothing else.

    Raises:
        LabelPolicyError: the profile's law knows no such delivery.
    """
    if not profile.unlabelled_export or requirement.profile != profile.name:
        raise LabelPolicyError(f"Under {profile.name} the visible label is mandatory.")
    marks = tuple(mark for mark in requirement.marks if mark is not Mark.VISIBLE)
    return Requirement(profile.name, "none", marks, wanted=requirement.wanted)


def _text(profile: Profile, nature: Nature, wording: Wording | None) -> str:
    """The profile's words: those asked for where it has them, else more, never fewer."""
    texts = profile.texts[nature]
    if wording is None:
        return next(iter(texts.values()))
    return texts.get(wording) or texts[Wording.BOTH]


def _widest(demands: Mapping[str, Demand]) -> Wording | None:
    """One language when all who asked agree, both when they do not."""
    asked = {demand.wording for demand in demands.values() if demand.wording is not None}
    return asked.pop() if len(asked) == 1 else Wording.BOTH if asked else None


def _harmless(text: str) -> str:
    """A text to be shown beside the label, when it does not speak against it.

    Raises:
        LabelTextError: it says that nothing was generated.
    """
    if _DENIES.search(text):
        raise LabelTextError(f"The text {text!r} would deny the label that it stands beside.")
    return check_glyphs(text)
