"""The public page in Chromium: nobody signs in, and a picture without a mark is not called genuine."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

pytestmark = pytest.mark.browser
LARGE = """
const input = document.querySelector('input[type="file"]'), files = new DataTransfer();
files.items.add(new File([new Uint8Array(65 * 1024 * 1024)], "long.mp4", { type: "video/mp4" }));
input.files = files.files;
input.dispatchEvent(new Event("change", { bubbles: true }));
return input.validationMessage;
"""


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "astronaut.jpg"
    cv2.imwrite(str(path), np.ascontiguousarray(data.astronaut()[..., ::-1]))
    return path


def test_a_stranger_checks_a_picture_in_two_languages(arrive, picture):
    stranger = arrive()
    stranger.open("/check/")
    stranger.fill("file", str(picture))
    stranger.press("Check the file")
    assert stranger.sees("Another file", timeout_s=90)
    text = stranger.driver.find_element("tag name", "main").text
    assert "No mark of ours could be read" in text or "No answer for this file" in text
    assert "No answer ever means that a file was made without AI." in text
    stranger.press("简体中文")
    assert stranger.sees("此文件是在这里制作的吗？")
    assert not stranger.complaints()


def test_a_file_that_is_too_large_is_told_before_it_travels(arrive):
    stranger = arrive()
    stranger.open("/check/")
    assert stranger.driver.execute_script(LARGE) == "This file is too large to be checked here."
    stranger.driver.set_window_size(420, 800)
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert stranger.driver.execute_script(wide) == 0
    assert not stranger.complaints()
