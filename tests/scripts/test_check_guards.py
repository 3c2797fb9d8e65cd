"""The guards of files, as scripts/check_guards.py takes them away."""

import check_guards
import pytest


@pytest.mark.parametrize("name", check_guards.GUARDS)
def test_a_guard_is_where_the_script_looks_for_it(name):
    file, replacements, tests = check_guards.GUARDS[name]
    text = (check_guards.ROOT / file).read_text()
    compile(check_guards.without(text, replacements), file, "exec")
    assert check_guards.without(text, replacements) != text
    assert (check_guards.ROOT / tests).exists()


@pytest.mark.exhaustive
def test_every_guard_is_missed_when_it_is_gone(capsys):
    assert check_guards.main([]) == 0
    print(capsys.readouterr().out)
