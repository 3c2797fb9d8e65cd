"""Tests of the exception classes."""

import inspect

import pytest

from kerasnet import errors

ERRORS = [error for _, error in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_is_a_kerasnet_error_and_a_value_error(error):
    assert issubclass(error, errors.KerasNetError)
    assert issubclass(error, ValueError)


def test_no_error_is_missing():
    assert {error.__name__ for error in ERRORS} == {
        "KerasNetError",
        "DataFormatError",
        "ImageDecodeError",
        "UnsafeFileError",
        "CorruptFileError",
        "CheckpointMismatchError",
        "DivergenceError",
        "ExportError",
        "UnknownModelError",
    }
