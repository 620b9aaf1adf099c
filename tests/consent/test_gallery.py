from __future__ import annotations

import pytest

from consent import gallery, services
from consent.errors import EmbedderError, PortraitRefusedError
from tests.consent import fakes

pytestmark = pytest.mark.django_db
NEAR = 0.9  # of the fake embedder: pictures of one person are nearer, of two people farther


def ask(image, **changes):
    return gallery.recognise(image, **{"tenant": "demo", "reach": NEAR, **changes})


def test_the_enrolled_person_is_recognised_on_another_picture(world):
    wang = world.enrol("wang")
    world.enrol("li")
    found = ask(fakes.picture("wang", 7))
    assert [person.identity_id for person in found.people] == [wang.id]
    assert 0 < found.people[0].distance < NEAR
    assert (found.compared, found.unread) == (4, 0)


@pytest.mark.parametrize("reach", [0.0, -1.0, float("nan")])
def test_nobody_is_within_no_reach(world, reach):
    world.enrol("wang")
    assert ask(fakes.picture("wang", 7), reach=reach).people == ()


def test_the_nearest_comes_first(world):
    wang, li = world.enrol("wang"), world.enrol("li")
    found = ask(fakes.picture("li", 9), reach=100)
    assert [person.identity_id for person in found.people] == [li.id, wang.id]


def test_another_tenants_people_are_not_recognised(world):
    world.enrol("wang")
    assert ask(fakes.picture("wang", 0), tenant="other").people == ()


def test_a_person_whose_key_was_destroyed_is_not_recognised(world):
    row = world.activate(world.enrol("wang"))
    services.revoke(row.id, reason="asked", by=world.by["legal"])
    assert ask(fakes.picture("wang", 0)).people == ()


def test_faces_of_another_model_are_counted_and_not_compared(world, settings):
    world.enrol("wang")
    settings.LIKENESS_FACE_EMBEDDER = "tests.consent.fakes.analyse_otherwise"
    found = ask(fakes.picture("wang", 0))
    assert (found.people, found.compared, found.unread) == ((), 0, 2)


@pytest.mark.parametrize("image", [b"", b"no face", b"dark"])
def test_a_picture_without_a_usable_face_is_refused(world, image):
    with pytest.raises(PortraitRefusedError):
        ask(image)


def test_an_unknown_metric_is_refused(world, monkeypatch):
    world.enrol("wang")
    with pytest.raises(EmbedderError, match="hamming"):
        gallery._distances(fakes.vector("wang"), list(gallery.Template.objects.all()), "hamming")
