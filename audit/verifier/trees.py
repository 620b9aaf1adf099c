"""Trees: where proofs lead to (RFC 9162, 2.1), and whether one signed tree extends another."""

from __future__ import annotations

import hashlib

from audit.verifier.notes import Head, Policy, RefusedError, unbase64


def root_from(index: int, size: int, leaf: bytes, proof: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2), or RefusedError."""
    if index >= size or len(proof) > 63 or any(len(item) != 32 for item in proof):
        raise RefusedError("the proof is malformed")
    last, root = size - 1, leaf
    for sibling in proof:
        if not last:
            raise RefusedError("the proof is too long")
        if index & 1 or index == last:
            root = hashlib.sha256(b"\x01" + sibling + root).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            root = hashlib.sha256(b"\x01" + root + sibling).digest()
        index, last = index >> 1, last >> 1
    if last:
        raise RefusedError("the proof is too short")
    return root


def roots_from(old: int, size: int, old_root: bytes, proof: list[bytes]) -> tuple[bytes, bytes]:
    """Both roots that a consistency proof leads to (RFC 9162, 2.1.4.2), or RefusedError."""
    if not 0 < old < size or not proof or len(proof) > 63 or any(len(item) != 32 for item in proof):
        raise RefusedError("the consistency proof is malformed")
    path = proof if old & (old - 1) else [old_root, *proof]
    position, last = old - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if not last:
            raise RefusedError("the consistency proof is too long")
        if position & 1 or position == last:
            before = hashlib.sha256(b"\x01" + sibling + before).digest()
            after = hashlib.sha256(b"\x01" + sibling + after).digest()
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            after = hashlib.sha256(b"\x01" + after + sibling).digest()
        position, last = position >> 1, last >> 1
    if last:
        raise RefusedError("the consistency proof is too short")
    return before, after


def extends(kept: Head, head: Head, proof: str, policy: Policy) -> bool:
    """Whether a head extends a kept one by a proof in the form of an add-checkpoint request.

    RefusedError: the proof is malformed, or of other heads than these.
    """
    if kept.size in (0, head.size):
        return not kept.size or kept.root == head.root
    text, gap, note = proof.partition("\n\n")
    first, *lines = text.split("\n")
    if not gap or first != f"old {kept.size}":
        raise RefusedError(f"the bundle has no consistency proof from the checkpoint of {kept.size}")
    if policy.head(note)[:3] != head[:3]:
        raise RefusedError("the consistency proof is of another tree than the entries")
    before, after = roots_from(kept.size, head.size, kept.root, [unbase64(line) for line in lines])
    return before == kept.root and after == head.root
