"""How fast protected material opens, and what a licence costs to check.

    python -m tests.bench.bench_consent [--mib 64]

Wall time of this process, one thread, the best of five rounds; encryption and decryption run in memory.
``copy`` is a plain copy of the same bytes, so that two machines, or one machine twice, can be compared.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from consent import licence, terms, vault
from consent.licence import Use

CONTEXT = "tenant=bench|asset=ast_0|kind=portrait|row=por_0"
ROUNDS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=64)
    mib = parser.parse_args().mib
    print(json.dumps({**files(mib << 20), **rows(), **documents()}, indent=1))


def best(work: Callable[[], object], *, times: int = 1) -> float:
    """Seconds of one run of ``work``."""
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            work()
        found.append((time.perf_counter() - began) / times)
    return min(found)


def files(size: int) -> dict[str, float]:
    """Gigabytes a second of the file format."""
    key, plain = vault.new_key(), os.urandom(size)
    sealed = io.BytesIO()
    vault.encrypt(io.BytesIO(plain), sealed, key=key, context=CONTEXT)
    data = sealed.getvalue()

    def decrypt() -> None:
        for _ in vault.decrypt(io.BytesIO(data), key=key, context=CONTEXT):
            pass

    return {
        "copy_gb_s": round(size / best(lambda: bytearray(plain)) / 1e9, 2),
        "encrypt_gb_s": round(
            size
            / best(lambda: vault.encrypt(io.BytesIO(plain), io.BytesIO(), key=key, context=CONTEXT))
            / 1e9,
            2,
        ),
        "decrypt_gb_s": round(size / best(decrypt) / 1e9, 2),
        "overhead_percent": round((len(data) / size - 1) * 100, 4),
    }


def rows() -> dict[str, float]:
    """Microseconds of a wrapped key and of one embedding."""
    kek, key = vault.new_key(), vault.new_key()
    wrapped = vault.wrap(kek, key, CONTEXT)
    vector = np.zeros(512, dtype="<f4").tobytes()
    sealed = vault.seal_row(key, vector, CONTEXT)
    return {
        "unwrap_us": round(best(lambda: vault.unwrap(kek, wrapped, CONTEXT), times=2000) * 1e6, 1),
        "open_embedding_us": round(best(lambda: vault.open_row(key, sealed, CONTEXT), times=2000) * 1e6, 1),
    }


def documents() -> dict[str, float]:
    """Milliseconds of a licence: signature, schema and scope."""
    now, seed = datetime.now(UTC), bytes(32)
    agreed = terms.LicenceTerms(
        operations=["face_swap"],
        purposes=["product_explainer"],
        channels=["branch_screen"],
        territories=["CN"],
        languages=["zh"],
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=365),
        separate_consents=[
            terms.SeparateConsent(code, "a" * 64, "zh-CN", now) for code in ("PIPL29_FACE", "DEEPSYN14_EDIT")
        ],
        signed_by="王五",
        signed_at=now,
        text_sha256="a" * 64,
        intended_use="网点屏幕中的产品讲解视频。",
    )
    party = terms.Party(
        "idn_" + "0" * 16, "sub_" + "0" * 16, "王五", "living", "likeness", "银行", ["b" * 64]
    )
    made = terms.build(agreed, party, licence_id="con_" + "0" * 16)
    signature, public = licence.sign(made, seed=seed), licence.public_key(seed)
    use = Use("face_swap", "product_explainer", "branch_screen", "CN", "zh", seconds=30)

    def open_signed() -> None:
        licence.open_signed(made.canonical, sha256=made.sha256, signature=signature, public=public)

    return {
        "licence_bytes": len(made.canonical),
        "open_licence_ms": round(best(open_signed, times=50) * 1e3, 3),
        "permits_us": round(best(lambda: licence.permits(made, use, now), times=1000) * 1e6, 1),
    }


if __name__ == "__main__":
    main()
