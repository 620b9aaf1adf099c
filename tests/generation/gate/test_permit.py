from __future__ import annotations

import base64
import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from generation.errors import PermitError
from generation.gate import permit as permits
from generation.gate.permit import (
    InHand,
    InputClaim,
    LicenceClaim,
    LogPlace,
    ModelClaim,
    Permit,
    PolicyClaim,
    UseClaim,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
KID = permits.key_id(KEY.public_key())
KEYS = {KID: KEY.public_key()}
PERMIT = Permit(
    kid=KID,
    job="0b" * 16,
    tenant="demo",
    issued=SECONDS,
    expires=SECONDS + 3600,
    log=LogPlace("likeness.local/audit", 41),
    licences=(LicenceClaim("con_1", 1, "a1", 0), LicenceClaim("con_2", 1, "a2", 3)),
    inputs=(InputClaim("source", "aa", 10), InputClaim("target", "bb", 20)),
    use=UseClaim("face_swap", "product_explainer", "website", "CN", "zh", ""),
    models=(ModelClaim("detector", "m1"), ModelClaim("embedder", "m2")),
    policy=PolicyClaim("likeness.admit", 1, "cc"),
    gallery=7,
)
HAND = InHand(
    job=PERMIT.job,
    tenant=PERMIT.tenant,
    log=PERMIT.log,
    epochs={"con_1": 0, "con_2": 3},
    inputs=PERMIT.inputs,
    use=PERMIT.use,
    models=PERMIT.models,
    policy=PERMIT.policy,
    gallery=7,
)
TOKEN = permits.sign(PERMIT, KEY)


def _token(document: Any, key: Ed25519PrivateKey = KEY, *, canonical: bool = True) -> str:
    body = json.dumps(document, separators=(",", ":") if canonical else None, sort_keys=True).encode()
    parts = (body, key.sign(permits.CONTEXT + body))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _document() -> dict[str, Any]:
    body = TOKEN.split(".")[0]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def test_a_permit_holds_for_what_it_names() -> None:
    assert permits.verify(TOKEN, keys=KEYS, hand=HAND, now=NOW + timedelta(minutes=5)) == PERMIT


OTHERS = {
    "kid": "00" * 8,
    "job": "0c" * 16,
    "tenant": "other",
    "issued": SECONDS + 60,
    "expires": SECONDS - 1,
    "log": LogPlace("likeness.local/audit", 42),
    "licences": PERMIT.licences[:1],
    "inputs": (PERMIT.inputs[0], InputClaim("target", "bc", 20)),
    "use": replace(PERMIT.use, purpose="marketing"),
    "models": (ModelClaim("detector", "m1"), ModelClaim("embedder", "m9")),
    "policy": replace(PERMIT.policy, version=2),
    "gallery": 8,
}


def test_the_table_has_every_field() -> None:
    assert set(OTHERS) == {field.name for field in fields(Permit)}


@pytest.mark.parametrize("field", sorted(set(OTHERS) - {"kid"}))
def test_a_field_changed_and_signed_again_is_refused(field: str) -> None:
    document = {**_document(), field: json.loads(json.dumps(_plain(OTHERS[field])))}
    with pytest.raises(PermitError) as refused:
        permits.verify(_token(document), keys=KEYS, hand=HAND, now=NOW)
    assert refused.value.field in {field, "expires"}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int)) else {f.name: getattr(value, f.name) for f in fields(value)}


@pytest.mark.parametrize("field", sorted(OTHERS))
def test_a_field_changed_under_the_old_signature_is_refused(field: str) -> None:
    body = json.dumps(
        {**_document(), field: _plain(OTHERS[field])}, separators=(",", ":"), sort_keys=True
    ).encode()
    forged = base64.urlsafe_b64encode(body).rstrip(b"=").decode() + "." + TOKEN.split(".")[1]
    with pytest.raises(PermitError) as refused:
        permits.verify(forged, keys=KEYS, hand=HAND, now=NOW)
    assert refused.value.field in {"signature", "kid"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"job": "ff"}, "job"),
        ({"tenant": "x"}, "tenant"),
        ({"log": LogPlace("likeness.local/audit", 40)}, "log"),
        ({"log": LogPlace("elsewhere", 41)}, "log"),
        ({"epochs": {"con_1": 1, "con_2": 3}}, "licences"),
        ({"epochs": {"con_1": 0, "con_2": 4}}, "licences"),
        ({"epochs": {"con_1": 0}}, "licences"),
        ({"epochs": {}}, "licences"),
        ({"inputs": PERMIT.inputs[:1]}, "inputs"),
        ({"inputs": (InputClaim("source", "ab", 10), PERMIT.inputs[1])}, "inputs"),
        ({"inputs": (InputClaim("source", "aa", 11), PERMIT.inputs[1])}, "inputs"),
        ({"inputs": (InputClaim("target", "aa", 10), InputClaim("source", "bb", 20))}, "inputs"),
        ({"use": replace(PERMIT.use, channel="internal")}, "use"),
        ({"models": PERMIT.models[:1]}, "models"),
        ({"models": ()}, "models"),
        ({"policy": replace(PERMIT.policy, sha256="dd")}, "policy"),
        ({"gallery": 6}, "gallery"),
    ],
)
def test_another_thing_in_hand_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(PermitError) as refused:
        permits.verify(TOKEN, keys=KEYS, hand=replace(HAND, **changes), now=NOW)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("now", "field"),
    [
        (NOW + timedelta(hours=1), "expires"),
        (NOW + timedelta(days=400), "expires"),
        (NOW - timedelta(minutes=1), "issued"),
    ],
)
def test_a_permit_holds_only_in_its_time(now: datetime, field: str) -> None:
    with pytest.raises(PermitError) as refused:
        permits.verify(TOKEN, keys=KEYS, hand=HAND, now=now)
    assert refused.value.field == field


def test_a_newer_block_list_does_not_void_a_permit() -> None:
    assert permits.verify(TOKEN, keys=KEYS, hand=replace(HAND, gallery=8), now=NOW) == PERMIT


def test_a_permit_lives_a_day_at_most() -> None:
    with pytest.raises(PermitError, match="expires"):
        permits.sign(replace(PERMIT, expires=SECONDS + 86_401), KEY)
    with pytest.raises(PermitError, match="expires"):
        permits.verify(_token({**_document(), "expires": SECONDS + 86_401}), keys=KEYS, hand=HAND, now=NOW)


def test_another_key_is_refused() -> None:
    with pytest.raises(PermitError, match="kid"):
        permits.sign(PERMIT, OTHER)
    with pytest.raises(PermitError, match="signature"):
        permits.read(_token(_document(), OTHER), keys=KEYS)
    with pytest.raises(PermitError, match="kid"):
        permits.read(TOKEN, keys={})


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "a.b.c",
        TOKEN + ".",
        TOKEN + "=",
        TOKEN[:-2],
        TOKEN.split(".")[0],
        TOKEN.replace(".", "..", 1),
        "!!!!." + TOKEN.split(".")[1],
        "é." + TOKEN.split(".")[1],
        "a" * 40_000,
        _token([]),
        _token("x"),
        _token(None),
        _token({}),
        _token({**_document(), "extra": 1}),
        _token({key: value for key, value in _document().items() if key != "use"}),
        _token({**_document(), "gallery": "7"}),
        _token({**_document(), "gallery": True}),
        _token({**_document(), "gallery": 7.0}),
        _token({**_document(), "licences": [{"id": "con_1"}]}),
        _token({**_document(), "licences": None}),
        _token({**_document(), "log": ["x", 1]}),
        _token(_document(), canonical=False),
    ],
)
def test_a_malformed_token_is_refused(token: str) -> None:
    with pytest.raises(PermitError):
        permits.verify(token, keys=KEYS, hand=HAND, now=NOW)


def test_a_permit_without_consents_is_refused() -> None:
    bare = permits.sign(replace(PERMIT, licences=()), KEY)
    with pytest.raises(PermitError, match="licences"):
        permits.verify(bare, keys=KEYS, hand=replace(HAND, epochs={}), now=NOW)
