"""Outputs that look like a picture: perceptual hashes, looked up by how many of their 64 bits differ.

A hit says that two pictures look alike. It is a place to look, never a proof: so do two takes of one speaker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from generation.marking import unpacked
from generation.models import Job, OutputPrint
from watermark.content import perceptual_hash, tells

REACH = 10
"""Bits that may differ. Measured on eight pictures: 0 to 8 after JPEG 30, half size, brightness, blur and
noise, 4 to 14 where a tenth of the area was cropped away; 14 to 40 between two different pictures."""
_BITS = OutputPrint.BAND_BITS
_MASK = (1 << _BITS) - 1


@dataclass(frozen=True, slots=True)
class Alike:
    """An output: its thumbnail at ``second`` differs in ``distance`` bits from the hash number ``asked``."""

    job: Job
    second: int
    distance: int
    asked: int


def keep(job: Job, track: bytes) -> int:
    """Keep the hashes of an output's thumbnails, each once; gives how many."""
    first: dict[int, int] = {}
    for second, luma in unpacked(track):
        if tells(luma):
            first.setdefault(_signed(perceptual_hash(luma)), max(0, int(second)))
    rows = [OutputPrint(job=job, second=second, hash=value) for value, second in first.items()]
    OutputPrint.objects.bulk_create(rows, batch_size=1000, ignore_conflicts=True)
    return len(rows)


def alike(hashes: Sequence[int], *, tenant: str | None, limit: int = 10) -> tuple[Alike, ...]:
    """Outputs of a tenant, or with None of all, that look like one of these hashes: the nearest first.

    Finds every output within 7 bits, for then one of four bands of 16 bits differs in at most one, and most
    of those up to ``REACH``.
    """
    if not hashes:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, {**_probes(hashes), "reach": REACH, "tenant": tenant, "limit": limit})
        found = cursor.fetchall()
    jobs = Job.objects.in_bulk([row[0] for row in found])
    return tuple(Alike(jobs[job], second, distance, asked) for job, second, distance, asked in found)


def _probes(hashes: Sequence[int]) -> dict[str, list[int]]:
    """For each hash and band, the value itself and every value that differs from it in one bit."""
    probes: dict[str, list[int]] = {"asked": [], "hash": []}
    for at, value in enumerate(hashes):
        probes["asked"] += [at] * (_BITS + 1)
        probes["hash"] += [_signed(value)] * (_BITS + 1)
        for band in range(OutputPrint.BANDS):
            own = value >> _BITS * band & _MASK
            probes.setdefault(f"band{band}", []).extend([own, *(own ^ 1 << bit for bit in range(_BITS))])
    return probes


def _signed(value: int) -> int:
    """The same 64 bits as PostgreSQL's bigint holds them."""
    return value - (1 << 64) if value >> 63 else value


_BAND = """
  SELECT print.job_id, print.second, probe.asked, bit_count((print.hash # probe.hash)::bit(64)) AS distance
  FROM unnest(%(asked)s::int[], %(hash)s::bigint[], %(band{band})s::bigint[]) AS probe (asked, hash, value)
  JOIN generation_outputprint print ON ((print.hash >> {shift}) & 65535) = probe.value
"""
_QUERY = """
WITH near AS ({bands}), best AS (
  SELECT DISTINCT ON (near.job_id) near.job_id, near.second, near.distance::int, near.asked
  FROM near JOIN generation_job job ON job.id = near.job_id
  WHERE near.distance <= %(reach)s AND (%(tenant)s::text IS NULL OR job.tenant = %(tenant)s)
  ORDER BY near.job_id, near.distance, near.asked, near.second
)
SELECT * FROM best ORDER BY distance, job_id LIMIT %(limit)s
""".replace(
    "{bands}",
    "  UNION ALL".join(_BAND.format(band=band, shift=_BITS * band) for band in range(OutputPrint.BANDS)),
)
