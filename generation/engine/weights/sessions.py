"""Open model files: only verified ones, each once per process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from generation.engine.errors import ContractMismatchError
from generation.engine.weights.check import verified_path
from generation.engine.weights.registry import Entry

_sessions: dict[tuple[str, int], Any] = {}
_lock = threading.Lock()
ORT_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


def onnx_session(
    entry: Entry, *, weights_dir: Path, threads: int = 1, prepare: Callable[[bytes], bytes] | None = None
) -> Any:
    """An ``onnxruntime.InferenceSession`` of a verified file, shared by the threads of the process.

    ``prepare`` may mend the graph in memory; the hash is always that of the file. One session is kept
    for each file and number of threads.

    Raises:
        WeightsMissingError, WeightsAlteredError: the file is not there or not the pinned one.
        ContractMismatchError: the file is no ONNX graph that loads.
    """
    path = verified_path(entry, weights_dir=weights_dir)
    key = entry.sha256, threads
    with _lock:
        if key not in _sessions:
            blob = path.read_bytes()
            _sessions[key] = _open(prepare(blob) if prepare else blob, entry, threads)
        return _sessions[key]


def _open(blob: bytes, entry: Entry, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads  # the default is every core for each session
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(blob, options, providers=["CPUExecutionProvider"])
    except ORT_ERRORS as error:
        raise ContractMismatchError(f"Model {entry.id}: {entry.file} does not load: {error}") from None
