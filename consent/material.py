"""Protected material of the tables: data keys, pictures and embeddings, sealed and opened.

Data keys never leave this package; a picture or an embedding leaves it only through ``selectors``.
"""

from __future__ import annotations

import hashlib
import io
import math
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.core.files.storage import storages
from django.db import transaction
from django.utils import timezone

from consent import faces, vault
from consent.errors import CiphertextError, ShreddedError
from consent.models import (
    Asset,
    BlockEntry,
    BlockTemplate,
    Disclosure,
    Identity,
    Portrait,
    Template,
    new_id,
)


def new_asset(tenant: str, *, identity: Identity | None) -> Asset:
    """A stored asset with a fresh data key."""
    asset = Asset(tenant=tenant, identity=identity, kek_id=vault.KEK_ID)
    asset.wrapped_key = vault.wrap(vault.seed("kek"), vault.new_key(), _place(asset, "key"))
    asset.save(force_insert=True)
    return asset


def data_key(asset: Asset) -> bytes:
    """The asset's data key.

    Raises:
        ShreddedError: it was destroyed.
        CiphertextError: it belongs to another row, or another key-encryption key wrapped it.
        KeyUnavailableError: the key provider gives nothing.
    """
    return _unwrap(vault.seed("kek"), asset)


def shred(asset: Asset) -> None:
    """Destroy the data key; the ciphertexts, now noise, are deleted after the commit."""
    asset.wrapped_key = None
    asset.shredded = timezone.now()
    asset.save(update_fields=["wrapped_key", "shredded"])
    Template.objects.filter(portrait__asset=asset).delete()
    asset.disclosures.all().delete()
    for row in asset.portraits.all():
        for blob in (row.blob, row.preview_blob):
            transaction.on_commit(partial(_delete_blob, blob))


@contextmanager
def shelf() -> Iterator[list[str]]:
    """The blobs that are put while this is open; if it ends in an error, none of them stays."""
    blobs: list[str] = []
    try:
        yield blobs
    except BaseException:
        for blob in blobs:
            _delete_blob(blob)
        raise


def keep_portrait(
    asset: Asset,
    data: bytes,
    analysis: faces.PortraitAnalysis,
    *,
    identity: Identity,
    by: str,
    shelf: list[str],
) -> Portrait:
    """Store one picture, its preview and its embedding, each encrypted under the asset's data key."""
    key, row_id = data_key(asset), new_id("por")
    shelf.append(_put(data, key, _place(asset, "portrait", row_id)))
    shelf.append(_put(analysis.preview_png, key, _place(asset, "preview", row_id)))
    row = Portrait.objects.create(
        id=row_id,
        tenant=asset.tenant,
        identity=identity,
        asset=asset,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        blob=shelf[-2],
        preview_blob=shelf[-1],
        quality={
            "measures": {name: _plain(value) for name, value in analysis.measures.items()},
            "warnings": [{"code": item.code, "message": item.message} for item in analysis.warnings],
        },
        added_by=by,
    )
    Template.objects.create(
        portrait=row,
        tenant=asset.tenant,
        sealed=vault.seal_row(key, faces.vector_bytes(vector(analysis)), _place(asset, "template", row_id)),
        model_sha256=analysis.model_sha256,
        metric=analysis.metric,
    )
    return row


def keep_blocked(
    entry: BlockEntry, number: int, vector: faces.Vector, *, model_sha256: str, metric: str
) -> None:
    """Store one embedding of a blocked face under the entry's own data key."""
    place = _place(entry.asset, "block", f"{entry.id}.{number}")
    BlockTemplate.objects.create(
        entry=entry,
        tenant=entry.tenant,
        number=number,
        sealed=vault.seal_row(data_key(entry.asset), faces.vector_bytes(vector), place),
        model_sha256=model_sha256,
        metric=metric,
    )


def keep_disclosure(asset: Asset, event_id: uuid.UUID, plain: bytes) -> None:
    """Store what an entry of the log commits to, under the asset's data key; it opens for this entry only."""
    sealed = vault.seal_row(data_key(asset), plain, _place(asset, "disclosure", str(event_id)))
    Disclosure.objects.create(event_id=event_id, tenant=asset.tenant, asset=asset, sealed=sealed)


def open_portrait(row: Portrait) -> bytes:
    """The enrolled picture, byte for byte.

    Raises:
        ShreddedError: the key was destroyed.
        CiphertextError: the ciphertext was edited or moved, or holds another picture.
    """
    data = _get(row, row.blob, "portrait")
    if hashlib.sha256(data).hexdigest() != row.sha256:
        raise CiphertextError(f"Portrait {row.id} is not the picture that was enrolled.")
    return data


def open_preview(row: Portrait) -> bytes:
    """The preview PNG; raises as ``open_portrait``."""
    return _get(row, row.preview_blob, "preview")


class Keys:
    """Data keys that one question opens, so that the key provider is asked once for all of them."""

    def __init__(self) -> None:
        self._kek = vault.seed("kek")
        self._held: dict[str, bytes] = {}

    def of(self, asset: Asset) -> bytes:
        """The asset's data key; raises as ``data_key``."""
        if asset.id not in self._held:
            self._held[asset.id] = _unwrap(self._kek, asset)
        return self._held[asset.id]


def open_template(row: Template, keys: Keys) -> faces.Vector:
    """The embedding of a portrait; raises as ``open_portrait``."""
    asset = row.portrait.asset
    place = _place(asset, "template", row.portrait_id)
    return faces.vector_of(vault.open_row(keys.of(asset), bytes(row.sealed), place))


def open_blocked(row: BlockTemplate, keys: Keys) -> faces.Vector:
    """An embedding of a blocked face; raises as ``open_portrait``."""
    asset = row.entry.asset
    place = _place(asset, "block", f"{row.entry_id}.{row.number}")
    return faces.vector_of(vault.open_row(keys.of(asset), bytes(row.sealed), place))


def open_disclosure(row: Disclosure, keys: Keys) -> bytes:
    """What an entry of the log commits to; raises as ``open_portrait``."""
    place = _place(row.asset, "disclosure", str(row.event_id))
    return vault.open_row(keys.of(row.asset), bytes(row.sealed), place)


def commitment(row: Portrait) -> str:
    """What the log says of the portrait; it means nothing once the key is gone."""
    return vault.commitment(data_key(row.asset), row.sha256)


def _unwrap(kek: bytes, asset: Asset) -> bytes:
    if asset.wrapped_key is None:
        raise ShreddedError(f"The data key of asset {asset.id} was destroyed on {asset.shredded:%Y-%m-%d}.")
    return vault.unwrap(kek, bytes(asset.wrapped_key), _place(asset, "key"))


def _place(asset: Asset, kind: str, row: str = "") -> str:
    """Where a ciphertext belongs; moved to another place it does not open."""
    return f"tenant={asset.tenant}|asset={asset.id}|kind={kind}" + (f"|row={row}" if row else "")


def _put(data: bytes, key: bytes, place: str) -> str:
    sealed = io.BytesIO()
    vault.encrypt(io.BytesIO(data), sealed, key=key, context=place)
    sealed.seek(0)
    return str(storages["blobs"].put(sealed))  # type: ignore[attr-defined]  # our blob store, by settings


def _get(row: Portrait, blob: str, kind: str) -> bytes:
    key = data_key(row.asset)
    with storages["blobs"].open(blob) as source:
        return b"".join(vault.decrypt(source, key=key, context=_place(row.asset, kind, row.id)))  # type: ignore[arg-type]


def _delete_blob(blob: str) -> None:
    storages["blobs"].delete(blob)


def vector(analysis: faces.PortraitAnalysis) -> faces.Vector:
    """The embedding of an accepted picture."""
    assert analysis.vector is not None  # noqa: S101  # faces.analyse refuses an accepted one without
    return analysis.vector


def _plain(value: object) -> object:
    """A number as JSON has it: a network's scalar as a float, and nothing in place of NaN."""
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    number = float(value)  # type: ignore[arg-type]  # whatever else an embedder measures is a number
    return round(number, 4) if math.isfinite(number) else None
