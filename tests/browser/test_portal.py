"""The portal as people use it: in Chromium, against the real stack with its real worker."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from django.conf import settings
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from likeness.demo.clips import write_performer

pytestmark = pytest.mark.browser
WEIGHTS = Path(settings.LIKENESS_WEIGHTS)
JOB_S = 150


@pytest.fixture(autouse=True)
def _needs(site, request):
    if request.node.get_closest_marker("weights") and not (WEIGHTS / "centerface.onnx").exists():
        pytest.skip("the starter weights are not pulled: run `likeness weights pull starter`")


def test_a_wrong_password_is_told_and_the_right_one_lets_in(arrive):
    person = arrive()
    person.sign_in("legal", password="wrong")
    assert person.sees("do not match an account")
    person.sign_in("legal")
    assert person.sees("Waiting for you")
    assert person.path == "/"
    assert not person.complaints()


def test_the_language_switches_and_stays(arrive):
    person = arrive("auditor")
    person.press("简体中文")
    assert person.sees("总览")
    assert person.driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == "zh-Hans"
    person.press("退出登录")
    person.sign_in("auditor")
    assert person.sees("总览")
    person.press("English")
    assert person.sees("Overview")
    assert not person.complaints()


def test_the_first_tab_leads_to_the_content(arrive):
    person = arrive("auditor")
    person.driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB, Keys.ENTER)
    assert person.path == "/#main"


def test_the_menu_works_on_a_narrow_screen(arrive):
    person = arrive("auditor")
    person.driver.set_window_size(420, 800)
    link = person.driver.find_element(By.CSS_SELECTOR, ".nav a[href='/jobs/']")
    assert not link.is_displayed()
    person.press("Menu")
    assert link.is_displayed()
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert person.driver.execute_script(wide) == 0


@pytest.mark.parametrize(
    "path", ["/", "/licences/", "/identities/", "/jobs/", "/provenance/", "/record/", "/blocklist/"]
)
def test_no_page_asks_for_what_its_policy_refuses(arrive, path):
    person = arrive("operator")
    person.open(path)
    assert not person.complaints()


DROP = """
const area = document.querySelector(".drop"), input = area.querySelector("input"), files = new DataTransfer();
files.items.add(new File(["x"], "dropped.mp4", { type: "video/mp4" }));
area.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
return input.files.length ? input.files[0].name : "";
"""


def test_a_file_is_chosen_by_dropping_it(arrive):
    person = arrive("auditor")
    person.open("/provenance/")
    assert person.driver.execute_script(DROP) == "dropped.mp4"
    assert person.sees("dropped.mp4")


@pytest.mark.weights
def test_a_portrait_without_a_face_is_shown_back_with_the_reason(arrive, tmp_path):
    grey = tmp_path / "grey.png"
    cv2.imwrite(str(grey), np.full((400, 400, 3), 128, np.uint8))
    person = arrive("requester")
    person.open("/identities/enrol/")
    person.fill("name", "Nobody")
    person.fill("portraits", str(grey))
    person.press("Enrol")
    assert person.sees("There is no face in the picture.", timeout_s=60)
    shown = person.find("//figure//img")
    assert person.driver.execute_script("return arguments[0].naturalWidth", shown) > 0
    assert all("422" in line for line in person.complaints())


@pytest.mark.weights
@pytest.mark.slow  # a real swap by the real worker, about 40 s
@pytest.mark.timeout(600)
def test_from_a_portrait_to_a_traced_video(arrive, tmp_path):
    requester, legal, business, expert = (
        arrive(role) for role in ("requester", "legal", "business", "expert")
    )
    enrol(requester, "Eileen Collins", WEIGHTS / "astronaut.png")
    submit_licence(requester, tmp_path, signed_by="Eileen Collins")
    approve([legal, business], name="Eileen Collins")
    enrol(requester, "Grace Hopper", WEIGHTS / "grace_hopper.jpg", kind="performer", status="deceased")
    submit_licence(requester, tmp_path, signed_by="The estate", representative="The estate")
    approve([legal, business, expert], name="Grace Hopper")

    clip = tmp_path / "performer.mp4"
    write_performer(WEIGHTS / "grace_hopper.jpg", clip)
    start_job(requester, clip)
    assert requester.sees("Before and after", timeout_s=JOB_S)
    assert requester.sees("A job was finished", timeout_s=30)
    assert requester.driver.execute_async_script(PLAYS) > 0

    video = take(requester, tmp_path)
    legal.open("/provenance/")
    legal.fill("file", str(video))
    legal.press("Look up")
    assert legal.sees("This file was generated here", timeout_s=120)
    assert legal.sees("byte for byte")
    drawn = legal.find('//figure[contains(@class, "overlay")]//img')
    assert legal.driver.execute_script("return arguments[0].naturalWidth", drawn) > 0
    stranger = arrive()
    stranger.open("/check/")
    stranger.fill("file", str(video))
    stranger.press("Check the file")
    assert stranger.sees("This file was made here with AI", timeout_s=120)
    assert "Eileen" not in stranger.driver.page_source
    assert legal.sees("Eileen Collins")
    assert legal.sees("Verified")

    legal.open("/licences/")
    legal.press("Eileen Collins")
    legal.press("Revoke")
    legal.fill("reason", "The person asked for it.")
    legal.press("Revoke now")
    assert legal.sees("outputs are withdrawn")
    requester.driver.refresh()
    assert requester.sees("This output was withdrawn")


PLAYS = """
const done = arguments[arguments.length - 1], video = document.querySelector("video");
if (video.readyState >= 2) done(video.videoWidth);
else { video.onloadeddata = () => done(video.videoWidth); video.onerror = () => done(0); video.load(); }
"""


def enrol(person, name, portrait, *, kind="likeness", status="living"):
    person.open("/identities/enrol/")
    person.fill("name", name)
    person.tick("kind", kind)
    person.tick("status", status)
    person.fill("portraits", str(portrait))
    person.press("Enrol")
    assert person.sees("No licence yet", timeout_s=60)


def submit_licence(person, folder, *, signed_by, representative=""):
    person.press("New licence")
    person.tick("purposes", "customer_service")
    person.tick("channels", "mobile_app")
    person.fill("intended_use", "A test of the whole way.")
    person.fill("signed_by", signed_by)
    if representative:
        person.fill("representative", representative)
    for name in ("agreement", "face_consent", "editing_consent"):
        text = folder / f"{name}.txt"
        text.write_text(f"{name} of {signed_by}")
        person.fill(name, str(text))
    person.press("Submit for review")
    assert person.sees("Approval missing", timeout_s=30)


def approve(people, *, name):
    for number, person in enumerate(people, start=1):
        person.open("/reviews/")
        person.find(f'//article[contains(., "{name}")]//a[contains(@class, "button")]').click()
        person.press("Approve as")
        assert person.sees("in force now" if number == len(people) else "still missing")


def start_job(person, clip):
    person.open("/jobs/new/")
    person.driver.find_element(By.XPATH, '//option[text()="Eileen Collins"]').click()
    person.fill("target", str(clip))
    person.driver.find_element(By.CSS_SELECTOR, '[name="channel"] [value="mobile_app"]').click()
    person.press("Submit the job")
    assert person.sees("The result will appear here", timeout_s=60)


def take(person, folder):
    """Download the output by its button; the file as the browser saved it."""
    person.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)}
    )
    person.press("Download")
    digest = person.find('//dt[contains(., "SHA-256")]/following-sibling::dd').text
    (video,) = WebDriverWait(person.driver, 30).until(lambda _driver: list(folder.glob("likeness-*.mp4")))
    assert hashlib.sha256(video.read_bytes()).hexdigest() == digest
    return video
