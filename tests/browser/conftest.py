"""A platform that serves, and people in Chromium who use it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.conf import settings
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from likeness import processes, stack
from likeness.stack import Stack

WEIGHTS = Path(settings.LIKENESS_WEIGHTS)
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,900",
    "--lang=en",
)
PEOPLE = """
import django
django.setup()
from likeness.accounts import services
services.ensure_demo_users()
print(services.demo_password())
"""

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
TAKE = """
const done = arguments[arguments.length - 1], form = document.querySelector("form[action$='/download/']");
fetch(form.action, { method: "POST", body: new FormData(form) })
  .then((answer) => answer.arrayBuffer())
  .then((data) => Array.from(new Uint8Array(data), (byte) => byte.toString(16).padStart(2, "0")).join(""))
  .then(done);
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A serving platform, and the password of its demonstration accounts."""

    url: str
    password: str
    home: Path


class Person:
    """Somebody at a browser: says what they see by its words, as people do."""

    def __init__(self, site: Site, folder: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for flag in (*FLAGS, f"--user-data-dir={folder}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.site = site
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))

    def open(self, path: str) -> None:
        self.driver.get(self.site.url + path)

    def sign_in(self, role: str, *, password: str = "") -> None:
        self.open("/sign-in/")
        self.fill("username", f"{role}@demo.example")
        self.fill("password", password or self.site.password)
        self.driver.find_element(By.CSS_SELECTOR, "form.form button").click()
        if not password:  # a page that is opened before the answer has come would ask to sign in again
            WebDriverWait(self.driver, 15).until(
                lambda _driver: not self.path.startswith("/sign-in/"), "never got in"
            )

    def fill(self, name: str, value: str) -> None:
        field = self.driver.find_element(By.NAME, name)
        if field.get_attribute("type") != "file":
            field.clear()
        field.send_keys(value)

    def tick(self, name: str, value: str) -> None:
        field = self.driver.find_element(By.CSS_SELECTOR, f'[name="{name}"][value="{value}"]')
        if not field.is_selected():
            field.click()

    def choose(self, name: str, words: str) -> None:
        self.driver.find_element(By.XPATH, f'//select[@name="{name}"]/option[.="{words}"]').click()

    def take(self, path: Path) -> None:
        """Download the video of the page."""
        path.write_bytes(bytes.fromhex(self.driver.execute_async_script(TAKE)))

    def press(self, words: str) -> None:
        self.find(
            f'//*[self::button or self::a or self::summary][contains(normalize-space(.), "{words}")]'
        ).click()

    def find(self, xpath: str, *, timeout_s: float = 15) -> WebElement:
        found = WebDriverWait(self.driver, timeout_s).until(
            lambda driver: driver.find_elements(By.XPATH, xpath)
        )
        return found[0]

    def sees(self, words: str, *, timeout_s: float = 15) -> bool:
        """Wait until the words stand on the page."""
        text = "return document.body ? document.body.innerText : ''"
        WebDriverWait(self.driver, timeout_s).until(
            lambda driver: words in driver.execute_script(text), f"never saw {words!r}"
        )
        return True

    @property
    def path(self) -> str:
        return str(self.driver.current_url).removeprefix(self.site.url)

    def complaints(self) -> list[str]:
        """What the browser's console said against the pages: refused scripts, styles, failed requests."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The whole local stack in a home of its own, with the demonstration accounts."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("Chromium and its driver are not installed (Debian: chromium, chromium-driver)")
    folder = Path(tempfile.mkdtemp(prefix="lkb-", dir="/tmp"))
    folder.chmod(0o711)
    home = folder / "home"
    home.mkdir(mode=0o711)
    if WEIGHTS.is_dir():
        (home / "weights").symlink_to(WEIGHTS)
    with Stack(home, port=stack.free_port()) as running:
        made = subprocess.run(
            [sys.executable, "-c", PEOPLE],
            env=processes.environment(home, port=running.port),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        yield Site(running.url, made.stdout.strip().splitlines()[-1], home)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cast(site: Site) -> None:
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


@pytest.fixture
def arrive(site: Site) -> Iterator[Callable[..., Person]]:
    """Let somebody sit down at a fresh browser, signed in when a role is named."""
    folder = Path(tempfile.mkdtemp(prefix="lkc-", dir="/tmp"))
    there: list[Person] = []

    def make(role: str = "") -> Person:
        person = Person(site, folder / str(len(there)))
        there.append(person)
        if role:
            person.sign_in(role)
        return person

    yield make
    for person in there:
        person.driver.quit()
        person.driver.service.stop()
    time.sleep(0.1)  # Chromium lets go of its profile
    shutil.rmtree(folder, ignore_errors=True)
