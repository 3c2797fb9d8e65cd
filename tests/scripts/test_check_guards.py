"""Tests of scripts/check_guards.py."""

import check_guards
import pytest


@pytest.mark.parametrize("name", check_guards.GUARDS)
def test_guard_is_found_in_the_source(name):
    file, replacements, tests = check_guards.GUARDS[name]
    text = (check_guards.ROOT / file).read_text()
    compile(check_guards.remove_guard(text, replacements), file, "exec")
    assert check_guards.remove_guard(text, replacements) != text
    assert (check_guards.ROOT / tests).exists()


@pytest.mark.exhaustive
def test_tests_fail_without_any_of_the_guards(capsys):
    assert check_guards.main([]) == 0
    print(capsys.readouterr().out)
