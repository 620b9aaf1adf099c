from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
STATIC = ROOT / "platform" / "likeness" / "static"
SHEETS = sorted(STATIC.rglob("*.css"))


def test_the_vendored_file_is_the_one_that_the_notice_names():
    (vendored,) = STATIC.rglob("htmx*.js")
    notice = (STATIC / "NOTICE").read_text()
    assert hashlib.sha256(vendored.read_bytes()).hexdigest() in notice
    assert vendored.name in notice
    assert "Zero-Clause BSD" in notice


@pytest.mark.parametrize(
    "path", [*SHEETS, STATIC / "likeness" / "js" / "portal.js"], ids=lambda path: path.name
)
def test_nothing_is_fetched_from_elsewhere(path):
    assert not re.search(r"https?://|@import|url\(", path.read_text())


@pytest.mark.parametrize("path", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_a_template_switches_no_escaping_off(path):
    text = path.read_text()
    assert "|safe" not in text
    assert "autoescape off" not in text


def tokens(block: str) -> dict[str, tuple[float, float, float]]:
    found = re.findall(r"--([a-z0-9-]+): #([0-9a-f]{6});", block)
    return {name: tuple(int(value[i : i + 2], 16) / 255 for i in (0, 2, 4)) for name, value in found}


def luminance(colour) -> float:
    """WCAG 2.2, relative luminance."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


TEXT = (STATIC / "likeness" / "css" / "tokens.css").read_text()
LIGHT, DARK = TEXT.split("@media (prefers-color-scheme: dark)")
PAIRS = [
    *((ink, surface) for ink in ("ink", "ink-2", "ink-3") for surface in ("canvas", "surface", "sunken")),
    *((tone, "surface") for tone in ("accent", "accent-strong", "good", "warn", "bad", "info")),
    *((tone, f"{tone}-soft") for tone in ("good", "warn", "bad", "info")),
    ("accent-strong", "accent-soft"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("surface", "bad"),
    ("surface", "good"),
    ("accent", "canvas"),
]


@pytest.mark.parametrize("block", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "surface"), PAIRS)
def test_text_has_the_contrast_of_wcag_aa(block, ink, surface):
    colours = tokens(block)
    assert contrast(colours[ink], colours[surface]) >= 4.5


@pytest.mark.parametrize("block", [LIGHT, DARK], ids=["light", "dark"])
def test_borders_of_fields_can_be_seen(block):
    colours = tokens(block)
    assert contrast(colours["line-strong"], colours["surface"]) >= 3
