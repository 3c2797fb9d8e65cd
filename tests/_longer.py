"""Which cases of a test are run by ``pytest -m exhaustive`` alone."""

import pytest


def longer(cases, kept_back):
    """Mark the cases that are kept back for the long version of a test."""
    unknown = set(kept_back) - set(cases)
    assert not unknown, f"no cases: {unknown}"
    return [pytest.param(case, marks=pytest.mark.exhaustive) if case in kept_back else case for case in cases]
