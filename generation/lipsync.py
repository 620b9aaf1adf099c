"""Which engine moves the lips on this site: one setting, read here, and written into each performance.

The embedded one does unless ``LIKENESS_LIPSYNC`` names another: a network that the site has registered, or an
engine outside the house. What is driven has the licensed face already. The name that a performance holds is
what was admitted, so the engine of that name draws it or the embedded one does, with a warning. Before a face
and a voice leave the house the log says so; when it cannot be logged, nothing is sent.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from audit import services as audit
from audit.events import Actor, LikenessSent
from generation import loaded
from generation.engine.errors import ContractMismatchError, WeightsError
from generation.engine.types import Progress
from generation.engine.weights.registry import Entry, Registry, load_registry
from generation.models import Job
from generation.presenter import neural, outside_engine
from generation.presenter.bases import Base
from generation.presenter.driving import DrivingEngine
from generation.presenter.engines import Chosen, Fallback, Kind
from generation.presenter.errors import DrivingUnavailableError
from generation.presenter.lipnet import CONTRACTS, open_lipnet
from generation.presenter.neural import NeuralEngine
from generation.presenter.outbound import Target
from generation.presenter.outside import Outside, OutsideConfig
from generation.presenter.outside_engine import OutsideEngine
from generation.presenter.package import Package
from generation.presenter.spans import TARGET_S
from generation.presenter.speech import Phone, Speech, Timing, Voice
from generation.presenter.visemes import SILENCE

REPORT = "driving"
"""In the reports of a chunk and of a job: which engine was to drive, what did, and why not that one."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the setting says; ``model``: id of a network."""

    kind: Kind = Kind.PUPPET
    model: str = ""


def choice() -> Choice:
    """The site's choice.

    Raises:
        DrivingUnavailableError: the setting names nothing that there is.
    """
    said = str(settings.LIKENESS_LIPSYNC)
    word, colon, model = said.partition(":")
    if word == Kind.NEURAL and model:
        return Choice(Kind.NEURAL, model)
    if word in (Kind.PUPPET, Kind.OUTSIDE) and not colon:
        return Choice(Kind(word))
    raise DrivingUnavailableError(
        f"LIKENESS_LIPSYNC is {said[:40]!r}, not puppet, neural:MODEL_ID or outside."
    )


def check() -> None:
    """Make sure that the chosen engine could start, as far as that is known without starting it.

    Raises:
        DrivingUnavailableError: the setting, the address, a network or the key cannot be used.
        WeightsError: the network is not registered or not there, its licence is refused, or it moves no lips.
    """
    chosen = choice()
    if chosen.kind is Kind.NEURAL:
        entry = _entry(chosen.model)
        if not (Path(settings.LIKENESS_WEIGHTS) / entry.file).is_file():
            raise DrivingUnavailableError(f"The file {entry.file} of the model {entry.id} is not there.")
    if chosen.kind is Kind.OUTSIDE:
        Outside(outside_config())


def engine_name(embedded: str) -> str:
    """What a performance is to be driven by; ``embedded``: the name of what drives it by default.

    A network is named with its hash. What cannot be found is named all the same: where it is to start it
    cannot, and that is told.

    Raises:
        DrivingUnavailableError: the setting names nothing that there is.
    """
    chosen = choice()
    if chosen.kind is Kind.PUPPET:
        return embedded
    if chosen.kind is Kind.OUTSIDE:
        return f"{outside_engine.VERSION} at {_host()}"
    try:
        sha256 = _entry(chosen.model).sha256
    except WeightsError:
        sha256 = "unknown"
    return f"{neural.VERSION} {chosen.model} {sha256}"


def kind_of(name: str) -> Kind:
    """What kind an engine of this name is; all that are embedded are one."""
    return {neural.VERSION: Kind.NEURAL, outside_engine.VERSION: Kind.OUTSIDE}.get(
        name.split(" ")[0], Kind.PUPPET
    )


def longest_s(name: str) -> float:
    """How long one piece of work with this engine is: an engine outside gets a video whole."""
    return math.inf if kind_of(name) is Kind.OUTSIDE else TARGET_S


def outside_config() -> OutsideConfig:
    """Where the engine outside is, by the settings.

    Raises:
        DrivingUnavailableError: there is no address, or a network cannot be read.
    """
    if not settings.LIKENESS_LIPSYNC_URL:
        raise DrivingUnavailableError("LIKENESS_LIPSYNC is outside, and LIKENESS_LIPSYNC_URL is empty.")
    try:
        networks = tuple(ipaddress.ip_network(each) for each in settings.LIKENESS_LIPSYNC_NETWORKS)
    except ValueError as error:
        raise DrivingUnavailableError(f"LIKENESS_LIPSYNC_NETWORKS: {error}.") from None
    url = str(settings.LIKENESS_LIPSYNC_URL).rstrip("/")
    target = Target(url, frozenset(settings.LIKENESS_LIPSYNC_HOSTS), networks)
    return OutsideConfig(target, key=settings.LIKENESS_LIPSYNC_KEY)


def _host() -> str:
    try:
        return Outside(outside_config()).host
    except DrivingUnavailableError:
        return "unknown"


def _registry() -> Registry:
    return load_registry(Path(settings.LIKENESS_HOME) / loaded.SITE_WEIGHTS)


def _entry(model: str) -> Entry:
    entry = _registry().admit(model, policy=settings.LIKENESS_MODEL_POLICY)
    if entry.contract not in CONTRACTS:
        raise ContractMismatchError(f"Model {entry.id} has the contract {entry.contract}, it moves no lips.")
    return entry


class SiteMouth:
    """Satisfies ``persons.Mouth`` for one piece of a job whose performance names another engine.

    ``progress``: called while an engine outside is waited for; what it raises ends the waiting.
    """

    def __init__(self, job: Job, package: Package, *, work: Path, progress: Progress) -> None:
        self._job, self._package = job, package
        self._work, self._progress = work, progress
        self._kind = kind_of(package.engine)
        self._given_up = warnings_of(job.report)
        self._made: list[DrivingEngine] = []

    def __call__(self, base: Base, embedded: Callable[[], DrivingEngine], *, first: int) -> DrivingEngine:
        """See ``persons.Mouth``."""
        if self._given_up:
            engine = embedded()
        else:
            engine = Chosen(self._kind, lambda: self._engine(base, first), embedded)
        self._made.append(engine)
        return engine

    def as_record(self) -> dict[str, Any]:
        """What the report holds, once all is drawn."""
        fallen = [each.as_record() for one in self._made if isinstance(one, Chosen) for each in one.warnings]
        return record(self._package.engine, [each.name for each in self._made], [*self._given_up, *fallen])

    def _engine(self, base: Base, first: int) -> DrivingEngine:
        wanted = self._package.engine
        if (now := engine_name("puppet")) != wanted:
            raise DrivingUnavailableError(f"The performance is for {wanted}; this site has {now} now.")
        speech = speech_of(self._package)
        if self._kind is Kind.NEURAL:
            net, _ = open_lipnet(
                choice().model,
                registry=_registry(),
                policy=settings.LIKENESS_MODEL_POLICY,
                weights_dir=Path(settings.LIKENESS_WEIGHTS),
            )
            engine = NeuralEngine(net, base, speech, first=first)
            engine.name = wanted
            return engine
        outside = Outside(outside_config(), sleep=self._wait)

        def leaving(frames: int) -> None:
            _announce(self._job, host=outside.host, frames=frames)

        return OutsideEngine(outside, base, speech, work=self._work, leaving=leaving, first=first)

    def _wait(self, seconds: float) -> None:
        self._progress(0, self._package.frames)
        time.sleep(seconds)


def mouth_for(job: Job, package: Package, *, work: Path, progress: Progress) -> SiteMouth | None:
    """What moves the lips of an admitted performance; None: the embedded engine, as it always does."""
    if kind_of(package.engine) is Kind.PUPPET:
        return None
    return SiteMouth(job, package, work=work, progress=progress)


def speech_of(package: Package) -> Speech:
    """The sound of a performance; its phones only tell speech from silence."""
    phones = tuple(
        Phone("" if each.id == SILENCE else "ə", each.start_s, each.end_s) for each in package.visemes
    )
    return Speech(package.pcm, package.rate, phones, (), package.voice, Timing.EXACT, Voice(package.voice))


@transaction.atomic
def _announce(job: Job, *, host: str, frames: int) -> None:
    event = LikenessSent(job=job.id.hex, consent=job.consent_id, host=host, frames=frames)
    audit.append(event, actor=Actor(job.requester, job.tenant))


def record(wanted: str, drew: Sequence[str], warnings: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """JSON-ready; ``model_sha256``: of the network that was to drive, "" for an engine outside."""
    model = wanted.rpartition(" ")[2] if kind_of(wanted) is Kind.NEURAL else ""
    distinct = {tuple(sorted(each.items())): dict(each) for each in warnings}
    return {
        "engine": wanted,
        "drawn_by": list(dict.fromkeys(drew)),
        "model_sha256": model,
        "warnings": list(distinct.values()),
    }


def warnings_of(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """Why another engine was given up; of a job's or of a chunk's report."""
    return list(report.get(REPORT, {}).get("warnings", ()))


def drawn_by(report: Mapping[str, Any]) -> list[str]:
    """The engines that drew a chunk; none are told where the embedded one was to."""
    return list(report.get(REPORT, {}).get("drawn_by", ()))


def added_up(
    reports: Sequence[Mapping[str, Any]], *, given_up: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """What a job's report holds of its chunks; empty where the embedded engine was to drive."""
    told = [report for report in reports if report.get(REPORT)]
    if not told:
        return {}
    drew = [name for report in told for name in drawn_by(report)]
    warnings = [each for report in told for each in warnings_of(report)]
    return record(told[0][REPORT]["engine"], drew, [*given_up, *warnings])


def while_redone(fallback: Fallback) -> dict[str, Any]:
    """What a job's report holds while it is made again by the embedded engine."""
    return {"warnings": [fallback.as_record()]}
