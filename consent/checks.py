"""What is wrong with a request, before anything is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from consent import faces
from consent.catalogue import Kind, Status
from consent.errors import Fault, PortraitRefusedError, RequestInvalidError
from consent.lint import name_faults
from consent.models import BlockList, Role
from consent.schema import Choice, Text

MAX_PORTRAITS = 20
MAX_PORTRAIT_BYTES = 20 * 2**20
MAX_ENROLMENT_BYTES = 64 * 2**20
"""All pictures of one request together: they are in memory at once."""
_REASON = Text(pattern=r"[^\x00-\x09\x0b-\x1f\x7f]*", at_most=500)


def refuse(faults: Iterator[Fault]) -> None:
    """Raise if there is any fault.

    Raises:
        RequestInvalidError: with every fault.
    """
    found = tuple(faults)
    if found:
        raise RequestInvalidError(found)


def enrolment_faults(name: str, status: str, kind: str, portraits: int) -> Iterator[Fault]:
    """Faults of a new identity."""
    faults = tuple(Text(at_most=60)(name, "$.name"))
    yield from faults or name_faults(name, "$.name")
    yield from Choice(frozenset(Status))(status, "$.status")
    yield from Choice(frozenset(Kind))(kind, "$.kind")
    if not 1 <= portraits <= MAX_PORTRAITS:
        yield Fault("$.portraits", "length", f"must be 1 to {MAX_PORTRAITS} pictures")


def upload_faults(sizes: Sequence[int | None]) -> Iterator[Fault]:
    """Faults of uploaded files, before they are read."""
    total = sum(size or 0 for size in sizes)
    if total > MAX_ENROLMENT_BYTES:
        yield Fault("$.portraits", "too_large", f"have {total} bytes together, over {MAX_ENROLMENT_BYTES}")


def reason_faults(reason: str) -> Iterator[Fault]:
    """Faults of the words that explain a decision."""
    yield from _REASON(reason.strip(), "$.reason")


def role_faults(role: str) -> Iterator[Fault]:
    """Faults of an approver's role."""
    yield from Choice(frozenset(Role.values))(role, "$.role")


def block_faults(image: bytes | None, identity_id: str | None, reason: str, list_: str) -> Iterator[Fault]:
    """Faults of a new entry of the block list."""
    if (image is None) == (identity_id is None):
        yield Fault("$.image", "choice", "give a picture or an identity, exactly one of the two")
    yield from Choice(frozenset(BlockList.values))(list_, "$.list")
    yield from reason_faults(reason)


def analyses(portraits: Sequence[bytes]) -> list[faces.PortraitAnalysis]:
    """What the embedder says of each picture, all of which it accepts.

    Raises:
        PortraitRefusedError: with every reason of every picture, and the preview of the first refused one.
        EmbedderError: the embedder gave no usable answer.
    """
    failures: list[Fault] = list(_size_faults(portraits))
    if failures:
        raise PortraitRefusedError(failures)
    found, preview = [], b""
    for index, data in enumerate(portraits):
        analysis = faces.analyse(data)
        if not analysis.accepted and not preview:
            preview = analysis.preview_png
        failures += [Fault(f"$.portraits[{index}]", item.code, item.message) for item in analysis.failures]
        found.append(analysis)
    if failures:
        raise PortraitRefusedError(failures, preview_png=preview)
    return found


def _size_faults(portraits: Sequence[bytes]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, data in enumerate(portraits):
        path, sha256 = f"$.portraits[{index}]", hashlib.sha256(data).hexdigest()
        if not data:
            yield Fault(path, "empty", "The file is empty.")
        elif len(data) > MAX_PORTRAIT_BYTES:
            yield Fault(path, "too_large", f"The file has {len(data)} bytes, over {MAX_PORTRAIT_BYTES}.")
        elif sha256 in seen:
            yield Fault(path, "repeated", "The same picture is there twice.")
        seen.add(sha256)
