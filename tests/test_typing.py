"""Type hints: mypy accepts the package and right uses, reports wrong uses, and every public signature has hints."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kerasnet

ROOT = Path(__file__).parents[1]
USER_CODE = ROOT / "tests" / "typing"
MODULES = ["kerasnet", *(f"kerasnet.{name}" for name in kerasnet.__all__ if inspect.ismodule(getattr(kerasnet, name)))]


@pytest.fixture(scope="module")
def errors():
    """The errors that mypy finds: by file name a list of pairs of line number and error code."""
    command = [sys.executable, "-m", "mypy", "--no-pretty", "--no-error-summary"]
    done = subprocess.run([*command, "kerasnet", USER_CODE], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    found = re.findall(r"^(\S+\.pyi?):(\d+): error: .*\[([a-z-]+)\]$", done.stdout, re.MULTILINE)
    assert len(found) == done.stdout.count(": error: "), done.stdout
    print(done.stdout)  # shown when a test fails
    by_file = {}
    for path, line, code in found:
        by_file.setdefault(path, []).append((int(line), code))
    return by_file


def test_mypy_accepts_the_package(errors):
    assert not {path: found for path, found in errors.items() if path.startswith("kerasnet")}


def test_mypy_accepts_right_uses(errors):
    assert not errors.get("tests/typing/right_uses.py")


def test_mypy_reports_wrong_uses(errors):
    lines = (USER_CODE / "wrong_uses.py").read_text().splitlines()
    expected = [
        (number, line.partition("# error: ")[2]) for number, line in enumerate(lines, start=1) if "# error: " in line
    ]
    assert errors["tests/typing/wrong_uses.py"] == expected


def test_right_uses_use_every_public_name():
    tree = ast.parse((USER_CODE / "right_uses.py").read_text())
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {f"kn.{name}" for name in kerasnet.__all__} <= used


def functions_in(name, value):
    """Yield the functions that belong to a public name: the function itself, or the public methods of a class."""
    if inspect.isfunction(value):
        yield name, value
    elif inspect.isclass(value):
        for owner in value.__mro__:
            if owner.__module__.startswith("kerasnet"):
                for attribute, member in vars(owner).items():
                    if attribute == "__init__" or not attribute.startswith("_"):
                        yield from ((f"{owner.__name__}.{attribute}", each) for each in functions_of(member))


def functions_of(member):
    """Yield the function of a method, a property or a conditional method of scikit-learn."""
    function = getattr(member, "fget", None) or getattr(member, "__func__", None) or getattr(member, "fn", member)
    if inspect.isfunction(function) and function.__module__.startswith("kerasnet"):
        yield inspect.unwrap(function)


def missing_hints(function):
    """Return the names of the parameters without hints, and "return" if the result has none."""
    signature = inspect.signature(function)
    parameters = [each for each in signature.parameters.values() if each.name not in ("self", "cls")]
    missing = [each.name for each in parameters if each.annotation is each.empty]
    if signature.return_annotation is signature.empty and function.__name__ != "__init__":
        missing.append("return")
    return missing


@pytest.mark.parametrize("module", MODULES)
def test_every_public_signature_has_hints(module):
    module = importlib.import_module(module)
    names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
    functions = dict(each for name in names for each in functions_in(name, getattr(module, name)))
    missing = [f"{name}: {hints}" for name, function in functions.items() if (hints := missing_hints(function))]
    assert not missing, "\n".join(["these have no hints:", *missing])


def test_missing_hints_are_found():
    class Shape:
        def __init__(self, sides): ...

        @property
        def area(self): ...

        @classmethod
        def of(cls, sides: int, *more): ...

        def scale(self, factor: float) -> "Shape": ...

        def _own(self, factor): ...

    Shape.__module__ = "kerasnet"
    for member in vars(Shape).values():
        for function in (member, getattr(member, "fget", None), getattr(member, "__func__", None)):
            if inspect.isfunction(function):
                function.__module__ = "kerasnet"
    found = {name: missing_hints(function) for name, function in functions_in("Shape", Shape)}
    assert found == {
        "Shape.__init__": ["sides"],
        "Shape.area": ["return"],
        "Shape.of": ["more", "return"],
        "Shape.scale": [],
    }
