"""Which model files there are: their bytes, hashes, licences, contracts and sources."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from generation.engine.errors import LicenceRefusedError, WeightsEntryError, WeightsUnknownError

_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_KEYS = {"file", "bytes", "sha256", "licence", "commercial", "contract", "source", "metric", "same", "review"}


class ModelPolicy(StrEnum):
    """Which licences a site lets its models have."""

    COMMERCIAL = "commercial"
    RESEARCH = "research"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file comes from: a member of a published archive, and who made it."""

    artefact: str
    member: str
    origin: str


@dataclass(frozen=True, slots=True)
class Artefact:
    """A published archive, pinned: its file name, pip requirement, size and hash."""

    name: str
    requirement: str
    bytes: int
    sha256: str

    @property
    def wheel(self) -> bool:
        """Whether it is a wheel; otherwise it is a source archive."""
        return self.name.endswith(".whl")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The distances of an embedding model: same person up to ``same``, undecided up to ``review``."""

    metric: str
    same: float
    review: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One pinned file."""

    id: str
    file: str
    bytes: int
    sha256: str
    licence: str
    commercial: bool
    contract: str
    source: Source | None
    thresholds: Thresholds | None

    @property
    def commercially_usable(self) -> bool:
        """Whether its licence is known and allows commercial use."""
        return self.commercial and self.licence.lower() not in {"", "unknown"}


@dataclass(frozen=True, slots=True)
class Registry:
    """All entries by id."""

    entries: Mapping[str, Entry]

    def entry(self, model_id: str) -> Entry:
        """The entry of one model.

        Raises:
            WeightsUnknownError: there is none of that id.
        """
        try:
            return self.entries[model_id]
        except KeyError:
            raise WeightsUnknownError(f"No model {model_id!r} in the registry.") from None

    def admit(self, model_id: str, *, policy: str) -> Entry:
        """The entry of one model, if its licence fits the policy.

        Raises:
            WeightsUnknownError: there is none of that id.
            LicenceRefusedError: the licence is against the policy, or the policy is none we know.
        """
        entry = self.entry(model_id)
        if policy not in set(ModelPolicy):
            raise LicenceRefusedError(
                f"Model {model_id}: model policy {policy!r} is neither commercial nor research."
            )
        if policy == ModelPolicy.COMMERCIAL and not entry.commercially_usable:
            raise LicenceRefusedError(
                f"Model {model_id} has licence {entry.licence or 'unknown'}, which does not allow "
                "commercial use; the model policy is commercial."
            )
        return entry


def load_registry(site_dir: Path | None = None) -> Registry:
    """The starter models and the site's own, from ``site_dir``/*.toml.

    Raises:
        WeightsEntryError: a table is malformed, or two entries have one id or one file.
    """
    tables = [_packaged("weights.toml")]
    if site_dir is not None and site_dir.is_dir():
        tables += [(str(path), path.read_bytes()) for path in sorted(site_dir.glob("*.toml"))]
    return _registry(tables)


def load_samples() -> Registry:
    """The demo's portraits, pinned like the models."""
    return _registry([_packaged("samples.toml")])


def load_artefacts() -> Mapping[str, Artefact]:
    """The published archives by file name."""
    table = _parse(*_packaged("sources.toml"))
    return MappingProxyType({name: Artefact(name=name, **row) for name, row in table.items()})


def _packaged(name: str) -> tuple[str, bytes]:
    return name, files("generation.engine.weights").joinpath(name).read_bytes()


def _parse(name: str, text: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WeightsEntryError(f"{name} is not TOML: {error}.") from None


def _registry(tables: list[tuple[str, bytes]]) -> Registry:
    entries: dict[str, Entry] = {}
    names: set[str] = set()
    for name, text in tables:
        for model_id, row in _parse(name, text).items():
            entry = _entry(name, model_id, row)
            if model_id in entries:
                raise WeightsEntryError(f"{name}: a second entry has the id {model_id}.")
            if entry.file in names:
                raise WeightsEntryError(f"{name}: {model_id} has the file of another entry, {entry.file}.")
            entries[model_id] = entry
            names.add(entry.file)
    return Registry(MappingProxyType(entries))


def _entry(where: str, model_id: str, row: object) -> Entry:
    if not isinstance(row, dict) or not _ID.fullmatch(model_id):
        raise WeightsEntryError(f"{where}: {model_id!r} is no table with a plain lower-case name.")
    problem = _problem(row)
    if problem:
        raise WeightsEntryError(f"{where}: {model_id}: {problem}.")
    source = Source(**row["source"]) if "source" in row else None
    thresholds = Thresholds(row["metric"], row["same"], row["review"]) if "metric" in row else None
    plain = {key: row[key] for key in ("file", "bytes", "sha256", "licence", "commercial", "contract")}
    return Entry(id=model_id, source=source, thresholds=thresholds, **plain)


def _problem(row: dict[str, Any]) -> str:
    """What is wrong with a table; empty when nothing is."""
    required: dict[str, type] = {
        "file": str, "bytes": int, "sha256": str, "licence": str, "commercial": bool, "contract": str
    }  # fmt: skip
    wrong = [key for key, kind in required.items() if type(row.get(key)) is not kind]
    if wrong:
        return f"missing or of the wrong type: {', '.join(wrong)}"
    if unknown := sorted(set(row) - _KEYS):
        return f"unknown keys: {', '.join(unknown)}"
    if not _FILE.fullmatch(row["file"]):
        return "file is no plain file name"
    if row["bytes"] <= 0 or not _SHA256.fullmatch(row["sha256"]):
        return "bytes or sha256 is no size and no hash"
    return _source_problem(row.get("source")) or _threshold_problem(row)


def _source_problem(source: object) -> str:
    if source is None:
        return ""
    if not isinstance(source, dict) or set(source) != {"artefact", "member", "origin"}:
        return "source needs artefact, member and origin"
    return (
        ""
        if all(isinstance(value, str) and value for value in source.values())
        else "source has an empty value"
    )


def _threshold_problem(row: dict[str, Any]) -> str:
    given = [key for key in ("metric", "same", "review") if key in row]
    if not given:
        return ""
    if len(given) < 3 or row["metric"] not in ("l2", "cosine"):
        return "metric (l2 or cosine), same and review belong together"
    same, review = row["same"], row["review"]
    numbers = all(type(value) in (int, float) for value in (same, review))
    return "" if numbers and 0 < same <= review else "same and review are no rising positive numbers"
