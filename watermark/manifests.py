"""What a content credential says, and the claim of C2PA 2.2 that says it.

It names the mark id (soft binding), the consent and the log entry by pseudonyms, and the ingredients by
commitments only: no face picture ever goes into it, not even as a thumbnail.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from watermark.containers import Kind
from watermark.metadata import AigcState, SourceType

SOFT_BINDING = "com.likeness.tilemark.2"
"""Private name until the algorithm is in the C2PA list of soft bindings."""
CONSENT = "com.likeness.consent"
INPUT = "com.likeness.input"


class Role(StrEnum):
    """What an ingredient was used for."""

    DRIVING = "driving"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Ingredient:
    """An input, by commitment: a salted hash that the record can open and nobody else can search for.

    ``credentialed``: the file itself, when it has a credential of its own that is to be carried on.
    """

    role: Role
    title: str
    commitment: str
    credentialed: Path | None = None


@dataclass(frozen=True, slots=True)
class ConsentStatement:
    """Where the consent stands; pseudonyms only, all known before the file is signed."""

    consent: str
    log: str
    leaf: int
    leaf_hash: str
    policy: str


@dataclass(frozen=True, slots=True)
class InputStatement:
    """What the footage said of its own origin before we changed it: its makers' words, kept as provenance.

    ``aigc``: its AIGC label, canonical, when it could be read; ``mark``: an older invisible id of ours.
    """

    aigc_state: AigcState = AigcState.ABSENT
    aigc: str = ""
    credential: str = "absent"
    signer: str = ""
    manifest_sha256: str = ""
    mark: str = ""

    @property
    def silent(self) -> bool:
        """True when it said nothing."""
        return self == SILENT

    def as_record(self) -> dict[str, str]:
        """JSON-ready; what was not said is left out."""
        return {name: str(value) for name, value in asdict(self).items() if value}


SILENT = InputStatement()


@dataclass(frozen=True, slots=True)
class ManifestInput:
    """What one credential says."""

    title: str
    mark_id: int
    statement: ConsentStatement
    when: datetime
    software: str = "Likeness"
    version: str = "0.1.0"
    source: SourceType = SourceType.COMPOSITE
    ingredients: tuple[Ingredient, ...] = ()
    input: InputStatement = SILENT


def claim(manifest: ManifestInput, kind: Kind) -> dict[str, Any]:
    """The manifest definition, as the library takes it."""
    agent = {"name": manifest.software, "version": manifest.version}
    created: dict[str, Any] = {
        "action": "c2pa.created",
        "digitalSourceType": str(manifest.source),
        "softwareAgent": agent,
        "when": manifest.when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if manifest.ingredients:
        created["parameters"] = {"ingredientIds": [str(part.role) for part in manifest.ingredients]}
    actions = [created, {"action": "c2pa.watermarked.bound"}]
    binding = {"alg": SOFT_BINDING, "blocks": [{"scope": {}, "value": f"{manifest.mark_id:016x}"}]}
    assertions: list[dict[str, Any]] = [
        {"label": "c2pa.actions.v2", "data": {"allActionsIncluded": True, "actions": actions}},
        {"label": "c2pa.soft-binding", "data": binding},
        {"label": CONSENT, "data": asdict(manifest.statement)},
    ]
    if not manifest.input.silent:
        assertions.append({"label": INPUT, "data": manifest.input.as_record()})
    return {
        "claim_generator_info": [agent],
        "title": manifest.title,
        "format": kind.value,
        "assertions": assertions,
    }


# ---- reading: anyone may have written it, so every shape is possible ----------------------------


def mark_of(binding: Any) -> int | None:
    """The id of our soft binding."""
    with suppress(KeyError, IndexError, TypeError, ValueError):
        if binding["alg"] == SOFT_BINDING:
            value = str(binding["blocks"][0]["value"])
            return int(value, 16) if len(value) == 16 else None
    return None


def statement_of(data: Any) -> ConsentStatement | None:
    """Our statement about the consent."""
    with suppress(KeyError, TypeError, ValueError):
        return ConsentStatement(
            str(data["consent"]),
            str(data["log"]),
            int(data["leaf"]),
            str(data["leaf_hash"]),
            str(data["policy"]),
        )
    return None


def source_of(actions: Any) -> str:
    """The digital source type of the first action."""
    with suppress(KeyError, IndexError, TypeError):
        return str(actions["actions"][0]["digitalSourceType"])
    return ""


def input_of(data: Any) -> InputStatement:
    """What the footage had said; all empty where nothing sound is written."""
    with suppress(KeyError, TypeError, ValueError):
        values = {name: str(data[name]) for name in InputStatement.__slots__ if name in data}
        state = AigcState(values.pop("aigc_state", "absent"))
        return InputStatement(aigc_state=state, **values)
    return SILENT
