"""Mark the cases of a test that only run with ``pytest -m exhaustive``."""

import pytest


def longer(cases, exhaustive):
    """Return all cases; those in `exhaustive` only run with ``pytest -m exhaustive``."""
    unknown = set(exhaustive) - set(cases)
    assert not unknown, f"unknown cases: {unknown}"
    return [pytest.param(case, marks=pytest.mark.exhaustive) if case in exhaustive else case for case in cases]
