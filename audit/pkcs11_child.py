"""The process that holds one PKCS#11 session; started by `audit.pkcs11`, never imported by it.

It reads lines from its standard input and answers each with one JSON line: first where the key is (JSON),
answered with the public key; then messages (hex), each answered with its signature. It ends with its input,
and after any error: whoever started it starts another.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ED25519_BYTES = 32
_OCTET_STRING = bytes((0x04, ED25519_BYTES))  # DER, around CKA_EC_POINT
_PIN_FAULTS = (
    "PinIncorrect",
    "PinLocked",
    "PinExpired",
    "PinInvalid",
    "PinLenRange",
    "UserPinNotInitialized",
)


class KeyFaultError(Exception):
    """The token holds no such Ed25519 key."""


def open_key(order: Mapping[str, str]) -> tuple[Any, bytes]:
    """The private key, in a session that is logged in, and the 32 bytes of its public half."""
    from pkcs11 import Attribute, KeyType, NoSuchKey, ObjectClass, lib

    pin = Path(order["pin"]).read_text(encoding="utf-8").strip()
    token = lib(order["module"]).get_token(token_label=order["token"])
    session = token.open(user_pin=pin)
    named: dict[str, Any] = {"label": order["object"]}
    if order["id"]:
        named["id"] = bytes.fromhex(order["id"])
    try:
        private, public = (
            session.get_key(object_class=kind, **named)
            for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
        )
    except NoSuchKey as error:
        raise KeyFaultError("it holds no such pair of keys") from error
    edwards = private.key_type == public.key_type == KeyType.EC_EDWARDS
    point = bytes(public[Attribute.EC_POINT]) if edwards else b""
    point = point.removeprefix(_OCTET_STRING) if len(point) == ED25519_BYTES + 2 else point
    if len(point) != ED25519_BYTES:
        raise KeyFaultError("the key is not an Ed25519 key")
    return private, point


def told(error: Exception) -> dict[str, str]:
    """What went wrong: `pin`, `library`, `key` or `token`, and some words; never a secret."""
    name = type(error).__name__
    if name in _PIN_FAULTS:
        return {"fault": "pin", "text": name}
    if isinstance(error, ImportError):
        return {"fault": "library", "text": "python-pkcs11 is not installed: take the extra `hsm`"}
    fault = "key" if isinstance(error, KeyFaultError) else "token"
    return {"fault": fault, "text": f"{name}: {error}".rstrip(": ")}


def main() -> int:
    """Answer until the input ends."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # what a vendor's library prints is no answer
        try:
            key, public = open_key(json.loads(sys.stdin.readline()))
            from pkcs11 import Mechanism

            print(json.dumps({"public": public.hex()}), file=answers, flush=True)
            for line in sys.stdin:
                signature = key.sign(bytes.fromhex(line.strip()), mechanism=Mechanism.EDDSA)
                print(json.dumps({"signature": signature.hex()}), file=answers, flush=True)
        except Exception as error:  # noqa: BLE001  the edge of the program: every fault becomes one answer
            print(json.dumps(told(error)), file=answers, flush=True)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
