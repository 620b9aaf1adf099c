"""Merkle tree hashes, proofs and their verification (RFC 6962, 2.1; RFC 9162, 2.1.3 and 2.1.4)."""

import hashlib
from collections.abc import Callable, Sequence

from audit.errors import ProofError

HASH_BYTES = 32
MAX_PROOF_HASHES = 63  # a tree holds at most 2^63 - 1 leaves
EMPTY_ROOT = hashlib.sha256(b"").digest()

NodeReader = Callable[[int, int], bytes]
"""(height, index) -> hash of the complete subtree of 2^height leaves that starts at leaf index * 2^height."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root of a complete subtree: `hashes` holds a power of two of sibling hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def _split(count: int) -> int:
    """The largest power of two below `count` (RFC 6962, 2.1: k)."""
    return 1 << ((count - 1).bit_length() - 1)


def range_hash(start: int, end: int, node: NodeReader) -> bytes:
    """MTH(D[start:end]) for a range that a split of the tree can produce."""
    count = end - start
    if count == 0:
        return EMPTY_ROOT
    if count & (count - 1) == 0 and start % count == 0:
        height = count.bit_length() - 1
        return node(height, start >> height)
    middle = start + _split(count)
    return node_hash(range_hash(start, middle, node), range_hash(middle, end, node))


def inclusion(index: int, size: int, node: NodeReader) -> tuple[bytes, ...]:
    """PATH(index, D[size]), from the leaf's sibling up (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ProofError(f"Entry {index} is not in a tree of {size}.")
    proof, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(range_hash(middle, end, node))
            end = middle
        else:
            proof.append(range_hash(start, middle, node))
            start = middle
    return tuple(reversed(proof))


def consistency(old: int, size: int, node: NodeReader) -> tuple[bytes, ...]:
    """PROOF(old, D[size]) (RFC 6962, 2.1.2); empty when old is 0 or size."""
    if not 0 <= old <= size:
        raise ProofError(f"A tree of {size} does not extend one of {old}.")
    if old in {0, size}:
        return ()
    proof, start, end, whole = [], 0, size, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(range_hash(middle, end, node))
            end = middle
        else:
            proof.append(range_hash(start, middle, node))
            start, whole = middle, False
    if not whole:
        proof.append(range_hash(start, end, node))
    return tuple(reversed(proof))


def _check_shape(proof: Sequence[bytes]) -> None:
    if len(proof) > MAX_PROOF_HASHES:
        raise ProofError(f"The proof has {len(proof)} hashes; {MAX_PROOF_HASHES} is the most.")
    if any(len(item) != HASH_BYTES for item in proof):
        raise ProofError(f"A hash of the proof is not {HASH_BYTES} bytes.")


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2).

    Raises:
        ProofError: the proof is too long, too short or malformed.
    """
    _check_shape(proof)
    if not 0 <= index < size:
        raise ProofError(f"Entry {index} is not in a tree of {size}.")
    position, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("The inclusion proof is too long.")
        if position & 1 or position == last:
            root = node_hash(sibling, root)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("The inclusion proof is too short.")
    return root


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Accept only a proof that `leaf` is entry `index` of the tree (size, root).

    Raises:
        ProofError: it is not.
    """
    if root_from_inclusion(index, size, leaf, proof) != root:
        raise ProofError(f"The proof of entry {index} does not lead to the root of the tree of {size}.")


def verify_consistency(old: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> None:
    """Accept only a proof that the tree (size, root) extends (old, old_root) (RFC 9162, 2.1.4.2).

    Raises:
        ProofError: it does not.
    """
    _check_shape(proof)
    if old > size or old < 0:
        raise ProofError(f"A tree of {size} does not extend one of {old}.")
    if old in {0, size}:
        _verify_trivial(old, size, old_root, root, proof)
        return
    if not proof:
        raise ProofError("The consistency proof is empty.")
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    before, after = _roots_from_consistency(old, size, path)
    if before != old_root or after != root:
        raise ProofError(f"The tree of {size} does not extend the tree of {old}.")


def _verify_trivial(old: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> None:
    if proof:
        raise ProofError(f"A proof from {old} to {size} must be empty.")
    if old == 0 and old_root != EMPTY_ROOT:
        raise ProofError("The root of an empty tree is wrong.")
    if old == size and old_root != root:
        raise ProofError(f"Two trees of {size} have different roots.")


def _roots_from_consistency(old: int, size: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    position, last = old - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("The consistency proof is too long.")
        if position & 1 or position == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("The consistency proof is too short.")
    return before, after


class CompactRange:
    """The root of a growing tree from at most 63 hashes: leaves are pushed in order."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def push(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        height, merged = 0, leaf
        while self._peaks and self._peaks[-1][0] == height:
            merged = node_hash(self._peaks.pop()[1], merged)
            height += 1
        self._peaks.append((height, merged))
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root
