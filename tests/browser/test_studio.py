"""The studio as a content editor uses it: from an empty page to a downloaded, labelled video."""

from __future__ import annotations

import hashlib

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from watermark.metadata import read_label

pytestmark = pytest.mark.browser
JOB_S = 180
SHOWN = (
    "const picture = document.querySelector('.screen img'); return picture.hidden ? 0 : picture.naturalWidth"
)
HEARD = "const sound = document.querySelector('audio'); return sound.hidden ? 0 : sound.duration || 0"
MARKED = (
    "return Array.from(document.querySelectorAll('.ink mark.bad')).map((part) => part.textContent).join()"
)


def until(person, script: str, *, timeout_s: float = 30):
    return WebDriverWait(person.driver, timeout_s).until(lambda driver: driver.execute_script(script))


@pytest.mark.weights
@pytest.mark.slow  # a presentation by the real worker, about 20 s
@pytest.mark.timeout(600)
def test_from_an_empty_page_to_a_labelled_video_and_a_changed_one(arrive, cast, tmp_path):
    person = arrive("requester")
    person.press("Studio")
    person.choose("identity", "Teller")
    person.choose("performer", "Performer")
    person.driver.find_element(By.CSS_SELECTOR, '[name="format"][value="preview"]').click()

    person.fill("script", "您好，本产品保本保息。")
    assert person.sees("This promises a return")
    assert until(person, MARKED) == "保本保息"
    assert not person.driver.find_element(By.ID, "render").is_enabled()

    person.fill("script", "您好，请取号。请出示证件。")
    assert person.sees("Nothing stands against it")
    assert until(person, SHOWN) == 640
    person.press("Hear it")
    assert until(person, HEARD) > 1

    person.press("Make the video")
    assert person.sees("Mouth and sound", timeout_s=JOB_S)
    assert person.sees("Lips meet at b, p and m")
    video = tmp_path / "video.mp4"
    person.take(video)
    person.driver.find_element(By.ID, "job").click()
    assert person.sees("Output SHA-256")
    assert person.sees(hashlib.sha256(video.read_bytes()).hexdigest())
    assert read_label(video).label.label == "1"

    person.driver.back()
    person.press("Change and make again")
    assert person.sees("You are changing")
    assert until(person, SHOWN) == 640
    person.fill("script", "您好，请取号。请稍候片刻。")
    person.press("Make the video")
    assert person.sees("1 of 2 sentences are taken over", timeout_s=JOB_S)
    assert person.sees("Mouth and sound", timeout_s=JOB_S)
    assert not person.complaints()
