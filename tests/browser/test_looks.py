"""A look of videos: written by one person, tried, approved by another, and used in the studio."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = [pytest.mark.browser, pytest.mark.weights]
TRIAL_S = 120
SHOWN = "const picture = document.querySelector('.screen img'); return picture.hidden ? '' : picture.src"


def until(person, script: str, *, but: str = ""):
    def changed(driver):
        found = driver.execute_script(script)
        return found if found != but else ""

    return WebDriverWait(person.driver, 30).until(changed)


@pytest.mark.slow  # a trial by the real worker
@pytest.mark.timeout(600)
def test_a_template_is_written_tried_approved_and_used(arrive, cast):
    author = arrive("operator")
    author.press("Templates")
    author.press("New template")
    author.fill("name", "welcome")
    author.driver.find_element(By.CSS_SELECTOR, '[name="format"][value="preview"]').click()
    author.fill("title", "{{guest}}")
    author.press("Write and try it")
    assert author.sees("a variable stands as {{name}} and is listed below")
    author.fill("variable_name_0", "guest")
    author.press("Write and try it")
    assert author.sees("It is tried now")
    assert author.sees("Waits for approval", timeout_s=TRIAL_S)
    assert not author.driver.find_elements(By.XPATH, '//button[contains(., "Approve")]')

    second = arrive("business")
    second.open("/templates/welcome/")
    second.press("Approve version 1")
    assert second.sees("Version 1 is in use from now on.")

    person = arrive("requester")
    person.open("/studio/")
    person.choose("identity", "Teller")
    person.choose("performer", "Performer")
    person.fill("script", "您好，{{guest}}。")
    assert person.sees("The script names {{guest}}")
    person.choose("template", "welcome")
    assert person.sees("Fill in the template's values.")
    person.fill("value_guest", "王女士")
    assert person.sees("Nothing stands against it")
    first = until(person, SHOWN)
    person.fill("value_guest", "李先生")
    assert until(person, SHOWN, but=first)
    for each in (author, second, person):
        assert not [line for line in each.complaints() if "422" not in line]  # a form with a fault
