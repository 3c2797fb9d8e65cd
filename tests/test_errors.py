"""The exception family."""

import inspect

import pytest

from kerasnet import errors

FAMILY = [error for _, error in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("error", FAMILY, ids=lambda error: error.__name__)
def test_every_error_is_a_kerasnet_error_and_a_value_error(error):
    assert issubclass(error, errors.KerasNetError)
    assert issubclass(error, ValueError)


def test_the_family_is_whole():
    assert {error.__name__ for error in FAMILY} == {
        "KerasNetError",
        "DataFormatError",
        "ImageDecodeError",
        "UnsafeFileError",
        "CorruptFileError",
        "CheckpointMismatchError",
        "DivergenceError",
        "UnknownModelError",
    }
