"""Which backend Keras runs on, and what its import leaves out."""

from pathlib import Path

import pytest

from samplepack.base.errors import InputError
from samplepack.models.backend import _as_if_not_installed, backend, lacks_bfloat16, start_backend
from samplepack.models.engine import Engine


def test_what_keras_need_not_import_is_hidden_from_it_and_found_afterwards():
    with _as_if_not_installed("xmlrpc", "json"), pytest.raises(ImportError):
        import json  # imported already, so not hidden
        import xmlrpc
    import xmlrpc

    assert json.dumps(xmlrpc.__name__) == '"xmlrpc"'


@pytest.mark.parametrize("chosen", ["pytest", "numpy", "torch", "TensorFlow"])
def test_a_backend_that_is_none_is_refused(monkeypatch, chosen):
    monkeypatch.setenv("KERAS_BACKEND", chosen)
    for ask in (lambda: str(Engine()), start_backend):
        with pytest.raises(InputError, match=f"KERAS_BACKEND is '{chosen}'; it should be tensorflow or jax"):
            ask()


@pytest.mark.parametrize(("flags", "lacks"), [("fma avx2 f16c", True), ("avx512f avx512_bf16", False)])
def test_a_processor_without_bfloat16_is_known(monkeypatch, flags, lacks):
    monkeypatch.setattr(Path, "read_text", lambda path, **how: f"processor : 0\nflags : fpu {flags}\n")
    assert lacks_bfloat16() == lacks


def test_an_empty_backend_is_none_that_was_chosen(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "")
    assert backend() == "tensorflow"
