"""The studio as a content editor uses it: from an empty page to a downloaded, labelled video."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.conf import settings
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from likeness import processes
from watermark.metadata import read_label

pytestmark = pytest.mark.browser
WEIGHTS = Path(settings.LIKENESS_WEIGHTS)
JOB_S = 180
CAST = """
import sys
from datetime import timedelta
from pathlib import Path
import django
django.setup()
from django.utils import timezone
from consent import services
from consent.terms import LicenceTerms, Representative, SeparateConsent
from likeness.accounts.services import ensure_demo_users
people = {role: user.actor for role, user in ensure_demo_users().items()}
digest, now = "a" * 64, timezone.now().replace(microsecond=0)
separate = [SeparateConsent(code, digest, "zh-CN", now) for code in ("PIPL29_FACE", "DEEPSYN14_EDIT")]
def agree(name, picture, roles, *, operations, signed_by, **person):
    representative = person.pop("representative", None)
    row = services.enrol(
        name=name, portraits=[Path(sys.argv[1], picture).read_bytes()], by=people["requester"], **person
    )
    terms = LicenceTerms(
        operations=operations, purposes=["customer_service"], channels=["branch_screen"], territories=["CN"],
        languages=["zh"], not_before=now - timedelta(days=1), not_after=now + timedelta(days=9),
        separate_consents=separate, signed_by=signed_by, signed_at=now, text_sha256=digest,
        intended_use="A test.", sample=True, representative=representative,
    )
    consent = services.submit(row.id, terms=terms, by=people["requester"])
    for role in roles:
        services.approve(consent.id, role=role, by=people[role])
agree("Teller", "astronaut.png", ["legal", "business"], operations=["lip_sync"], signed_by="Teller",
      status="living", kind="likeness")
agree("Performer", "grace_hopper.jpg", ["expert", "legal", "business"], operations=["performance"],
      signed_by="The estate", status="deceased", kind="performer",
      representative=Representative("The estate", digest))
"""
SHOWN = (
    "const picture = document.querySelector('.screen img'); return picture.hidden ? 0 : picture.naturalWidth"
)
HEARD = "const sound = document.querySelector('audio'); return sound.hidden ? 0 : sound.duration || 0"
MARKED = (
    "return Array.from(document.querySelectorAll('.ink mark.bad')).map((part) => part.textContent).join()"
)
TAKE = """
const done = arguments[arguments.length - 1], form = document.querySelector("form[action$='/download/']");
fetch(form.action, { method: "POST", body: new FormData(form) })
  .then((answer) => answer.arrayBuffer())
  .then((data) => Array.from(new Uint8Array(data), (byte) => byte.toString(16).padStart(2, "0")).join(""))
  .then(done);
"""


@pytest.fixture
def cast(site):
    """A teller and a performer who have agreed."""
    if not (WEIGHTS / "centerface.onnx").exists():
        pytest.skip("the starter weights are not pulled: run `likeness weights pull starter`")
    if find_spec("espeakng_loader") is None:
        pytest.skip("the extra likeness[espeak] is not installed")
    port = int(site.url.rpartition(":")[2])
    subprocess.run(
        [sys.executable, "-c", CAST, str(WEIGHTS)],
        env=processes.environment(site.home, port=port),
        check=True,
        timeout=90,
    )


def until(person, script: str, *, timeout_s: float = 30):
    return WebDriverWait(person.driver, timeout_s).until(lambda driver: driver.execute_script(script))


def choose(person, name: str, words: str) -> None:
    person.driver.find_element(By.XPATH, f'//select[@name="{name}"]/option[.="{words}"]').click()


@pytest.mark.weights
@pytest.mark.slow  # a presentation by the real worker, about 20 s
@pytest.mark.timeout(600)
def test_from_an_empty_page_to_a_labelled_video_and_a_table_with_one_refused(arrive, cast, tmp_path):
    person = arrive("requester")
    person.press("Studio")
    choose(person, "identity", "Teller")
    choose(person, "performer", "Performer")
    person.driver.find_element(By.CSS_SELECTOR, '[name="format"][value="preview"]').click()

    person.fill("script", "您好，本产品保本保息。")
    assert person.sees("This promises a return")
    assert until(person, MARKED) == "保本保息"
    assert not person.driver.find_element(By.ID, "render").is_enabled()

    person.fill("script", "您好，请出示证件。")
    assert person.sees("Nothing stands against it")
    assert until(person, SHOWN) == 640
    person.press("Hear it")
    assert until(person, HEARD) > 1

    person.press("Make the video")
    assert person.sees("Mouth and sound", timeout_s=JOB_S)
    assert person.sees("Lips meet at b, p and m")
    video = tmp_path / "video.mp4"
    video.write_bytes(bytes.fromhex(person.driver.execute_async_script(TAKE)))
    person.driver.find_element(By.ID, "job").click()
    assert person.sees("Output SHA-256")
    assert person.sees(hashlib.sha256(video.read_bytes()).hexdigest())
    assert read_label(video).label.label == "1"

    table = tmp_path / "scripts.csv"
    table.write_text("id,script\nrow-1,本产品保本保息。\nrow-2,您好。\n", "utf-8")
    person.open("/studio/table/")
    person.fill("table", str(table))
    choose(person, "identity", "Teller")
    choose(person, "performer", "Performer")
    person.driver.find_element(By.CSS_SELECTOR, '[name="format"][value="preview"]').click()
    person.press("Make the videos")
    assert person.sees("0 of 2 ready · 1 without a video", timeout_s=60)
    assert person.sees("This promises a return")
    person.press("您好。")
    person.press("Cancel the video")
    assert person.sees("nothing of it will be delivered")
    assert not person.complaints()
