"""Content credentials: a C2PA manifest in every delivered file, signed last, read back without any network.

Matroska and WebM cannot hold one inside: theirs is a sidecar, bound to every octet of the file. The store of
every credential is kept beside the file in any case, and found again by the mark when a copy has lost it.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import c2pa

from watermark import containers, manifests, places
from watermark.containers import Kind
from watermark.credentials import ClaimSigner as ClaimSigner
from watermark.credentials import CredentialChain as CredentialChain
from watermark.credentials import make_chain as make_chain
from watermark.errors import ContainerError, CredentialError, CredentialInvalidError
from watermark.manifests import CONSENT as CONSENT
from watermark.manifests import INPUT as INPUT
from watermark.manifests import SOFT_BINDING as SOFT_BINDING
from watermark.manifests import ConsentStatement as ConsentStatement
from watermark.manifests import Ingredient as Ingredient
from watermark.manifests import InputStatement as InputStatement
from watermark.manifests import ManifestInput as ManifestInput
from watermark.manifests import Role as Role

INHERITED_MAX = 64 * 1024
"""Octets of an input's own credential that are carried on in ours; a larger one is only named by its hash."""
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"WEBPVP8", b"thumbnail")
_CHANGED = frozenset(
    f"assertion.{name}.mismatch" for name in ("bmffHash", "dataHash", "boxesHash", "collectionHash")
)
"""Failures that say that the file is another one than was signed, and nothing against the credential."""


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
    input: InputStatement = manifests.SILENT

    @property
    def rejoins(self) -> bool:
        """True when the credential holds and only the file is not, octet for octet, the one it was made for.

        That is what a kept store says of a copy that lost it: signed by us, and about which output; that the
        copy is of that output has to be told by its invisible mark.
        """
        return self.state is C2paState.INVALID and bool(self.failures) and _CHANGED.issuperset(self.failures)


# ---- signing ------------------------------------------------------------------------------------


def sign(path_in: Path, path_out: Path, manifest: ManifestInput, signer: ClaimSigner) -> bytes:
    """Write a signed copy and give its manifest store, which is to be kept under the mark id.

    Nothing may change the file afterwards. On failure no output is left. Of a kind that cannot hold a
    credential the copy is equal to the input, and the store is all there is.

    Raises:
        CredentialError: chain, key or file cannot be used.
        ContainerError: the input is of no kind that is signed.
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


def _signed(path_in: Path, path_out: Path, kind: Kind, manifest: ManifestInput, signer: ClaimSigner) -> bytes:
    with (
        c2pa.Context.from_dict(_settings("")) as context,
        c2pa.Signer.from_callback(signer.sign, c2pa.C2paSigningAlg.ES256, signer.chain_pem) as key,
        c2pa.Builder(manifests.claim(manifest, kind), context=context) as builder,
        path_in.open("rb") as source,
        path_out.open("w+b") as target,
    ):
        for part in manifest.ingredients:
            _add(builder, part)
        if kind in containers.SIDECAR_ONLY:
            builder.set_no_embed()
        return bytes(builder.sign(key, kind.value, source, target))


def _add(builder: Any, part: Ingredient) -> None:
    about = json.dumps({"title": part.title, "relationship": "inputTo", "label": part.role})
    if part.credentialed is not None:
        with part.credentialed.open("rb") as file:
            builder.add_ingredient(about, containers.kind_of(part.credentialed).value, file)
        return
    commitment = io.BytesIO(b"commitment:" + part.commitment.encode())
    builder.add_ingredient(about, "application/octet-stream", commitment)


def inheritable(path: Path) -> bool:
    """Whether a file has a credential of its own that ours may carry on: small, and without any picture.

    A thumbnail in it would show a face that the output no longer shows.
    """
    try:
        store = places.manifest_store(path)
    except ContainerError:
        return False
    return 0 < len(store) <= INHERITED_MAX and not any(picture in store for picture in _PICTURES)


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
        kind = containers.kind_of(path).value
    except ContainerError as error:
        if store is None:
            return C2paRead(C2paState.ABSENT, (str(error),))
        kind = "application/octet-stream"
    if store is None and kind in containers.SIDECAR_ONLY:
        return C2paRead(C2paState.ABSENT, ("no credential inside this kind of file",))
    try:
        with (
            c2pa.Context.from_dict(_settings(anchors_pem)) as context,
            path.open("rb") as file,
            c2pa.Reader(kind, file, store, context) as reader,
        ):
            report = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return C2paRead(C2paState.ABSENT)
    except (c2pa.C2paError, OSError, ValueError) as error:
        if str(error).startswith("Remote"):  # the library has no class of its own for it
            return C2paRead(C2paState.ABSENT, ("remote manifest not fetched",))
        return C2paRead(C2paState.INVALID, (str(error),))
    return _understood(report)


def check(path: Path, anchors_pem: str, *, mark_id: int, store: bytes | None = None) -> C2paRead:
    """Read a sealed file back: trusted by our root, and naming this mark.

    ``store``: for a kind that holds none inside, the store that ``sign`` gave.

    Raises:
        CredentialInvalidError: it is not.
    """
    found = read(path, anchors_pem, store=store)
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
        manifests.mark_of(data.get("c2pa.soft-binding")),
        manifests.statement_of(data.get(CONSENT)),
        str(signer.get("common_name") or signer.get("issuer") or ""),
        manifests.source_of(data.get("c2pa.actions.v2")),
        manifests.input_of(data.get(INPUT)),
    )
