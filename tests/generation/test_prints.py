from __future__ import annotations

import cv2
import numpy as np
import pytest
from django.db import connection
from skimage import data

from generation import prints
from generation.marking import _packed
from generation.models import OutputPrint
from tests.generation.test_selectors import make_job, make_media
from tests.watermark import attacks
from watermark.content import perceptual_hash, thumbnail

pytestmark = pytest.mark.django_db


@pytest.fixture
def astronaut():
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)


@pytest.fixture
def media(db):
    return make_media()


def looks(picture):
    return perceptual_hash(thumbnail(picture))


def delivered(media, *pictures, tenant="demo"):
    job = make_job(media, tenant=tenant)
    prints.keep(job, _packed([(at + 0.04, thumbnail(picture)) for at, picture in enumerate(pictures)]))
    return job


def test_each_picture_of_an_output_is_kept_once_with_its_first_second(media, astronaut):
    job = delivered(media, astronaut, astronaut[::-1], astronaut)
    assert list(job.prints.order_by("second").values_list("second", flat=True)) == [0, 1]


@pytest.mark.parametrize("level", [0, 16, 235])
def test_an_empty_picture_is_not_kept(media, level):
    assert not delivered(media, np.full((240, 320), level, np.uint8)).prints.exists()


@pytest.mark.parametrize(
    "attack",
    {
        "same": lambda y: y,
        "jpeg": lambda y: attacks.jpeg(y, 30),
        "half": lambda y: attacks.resized(y, 0.5),
        "brighter": lambda y: cv2.convertScaleAbs(y, alpha=1.3),
        "blurred": lambda y: cv2.GaussianBlur(y, (0, 0), 2),
    }.items(),
    ids=lambda item: item[0],
)
def test_an_altered_picture_finds_its_output(media, astronaut, attack):
    job, _other = delivered(media, astronaut), delivered(media, astronaut[::-1])
    (found,) = prints.alike([looks(attack[1](astronaut))], tenant="demo")
    assert (found.job, found.second, found.asked) == (job, 0, 0)
    assert found.distance <= 4


def test_another_picture_finds_nothing(media, astronaut):
    delivered(media, astronaut)
    assert prints.alike([looks(astronaut[::-1]), looks(astronaut.T)], tenant="demo") == ()
    assert prints.alike([], tenant="demo") == ()


def test_other_tenants_are_found_only_by_who_asks_about_all(media, astronaut):
    job = delivered(media, astronaut, tenant="other")
    assert prints.alike([looks(astronaut)], tenant="demo") == ()
    assert [found.job for found in prints.alike([looks(astronaut)], tenant=None)] == [job]


@pytest.mark.parametrize("value", [0, 1, 2**63 - 1, 2**63, 2**64 - 1, 0x8000_FFFF_0000_7FFF])
@pytest.mark.parametrize("flips", [0, 3, 7])
def test_whatever_seven_bits_differ_the_output_is_found(media, value, flips):
    job = make_job(media)
    OutputPrint.objects.create(job=job, second=3, hash=prints._signed(value))
    rng = np.random.default_rng(flips)
    for _ in range(5):
        near = value
        for bit in rng.choice(64, flips, replace=False):
            near ^= 1 << int(bit)
        (found,) = prints.alike([1 ^ 2**40 ^ value ^ 0xFFFF << 20, near], tenant="demo")
        assert (found.job, found.second, found.distance, found.asked) == (job, 3, flips, 1)


def test_what_differs_more_is_not_found(media):
    OutputPrint.objects.create(job=make_job(media), second=0, hash=0)
    assert prints.alike([2**11 - 1], tenant="demo") == ()


def test_the_nearest_output_comes_first_and_each_comes_once(media):
    far, near = make_job(media), make_job(media)
    for job, values in ((far, [0b111, 0b1111]), (near, [0b1, 0b11])):
        for second, value in enumerate(values):
            OutputPrint.objects.create(job=job, second=second, hash=value)
    found = prints.alike([0, 2], tenant="demo")
    assert [(one.job, one.distance) for one in found] == [(near, 1), (far, 2)]
    assert len(prints.alike([0], tenant="demo", limit=1)) == 1


def test_the_lookup_can_use_the_index_of_each_band(media):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # so small a table would be read whole
        values = {**prints._probes([5]), "reach": 10, "tenant": None, "limit": 10}
        cursor.execute("EXPLAIN " + prints._QUERY, values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert all(f"print_band_{band}" in plan for band in range(4)), plan


def test_a_broken_record_is_told(media):
    with pytest.raises(ValueError, match="pickled"):
        prints.keep(make_job(media), b"no record")
