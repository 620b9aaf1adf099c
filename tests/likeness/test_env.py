from __future__ import annotations

from pathlib import Path

import pytest

from likeness import env
from likeness.errors import SettingError


@pytest.mark.parametrize("raw", ["", "   "])
def test_an_empty_variable_means_the_default(monkeypatch, raw):
    monkeypatch.setenv("LIKENESS_PORT", raw)
    assert env.integer("PORT", default=8080, low=1, high=65535) == 8080


@pytest.mark.parametrize("raw", ["0", "65536", "-1", "80.5", "0x50", "eighty", "8 0"])
def test_a_wrong_number_names_the_variable(monkeypatch, raw):
    monkeypatch.setenv("LIKENESS_PORT", raw)
    with pytest.raises(SettingError, match="LIKENESS_PORT"):
        env.integer("PORT", default=8080, low=1, high=65535)


def test_a_number_in_bounds_is_taken(monkeypatch):
    monkeypatch.setenv("LIKENESS_PORT", " 9000 ")
    assert env.integer("PORT", default=8080, low=1, high=65535) == 9000


def test_a_word_outside_the_list_is_refused(monkeypatch):
    monkeypatch.setenv("LIKENESS_PROFILE", "prod")
    with pytest.raises(SettingError, match="local, production"):
        env.choice("PROFILE", choices=("local", "production"), default="local")


def test_names_are_split_and_trimmed(monkeypatch):
    monkeypatch.setenv("LIKENESS_ALLOWED_HOSTS", " a.example, ,b.example ")
    assert env.names("ALLOWED_HOSTS", default=["x"]) == ["a.example", "b.example"]


def test_a_folder_is_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIKENESS_HOME", "state")
    assert env.folder("HOME", default=Path("var")) == tmp_path / "state"


def test_a_child_gets_replaced_variables(monkeypatch):
    monkeypatch.setenv("LIKENESS_HOME", "/one")
    monkeypatch.setenv("PATH", "/bin")
    made = env.for_child(HOME="/two")
    assert (made["LIKENESS_HOME"], made["PATH"]) == ("/two", "/bin")
