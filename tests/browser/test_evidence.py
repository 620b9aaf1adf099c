"""An auditor with a video of unknown origin: to its entries, a verified bundle, a report, in the portal."""

from __future__ import annotations

import time
import zipfile

import pytest
from django.conf import settings
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from likeness.demo.clips import write_performer
from tests.browser.test_portal import JOB_S, WEIGHTS, approve, enrol, start_job, submit_licence, take

pytestmark = pytest.mark.browser
MINUTE_S = 60


@pytest.fixture
def video(site, arrive, tmp_path):
    """A delivered video, with nothing that says where it is from."""
    if not (settings.LIKENESS_WEIGHTS / "centerface.onnx").exists():
        pytest.skip("the starter weights are not pulled: run `likeness weights pull starter`")
    roles = ("requester", "legal", "business", "expert")
    requester, legal, business, expert = (arrive(role) for role in roles)
    enrol(requester, "Eileen Collins", WEIGHTS / "astronaut.png")
    submit_licence(requester, tmp_path, signed_by="Eileen Collins")
    approve([legal, business], name="Eileen Collins")
    enrol(requester, "Grace Hopper", WEIGHTS / "grace_hopper.jpg", kind="performer", status="deceased")
    submit_licence(requester, tmp_path, signed_by="The estate", representative="The estate")
    approve([legal, business, expert], name="Grace Hopper")
    clip = tmp_path / "performer.mp4"
    write_performer(WEIGHTS / "grace_hopper.jpg", clip)
    start_job(requester, clip)
    assert requester.sees("A job was finished", timeout_s=JOB_S)
    found = take(requester, tmp_path)
    return found.rename(tmp_path / "unknown.mp4")


@pytest.mark.weights
@pytest.mark.slow  # a real swap by the real worker, about 40 s
@pytest.mark.timeout(600)
def test_from_an_unknown_video_to_a_verified_bundle_and_a_report(arrive, video, tmp_path):
    auditor = arrive("auditor")
    started = time.monotonic()
    auditor.open("/provenance/")
    auditor.fill("file", str(video))
    auditor.press("Look up")
    assert auditor.sees("This file was generated here", timeout_s=120)
    auditor.press("Everything in the log about it")
    for words in ("The gate admitted a job", "A job was finished", "An output was marked", "Verified"):
        assert auditor.sees(words)
    bundle = evidence(auditor, tmp_path)
    auditor.open("/verify/")
    auditor.fill("bundle", str(bundle))
    auditor.press("Check it by what you bring along")
    auditor.fill("file", str(video))
    auditor.driver.find_element(By.CSS_SELECTOR, "main form button.primary").click()
    assert auditor.sees("Everything in this bundle is proven", timeout_s=30)
    assert auditor.sees("unknown.mp4: byte for byte what was logged as delivered.")
    assert auditor.sees("That what was logged is true.")
    assert time.monotonic() - started < MINUTE_S
    with zipfile.ZipFile(bundle) as archive:
        for language in ("en", "zh-Hans"):
            report = archive.read(f"report.{language}.pdf")
            assert report.startswith(b"%PDF")
            assert len(report) > 20_000, "it shows pictures"
    assert not auditor.complaints()


def evidence(person, folder):
    """Download the bundle by its button; the file as the browser saved it."""
    behaviour = {"behavior": "allow", "downloadPath": str(folder)}
    person.driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    person.press("Download evidence")
    (bundle,) = WebDriverWait(person.driver, 30).until(lambda _driver: list(folder.glob("*.zip")))
    return bundle


def test_filters_stay_in_the_address(arrive):
    auditor = arrive("auditor")
    auditor.open("/provenance/search/?event=audit.queried")
    assert auditor.sees("Hits")
    chosen = auditor.driver.find_element(By.CSS_SELECTOR, '[name="event"] option:checked')
    assert chosen.get_attribute("value") == "audit.queried"
    auditor.press("By number or hash")
    auditor.fill("job", "nonsense")
    auditor.press("Search")
    assert auditor.sees("32 hexadecimal digits")
    assert "event=audit.queried" in auditor.path


def test_a_bundle_is_dropped_on_the_page(arrive, tmp_path):
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"no zip")
    person = arrive("legal")
    person.open("/verify/")
    person.fill("bundle", str(broken))
    person.driver.find_element(By.CSS_SELECTOR, "main form button.primary").click()
    assert person.sees("This bundle does not hold")
    person.press("简体中文")
    assert person.sees("核验证据")
    person.press("English")  # the choice is kept with the account, and others sign in with it
    assert person.sees("Check evidence")
