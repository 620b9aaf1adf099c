"""Looks of videos: versions that never change, tried and approved by two before they are used.

A presentation pins a version and its hash. When the version in use fails its checks (a picture is gone, its
hash does not hold), the last good one is used, and the operators are told: in the presentation's record, in
the log, and on the worker's standard error.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from audit import services as audit
from audit.events import SYSTEM, Actor, TemplateActivated, TemplateFellBack, TemplateRolledBack
from generation import blobs, hooks, queueing
from generation.engine.media.image import decode_image
from generation.errors import NotFoundError, RoleError, TemplateStateError, TemplateUnusableError
from generation.gate import text as gate
from generation.gate.text import Outcome
from generation.models import Media, Presentation, SceneTemplate, TemplateVersion, VersionState
from generation.presenter import templates
from generation.presenter.errors import TemplateInvalidError
from generation.presenter.overlay import Scene, scene_of
from generation.presenter.scene import Layout
from generation.presenter.templates import Filled, Kind

log = logging.getLogger(__name__)

NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,46}[a-z0-9]")
SAMPLE = "0" * 64
"""Stands for a picture that a variable will bring, in a trial."""
TRIAL_LOST_AFTER_S = 600


@dataclass(frozen=True, slots=True)
class TemplateUse:
    """Which template a request wants; ``version`` 0: the one in use. ``variables``: name and value each."""

    name: str
    version: int = 0
    variables: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Pinned:
    """A template as one presentation uses it; ``wanted`` and ``problem`` say what it was used instead of.

    ``named``: the request asked for this very version, so no other one takes its place.
    """

    name: str
    version: int
    sha256: str
    variables: Mapping[str, str]
    wanted: int
    problem: str = ""
    named: bool = False

    def as_record(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {"variables": dict(self.variables)}


class Pin(Protocol):
    """Finds the version that a use of a template gets."""

    def __call__(self, use: TemplateUse, *, tenant: str) -> Pinned:
        """See ``pin`` and ``pin_to_look``."""


@dataclass(frozen=True, slots=True)
class Field:
    """A variable of a template as somebody fills it in; ``sample`` is such a value, empty for a picture."""

    name: str
    kind: Kind
    sample: str


def draft(name: str, document: Mapping[str, Any], *, by: Actor) -> TemplateVersion:
    """Write a new version and have it tried; the same document as the last one's is that one.

    Raises:
        RoleError: only an operator or business may.
        TemplateInvalidError: it is no template, or a picture of it was never uploaded.
    """
    _require(by, "operator", "business")
    if not NAME.fullmatch(name):
        raise TemplateInvalidError(
            "The name is not one.", faults={"name": "3 to 48 small letters, digits and -."}
        )
    template = templates.read(document)
    fixed = [each for each in (template.background, template.logo) if each and "{" not in each]
    if missing := _missing(fixed, tenant=by.tenant):
        raise TemplateInvalidError(
            "A picture is not here.", faults=dict.fromkeys(missing, "Upload it first.")
        )
    with transaction.atomic():
        SceneTemplate.objects.get_or_create(tenant=by.tenant, name=name)
        row = SceneTemplate.objects.select_for_update().get(tenant=by.tenant, name=name)
        last = row.versions.order_by("-number").first()
        digest = templates.sha256_of(document)
        if last is not None and last.sha256 == digest:
            return last
        number = last.number + 1 if last is not None else 1
        made = TemplateVersion.objects.create(
            template=row, number=number, document=dict(document), sha256=digest, author=by.id
        )
        queueing.send_on_commit("try_template", str(made.pk))
    return made


@transaction.atomic
def approve(name: str, number: int, *, by: Actor) -> TemplateVersion:
    """Agree, as a second person, to a version that was tried; it is used from now on.

    Raises:
        RoleError: not business or legal, or its author.
        NotFoundError: no such version in this tenant.
        TemplateStateError: its trial has not passed, or it is approved already.
    """
    _require(by, "business", "legal")
    row = SceneTemplate.objects.select_for_update().get(pk=find(name, tenant=by.tenant).pk)
    version = _version(row, number)
    if version.author == by.id:
        raise RoleError("Nobody approves a template that they wrote.")
    if version.state != VersionState.READY:
        raise TemplateStateError(f"Version {number} of {name} is {version.state}.")
    version.state, version.approver, version.approved = VersionState.APPROVED, by.id, timezone.now()
    version.save(update_fields=["state", "approver", "approved", "touched"])
    previous = _point(row, version)
    audit.append(TemplateActivated(**_told(row, version), previous=previous), actor=by)
    return version


@transaction.atomic
def roll_back(name: str, number: int, *, by: Actor) -> TemplateVersion:
    """Use an approved version again.

    Raises:
        RoleError, NotFoundError: not allowed; no such version in this tenant.
        TemplateStateError: it was never approved, is in use already, or does not pass its checks.
    """
    _require(by, "operator", "business")
    row = SceneTemplate.objects.select_for_update().get(pk=find(name, tenant=by.tenant).pk)
    version = _version(row, number)
    if version.state != VersionState.APPROVED or row.active_id == version.pk:
        raise TemplateStateError(f"Version {number} of {name} is {version.state} or in use.")
    if problem := problem_of(version):
        raise TemplateStateError(f"Version {number} of {name} fails its checks: {problem}.")
    previous = _point(row, version)
    audit.append(TemplateRolledBack(**_told(row, version), previous=previous), actor=by)
    return version


def find(name: str, *, tenant: str) -> SceneTemplate:
    """A template of the tenant's.

    Raises:
        NotFoundError: none of that name.
    """
    row = SceneTemplate.objects.select_related("active").filter(tenant=tenant, name=name).first()
    if row is None:
        raise NotFoundError("There is no such template.")
    return row


def seen(*, tenant: str) -> QuerySet[SceneTemplate]:
    """The tenant's templates by name, with their versions."""
    rows = SceneTemplate.objects.filter(tenant=tenant).select_related("active").order_by("name")
    return rows.prefetch_related("versions")


def problem_of(version: TemplateVersion) -> str:
    """Why a version cannot be used now, as a code; empty when it can."""
    if templates.sha256_of(version.document) != version.sha256:
        return "altered"
    try:
        template = templates.read(version.document)
    except TemplateInvalidError:
        return "invalid"
    fixed = [each for each in (template.background, template.logo) if each and "{" not in each]
    return "picture_missing" if _missing(fixed, tenant=version.template.tenant) else ""


def pin(use: TemplateUse, *, tenant: str) -> Pinned:
    """The version that a request gets: the one it names, or the one in use, or the last good one.

    Raises:
        NotFoundError: no such template or approved version in this tenant.
        TemplateInvalidError: the variables do not fit.
        TemplateUnusableError: no version passes its checks.
    """
    row = find(use.name, tenant=tenant)
    return _pinned(row, _wanted(row, use.version, states=(VersionState.APPROVED,)), use, tenant=tenant)


def pin_to_look(use: TemplateUse, *, tenant: str) -> Pinned:
    """What ``pin`` gives, for a preview: a version that is named needs only to have passed its trial.

    Raises:
        NotFoundError, TemplateInvalidError, TemplateUnusableError: as ``pin``.
    """
    row = find(use.name, tenant=tenant)
    states = (VersionState.READY, VersionState.APPROVED)
    return _pinned(row, _wanted(row, use.version, states=states), use, tenant=tenant)


def form_of(name: str, version: int = 0, *, tenant: str) -> tuple[Field, ...]:
    """The variables that a use of the template fills in; ``version`` 0: of the one in use.

    Raises:
        NotFoundError: no such template or version in this tenant.
        TemplateUnusableError: the version cannot be read any more.
    """
    row = find(name, tenant=tenant)
    wanted = _wanted(row, version, states=(VersionState.READY, VersionState.APPROVED))
    try:
        template = templates.read(wanted.document)
    except TemplateInvalidError:
        raise TemplateUnusableError(f"Version {wanted.number} of {name} cannot be read.") from None
    samples = templates.samples(template, image="")
    return tuple(Field(each, kind, samples[each]) for each, kind in sorted(template.variables.items()))


def _wanted(row: SceneTemplate, number: int, *, states: Iterable[str]) -> TemplateVersion:
    wanted = _version(row, number) if number else row.active
    if wanted is None or wanted.state not in states:
        raise NotFoundError("There is no such template in use.")
    return wanted


def _pinned(row: SceneTemplate, wanted: TemplateVersion, use: TemplateUse, *, tenant: str) -> Pinned:
    problem = problem_of(wanted)
    values = dict(use.variables)
    chosen = wanted if not problem else _last_good(row, values, but=wanted, named=bool(use.version))
    filled = templates.fill(templates.read(chosen.document), values)
    if missing := _missing(filled.assets, tenant=tenant):
        raise TemplateInvalidError(
            "A picture is not here.", faults=dict.fromkeys(missing, "Upload it first.")
        )
    return Pinned(
        row.name, chosen.number, chosen.sha256, values, wanted.number, problem, named=bool(use.version)
    )


def script_of(pinned: Pinned, script: str, *, markup: bool, tenant: str) -> str:
    """The script with the values of the template's variables.

    Raises:
        TemplateInvalidError: it names what the template does not have.
    """
    version = _version(find(pinned.name, tenant=tenant), pinned.version)
    return templates.fill_script(script, templates.read(version.document), pinned.variables, markup=markup)


def reasons_against(pinned: Pinned, *, tenant: str) -> tuple[str, ...]:
    """What the gate holds against the words of the lower third."""
    filled = filled_of(pinned, tenant=tenant)
    hits = gate.screen(" ".join(templates.lines_of(filled)), lexicon=gate.built_in())
    return tuple(dict.fromkeys(hit.code if hit.outcome is Outcome.REFUSE else "text.review" for hit in hits))


def filled_of(pinned: Pinned, *, tenant: str) -> Filled:
    """The pinned version with its values.

    Raises:
        NotFoundError: it is gone.
    """
    version = _version(find(pinned.name, tenant=tenant), pinned.version)
    return templates.fill(templates.read(version.document), pinned.variables)


def format_of(pinned: Pinned, *, tenant: str) -> dict[str, Any]:
    """What a presentation's scene says of its look."""
    version = _version(find(pinned.name, tenant=tenant), pinned.version)
    template = templates.read(version.document)
    return {"format": template.format, "colour": template.colour, "subtitles": template.subtitles}


def scene_for(row: Presentation) -> Scene:
    """The scene of a presentation that pinned a template; of the last good version when that one fails now.

    Raises:
        TemplateUnusableError: no version passes its checks.
        SceneError, TemplateInvalidError: it does not go into the frame.
    """
    record = row.scene["template"]
    template = find(record["name"], tenant=row.tenant)
    version = _version(template, record["version"])
    problem = problem_of(version) or ("altered" if version.sha256 != record["sha256"] else "")
    if problem:
        version = _last_good(template, record["variables"], but=version, named=record["named"])
        with transaction.atomic():
            note = record | {"version": version.number, "sha256": version.sha256, "problem": problem}
            note_fallback(row, note)
            Presentation.objects.filter(pk=row.pk).update(
                scene={**row.scene, "template": note}, report=row.report
            )
    filled = templates.fill(templates.read(version.document), record["variables"])
    return scene(filled, tenant=row.tenant)


def send_overdue() -> int:
    """Have versions tried whose message or worker was lost; gives how many messages went out."""
    late = timezone.now() - timedelta(seconds=TRIAL_LOST_AFTER_S)
    waiting = TemplateVersion.objects.filter(state=VersionState.TRYING, touched__lt=late)
    keys = list(waiting.values_list("pk", flat=True))
    TemplateVersion.objects.filter(pk__in=keys).update(touched=timezone.now())
    for key in keys:
        queueing.send("try_template", str(key))
    return len(keys)


def note_fallback(row: Presentation, record: Mapping[str, Any]) -> None:
    """Tell the operators that another version was used than the one in use; inside a transaction."""
    row.report = {**row.report, "template": dict(record)}
    log.error(
        "Template %s: version %s fails its checks (%s); version %s is used for presentation %s.",
        *(record["name"], record["wanted"], record["problem"], record["version"], row.id),
    )
    hooks.template_fell_back(row, name=record["name"], problem=record["problem"])
    audit.append(
        TemplateFellBack(
            template=record["name"],
            version=record["version"],
            sha256=record["sha256"],
            previous=record["wanted"],
            presentation=row.id.hex,
            problem=record["problem"],
        ),
        actor=Actor(SYSTEM, row.tenant),
    )


def scene(filled: Filled, *, tenant: str, layout: Layout | None = None) -> Scene:
    """The scene of a filled template, with its pictures; ``layout``: another size than the template's.

    Raises:
        SceneError: it does not go into the frame.
    """

    def picture(sha256: str) -> npt.NDArray[np.uint8]:
        if sha256 == SAMPLE:
            return np.full((360, 640, 3), 128, np.uint8)
        return _picture(sha256, tenant=tenant)

    return scene_of(filled, pictures=picture, layout=layout)


def _picture(sha256: str, *, tenant: str) -> npt.NDArray[np.uint8]:
    """(h, w, 3 or 4) uint8; bytes that were uploaded, so they are known to be a picture within limits."""
    if _missing([sha256], tenant=tenant):
        raise TemplateUnusableError("A picture of the template is gone.")
    with blobs.store().open(sha256) as stream:
        data = stream.read()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise TemplateUnusableError("A picture of the template is not the one that was uploaded.")
    own = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if own is not None and own.dtype == np.uint8 and own.ndim == 3 and own.shape[2] == 4:
        return np.asarray(own, np.uint8)
    return decode_image(data)


def _missing(hashes: Iterable[str], *, tenant: str) -> list[str]:
    wanted = [each for each in hashes if each != SAMPLE]
    known = Media.objects.filter(tenant=tenant, kind="image", sha256__in=wanted)
    here = {each for each in known.values_list("sha256", flat=True) if blobs.store().exists(each)}
    return [each for each in wanted if each not in here]


def _last_good(
    row: SceneTemplate, values: Mapping[str, str], *, but: TemplateVersion, named: bool
) -> TemplateVersion:
    """The approved version that was last agreed to, passes its checks and takes these values."""
    if not named:
        for version in row.versions.filter(state=VersionState.APPROVED).order_by("-approved"):
            if version.pk != but.pk and not problem_of(version) and _takes(version, values):
                return version
    raise TemplateUnusableError(f"Version {but.number} of {row.name} fails its checks: {problem_of(but)}.")


def _takes(version: TemplateVersion, values: Mapping[str, str]) -> bool:
    try:
        templates.fill(templates.read(version.document), values)
    except TemplateInvalidError:
        return False
    return True


def _version(row: SceneTemplate, number: int) -> TemplateVersion:
    version = row.versions.select_related("template").filter(number=number).first()
    if version is None:
        raise NotFoundError("There is no such version.")
    return version


def _point(row: SceneTemplate, version: TemplateVersion) -> int:
    """Let the template's pointer name this version; gives the number of the one before."""
    previous = row.active.number if row.active is not None else 0
    row.active = version
    row.save(update_fields=["active"])
    return previous


def _told(row: SceneTemplate, version: TemplateVersion) -> dict[str, Any]:
    return {"template": row.name, "version": version.number, "sha256": version.sha256}


def _require(by: Actor, *roles: str) -> None:
    if not any(by.has(role) for role in roles):
        raise RoleError(f"Only {' or '.join(roles)} may do this with a template.")
