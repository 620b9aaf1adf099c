"""Content credentials: a C2PA manifest in every delivered file, signed last, read back without any network.

The manifest names the mark id (soft binding), the consent and the log entry by pseudonyms, and the
ingredients by commitments only: no face picture ever goes into it, not even as a thumbnail.
"""

from __future__ import annotations

import io
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import c2pa

from watermark import containers, places
from watermark.credentials import ClaimSigner as ClaimSigner
from watermark.credentials import CredentialChain as CredentialChain
from watermark.credentials import make_chain as make_chain
from watermark.errors import ContainerError, CredentialError, CredentialInvalidError
from watermark.metadata import SourceType

SOFT_BINDING = "com.likeness.tilemark.2"
"""Private name until the algorithm is in the C2PA list of soft bindings."""
CONSENT = "com.likeness.consent"


class Role(StrEnum):
    """What an ingredient was used for."""

    DRIVING = "driving"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Ingredient:
    """An input, by commitment: a salted hash that the record can open and nobody else can search for."""

    role: Role
    title: str
    commitment: str


@dataclass(frozen=True, slots=True)
class ConsentStatement:
    """Where the consent stands; pseudonyms only, all known before the file is signed."""

    consent: str
    log: str
    leaf: int
    leaf_hash: str
    policy: str


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


class C2paState(StrEnum):
    """How far a credential can be believed."""

    TRUSTED = "Trusted"
    VALID = "Valid"
    INVALID = "Invalid"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class C2paRead:
    """What a file's credential says. Believe the content only in state ``Trusted``."""

    state: C2paState
    failures: tuple[str, ...] = ()
    mark_id: int | None = None
    statement: ConsentStatement | None = None
    signer: str = ""
    source: str = ""


# ---- signing ------------------------------------------------------------------------------------


def sign(path_in: Path, path_out: Path, manifest: ManifestInput, signer: ClaimSigner) -> bytes:
    """Write a signed copy and give its manifest store, which is to be kept under the mark id.

    Nothing may change the file afterwards. On failure no output is left.

    Raises:
        CredentialError: chain, key or file cannot be used.
        ContainerError: the input is not a JPEG, PNG or MP4 file.
    """
    if path_in.resolve() == path_out.resolve():
        raise CredentialError(f"{path_in.name} cannot be signed onto itself.")
    kind = containers.kind_of(path_in)
    try:
        store = _signed(path_in, path_out, kind, manifest, signer)
    except (c2pa.C2paError, OSError) as error:
        path_out.unlink(missing_ok=True)
        raise CredentialError(f"{path_in.name} could not be signed: {error}") from error
    if not store:
        path_out.unlink(missing_ok=True)
        raise CredentialError(f"{path_in.name} was signed without a manifest.")
    return store


def _signed(
    path_in: Path, path_out: Path, kind: containers.Kind, manifest: ManifestInput, signer: ClaimSigner
) -> bytes:
    with (
        c2pa.Context.from_dict(_settings("")) as context,
        c2pa.Signer.from_callback(signer.sign, c2pa.C2paSigningAlg.ES256, signer.chain_pem) as key,
        c2pa.Builder(_claim(manifest, kind), context=context) as builder,
        path_in.open("rb") as source,
        path_out.open("w+b") as target,
    ):
        for part in manifest.ingredients:
            about = {"title": part.title, "relationship": "inputTo", "label": part.role}
            commitment = io.BytesIO(b"commitment:" + part.commitment.encode())
            builder.add_ingredient(json.dumps(about), "application/octet-stream", commitment)
        return bytes(builder.sign(key, kind.value, source, target))


def _claim(manifest: ManifestInput, kind: containers.Kind) -> dict[str, Any]:
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
    said = manifest.statement
    statement = {name: getattr(said, name) for name in ("consent", "log", "leaf", "leaf_hash", "policy")}
    return {
        "claim_generator_info": [agent],
        "title": manifest.title,
        "format": kind.value,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"allActionsIncluded": True, "actions": actions}},
            {"label": "c2pa.soft-binding", "data": binding},
            {"label": CONSENT, "data": statement},
        ],
    }


def _settings(anchors_pem: str) -> dict[str, Any]:
    """No network, no thumbnail, trust only what is given; 32 MB before the library spills to disk."""
    settings: dict[str, Any] = {
        "builder": {"thumbnail": {"enabled": False}},
        "verify": {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
        "core": {"allowed_network_hosts": [], "backing_store_memory_threshold_in_mb": 32},
    }
    if anchors_pem:
        settings["trust"] = {"user_anchors": anchors_pem}
    return settings


# ---- reading ------------------------------------------------------------------------------------


def read(path: Path, anchors_pem: str, *, store: bytes | None = None) -> C2paRead:
    """Read and verify the credential of a file, or a kept manifest store against the file.

    A file that was changed, or whose signer is not under ``anchors_pem``, is never ``Trusted``.
    """
    try:
        kind = containers.kind_of(path)
    except ContainerError as error:
        return C2paRead(C2paState.ABSENT, (str(error),))
    try:
        with (
            c2pa.Context.from_dict(_settings(anchors_pem)) as context,
            path.open("rb") as file,
            c2pa.Reader(kind.value, file, store, context) as reader,
        ):
            report = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return C2paRead(C2paState.ABSENT)
    except (c2pa.C2paError, OSError, ValueError) as error:
        if str(error).startswith("Remote"):  # the library has no class of its own for it
            return C2paRead(C2paState.ABSENT, ("remote manifest not fetched",))
        return C2paRead(C2paState.INVALID, (str(error),))
    return _understood(report)


def check(path: Path, anchors_pem: str, *, mark_id: int) -> C2paRead:
    """Read a sealed file back: trusted by our root, and naming this mark.

    Raises:
        CredentialInvalidError: it is not.
    """
    found = read(path, anchors_pem)
    if found.state is not C2paState.TRUSTED:
        why = ", ".join(found.failures) or "no reason given"
        raise CredentialInvalidError(f"The credential of {path.name} is {found.state}: {why}.")
    if found.mark_id != mark_id:
        raise CredentialInvalidError(f"The credential of {path.name} names another mark.")
    return found


def extract_manifest(path: Path) -> bytes:
    """The manifest store inside a file, to keep or to compare.

    Raises:
        CredentialError: there is none.
        ContainerError: the file is malformed or of another kind.
    """
    store = places.manifest_store(path)
    if not store:
        raise CredentialError(f"{path.name} carries no content credential.")
    return store


def _understood(report: dict[str, Any]) -> C2paRead:
    active = report.get("manifests", {}).get(report.get("active_manifest", ""), {})
    results = report.get("validation_results", {}).get("activeManifest") or {}
    failures = tuple(str(entry.get("code", "")) for entry in results.get("failure", []))
    data: dict[str, Any] = {}
    for assertion in active.get("assertions", []):
        data.setdefault(str(assertion.get("label", "")), assertion.get("data"))
    try:
        state = C2paState(report.get("validation_state", ""))
    except ValueError:
        state = C2paState.INVALID
    signer = active.get("signature_info", {})
    return C2paRead(
        state,
        failures,
        _mark_id(data.get("c2pa.soft-binding")),
        _statement(data.get(CONSENT)),
        str(signer.get("common_name") or signer.get("issuer") or ""),
        _source(data.get("c2pa.actions.v2")),
    )


def _mark_id(binding: Any) -> int | None:
    """The id of our soft binding; anyone may have written it, so every shape is possible."""
    with suppress(KeyError, IndexError, TypeError, ValueError):
        if binding["alg"] == SOFT_BINDING:
            value = str(binding["blocks"][0]["value"])
            return int(value, 16) if len(value) == 16 else None
    return None


def _statement(data: Any) -> ConsentStatement | None:
    with suppress(KeyError, TypeError, ValueError):
        return ConsentStatement(
            str(data["consent"]),
            str(data["log"]),
            int(data["leaf"]),
            str(data["leaf_hash"]),
            str(data["policy"]),
        )
    return None


def _source(actions: Any) -> str:
    with suppress(KeyError, IndexError, TypeError):
        return str(actions["actions"][0]["digitalSourceType"])
    return ""
