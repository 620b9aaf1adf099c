from __future__ import annotations

import math

import numpy as np
import pytest

from generation.engine.types import Embedding
from generation.errors import GateError
from generation.gate.gallery import gallery_of, is_strong, mean


def face(*numbers: float, model: str = "m", metric: str = "l2") -> Embedding:
    return Embedding(np.array(numbers, np.float32), model, metric)


def test_the_nearest_person_is_found_exactly() -> None:
    generator = np.random.default_rng(1)
    people = [(f"p{i}", generator.normal(size=128).astype(np.float32)) for i in range(500)]
    gallery = gallery_of(people, model_sha256="m", metric="l2")
    match = gallery.nearest(Embedding(people[321][1] + np.float32(0.001), "m", "l2"))
    assert match.who == "p321"
    assert match.distance < 0.02


def test_nobody_is_infinitely_far() -> None:
    empty = gallery_of([], model_sha256="m", metric="l2")
    assert math.isinf(empty.nearest(face(1, 0)).distance)


def test_cosine_ignores_length() -> None:
    gallery = gallery_of([("a", np.array([3, 0], np.float32))], model_sha256="m", metric="cosine")
    assert gallery.nearest(face(0.5, 0, metric="cosine")).distance == pytest.approx(0)


@pytest.mark.parametrize(
    "bad",
    [
        face(math.nan, 0),
        face(math.inf, 0),
        face(0, 0),
        face(1, 0, 0),
        face(1, 0, model="other"),
        face(1, 0, metric="cosine"),
    ],
)
def test_a_vector_that_cannot_be_compared_is_an_error(bad: Embedding) -> None:
    gallery = gallery_of([("a", np.array([1, 0], np.float32))], model_sha256="m", metric="l2")
    with pytest.raises(GateError):
        gallery.nearest(bad)


def test_a_broken_vector_is_an_error_even_when_nobody_is_there() -> None:
    with pytest.raises(GateError):
        gallery_of([], model_sha256="m", metric="l2").nearest(face(math.nan, 0))


@pytest.mark.parametrize("vectors", [[(1, 0), (1, 0, 0)], [(math.nan, 0)], [(0, 0)]])
def test_a_gallery_of_broken_templates_is_refused(vectors: list[tuple[float, ...]]) -> None:
    with pytest.raises(GateError):
        gallery_of([("a", np.array(v, np.float32)) for v in vectors], model_sha256="m", metric="l2")


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(GateError):
        gallery_of([("a", np.ones(2, np.float32))], model_sha256="m", metric="l3").nearest(
            face(1, 0, metric="l3")
        )


def test_distance_to_one_person_looks_at_that_person_only() -> None:
    people = [("a", np.array([1, 0], np.float32)), ("b", np.array([0, 1], np.float32))]
    gallery = gallery_of(people, model_sha256="m", metric="l2")
    assert gallery.distance_to("a", face(0, 1)) == pytest.approx(math.sqrt(2))
    assert math.isinf(gallery.distance_to("nobody", face(0, 1)))


def test_the_mean_lies_between() -> None:
    np.testing.assert_allclose(mean([face(1, 0), face(0, 1)]).vector, [0.5, 0.5])


@pytest.mark.parametrize(
    ("score", "width", "strong"),
    [(0.6, 50, True), (0.59, 50, False), (0.9, 49, False), (math.nan, 500, True), (0.9, math.nan, True)],
)
def test_strong_is_sure_and_wide(score: float, width: float, strong: bool) -> None:
    assert is_strong(score, width, frame_width_px=1000) is strong
