"""Which backend Keras runs on, and what its import leaves out."""

import pytest

from samplepack.base.errors import InputError
from samplepack.models.backend import _as_if_not_installed, backend, start_backend
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


def test_an_empty_backend_is_none_that_was_chosen(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "")
    assert backend() == "tensorflow"
