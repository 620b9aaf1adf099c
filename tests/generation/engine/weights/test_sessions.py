from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from generation.engine.errors import ContractMismatchError, WeightsAlteredError
from generation.engine.faces.detect import free_shape
from generation.engine.weights.registry import Entry, load_registry
from generation.engine.weights.sessions import onnx_session


def test_a_file_that_is_no_graph_is_a_contract_error(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no graph")
    entry = Entry("m", "m.onnx", 8, hashlib.sha256(b"no graph").hexdigest(), "MIT", True, "x", None, None)
    with pytest.raises(ContractMismatchError, match=r"m\.onnx"):
        onnx_session(entry, weights_dir=tmp_path)


def test_an_altered_file_is_never_opened(tmp_path: Path) -> None:
    entry = load_registry().entry("centerface")
    (tmp_path / entry.file).write_bytes(b"another")
    with pytest.raises(WeightsAlteredError):
        onnx_session(entry, weights_dir=tmp_path)


def test_one_session_serves_the_whole_process(weights_dir: Path) -> None:
    entry = load_registry().entry("centerface")
    first = onnx_session(entry, weights_dir=weights_dir, prepare=free_shape)
    assert onnx_session(entry, weights_dir=weights_dir, prepare=free_shape) is first
