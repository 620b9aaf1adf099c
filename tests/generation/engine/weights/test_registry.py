from __future__ import annotations

from pathlib import Path

import pytest

from generation.engine.errors import LicenceRefusedError, WeightsEntryError, WeightsUnknownError
from generation.engine.weights.registry import load_artefacts, load_registry, load_samples

GOOD = f"""
[site_swapper]
file = "site.onnx"
bytes = 10
sha256 = "{"a" * 64}"
licence = "LicenseRef-site"
commercial = true
contract = "inswapper"
"""


def site(tmp_path: Path, text: str) -> Path:
    (tmp_path / "site.toml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[site_swapper]", "[site_swapper"),
        ("[site_swapper]", "["),
        ("[site_swapper]", "[centerface]"),
        ("[site_swapper]", '["../up"]'),
        ("[site_swapper]", "site = 1\n[site_swapper]"),
        ('"site.onnx"', '"centerface.onnx"'),
        ('"site.onnx"', '"../site.onnx"'),
        ('"site.onnx"', '"/etc/passwd"'),
        ('"site.onnx"', '".hidden"'),
        ('file = "site.onnx"\n', ""),
        ("bytes = 10", "bytes = 0"),
        ("bytes = 10", "bytes = true"),
        ("bytes = 10", 'bytes = "10"'),
        ("a" * 64, "a" * 63),
        ("a" * 64, "A" * 64),
        ("commercial = true", "commercial = 1"),
        ("commercial = true", ""),
        ('contract = "inswapper"', 'contract = "inswapper"\nurl = "x"'),
        ('contract = "inswapper"', 'contract = "arcface"\nmetric = "l2"'),
        ('contract = "inswapper"', 'contract = "arcface"\nmetric = "l1"\nsame = 0.5\nreview = 0.6'),
        ('contract = "inswapper"', 'contract = "arcface"\nmetric = "l2"\nsame = 0.7\nreview = 0.6'),
        ('contract = "inswapper"', 'contract = "arcface"\nmetric = "l2"\nsame = "a"\nreview = 0.6'),
        ('contract = "inswapper"', 'contract = "x"\nsource = { artefact = "a" }'),
        ('contract = "inswapper"', 'contract = "x"\nsource = { artefact = "a", member = "", origin = "b" }'),
    ],
)
def test_a_malformed_or_doubled_site_entry_is_refused(tmp_path: Path, old: str, new: str) -> None:
    assert old in GOOD
    with pytest.raises(WeightsEntryError, match=r"site\.toml"):
        load_registry(site(tmp_path, GOOD.replace(old, new)))


def test_a_site_entry_joins_the_starter_set(tmp_path: Path) -> None:
    assert set(load_registry(site(tmp_path, GOOD)).entries) == {*load_registry().entries, "site_swapper"}


@pytest.mark.parametrize(
    ("licence", "commercial"),
    [("LicenseRef-InsightFace-NC", "false"), ("unknown", "true"), ("Unknown", "true"), ("", "true")],
)
def test_the_commercial_policy_refuses_a_licence_by_name(
    tmp_path: Path, licence: str, commercial: str
) -> None:
    text = GOOD.replace("LicenseRef-site", licence).replace("commercial = true", f"commercial = {commercial}")
    registry = load_registry(site(tmp_path, text))
    with pytest.raises(LicenceRefusedError, match=licence or "unknown"):
        registry.admit("site_swapper", policy="commercial")
    assert registry.admit("site_swapper", policy="research").file == "site.onnx"


def test_an_unknown_policy_refuses_every_model() -> None:
    with pytest.raises(LicenceRefusedError, match="everything"):
        load_registry().admit("centerface", policy="everything")


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(WeightsUnknownError, match="inswapper"):
        load_registry().admit("inswapper", policy="research")


def test_every_starter_model_is_commercially_usable_and_comes_from_a_pinned_archive() -> None:
    artefacts = load_artefacts()
    entries = [*load_registry().entries.values(), *load_samples().entries.values()]
    assert len(entries) == 10
    assert all(entry.commercially_usable for entry in entries)
    assert {entry.source.artefact for entry in entries if entry.source} == set(artefacts)


def test_the_identity_model_carries_its_own_thresholds() -> None:
    thresholds = load_registry().entry("dlib_resnet").thresholds
    assert thresholds is not None
    assert (thresholds.metric, thresholds.same, thresholds.review) == ("l2", 0.5, 0.6)
