"""All private names of other packages in use are listed in ``kerasnet._private_names``."""

import ast
import importlib
import inspect
import re
import textwrap
from configparser import ConfigParser
from pathlib import Path

import pytest

import kerasnet
from kerasnet._private_names import PRIVATE_NAMES

PACKAGE = Path(kerasnet.__file__).parent
NAMED_TUPLE = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}  # public despite the underscore
PRIVATE_ROOTS = ("keras.src.", "tensorflow.python.")  # packages that are private without an underscore
DOTTED = re.compile(r"[a-z]\w*(\.\w+)+")


def is_private(name):
    return re.fullmatch(r"_\w*[a-z]\w*(?<!__)", name) is not None and name not in NAMED_TUPLE


def private_part_of(path):
    """Return a dotted path up to its first private component; None if there is none."""
    parts = path.split(".")
    for end, part in enumerate(parts, start=1):
        if is_private(part):
            return ".".join(parts[:end])
    return path if path.startswith(PRIVATE_ROOTS) else None


def imports_of(tree):
    """Yield the full names of imports from other packages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] != "kerasnet":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def strings_in(tree):
    """Yield the string constants of a module, without parts of f-strings."""
    in_f_strings = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in in_f_strings:
            yield node.value


def names_defined_by(statements):
    """Yield the names that statements of a module or a class define."""
    for node in statements:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.For | ast.With):
            yield from (each.id for each in ast.walk(node) if isinstance(each, ast.Name) and is_stored(each))


def is_stored(node):
    return isinstance(node.ctx, ast.Store)


def attributes_defined_in(tree):
    """Yield the names of attributes and methods that the classes of a module define."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from names_defined_by(node.body)
        elif isinstance(node, ast.Attribute) and is_stored(node) and ast.unparse(node.value) in ("self", "cls"):
            yield node.attr


def private_names_in(sources):
    """Return the private names of other packages that modules use.

    Parameters
    ----------
    sources : dict of str to str
        Source texts by module name.

    Returns
    -------
    found : set of tuple (name, module)
        Full names of imports, and names of attributes.
    """
    trees = {module: ast.parse(source) for module, source in sources.items()}
    own = {name for tree in trees.values() for name in attributes_defined_in(tree)}
    own_functions = {name for tree in trees.values() for name in names_defined_by(tree.body)}
    found, packages = set(), set()
    for module, tree in trees.items():
        for path in imports_of(tree):
            packages.add(path.partition(".")[0])
            found.add((private_part_of(path), module))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
                found.add((node.attr, module))
    foreign = {name for name, _ in found}
    for module, tree in trees.items():
        for text in strings_in(tree):
            if is_private(text) and (text in foreign or text not in own | own_functions):
                found.add((text, module))
            elif DOTTED.fullmatch(text) and text.partition(".")[0] in packages:
                found.add((private_part_of(text), module))
    return {(name, module) for name, module in found if name is not None}


def overridden_private_names(kind):
    """Yield the private names of base classes from other packages that a class of kerasnet overrides."""
    written = set(attributes_defined_in(ast.parse(textwrap.dedent(inspect.getsource(kind)))))
    foreign = [base for base in kind.__mro__[1:] if base.__module__.partition(".")[0] != "kerasnet"]
    yield from (name for name in written if is_private(name) and any(name in vars(base) for base in foreign))


def module_name(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py") if path.name != "_private_names.py"}


def listed(table):
    return {(entry.name, module) for entry in table for module in entry.modules}


def test_table_lists_the_private_names_in_use():
    found = private_names_in({module: path.read_text() for module, path in MODULES.items()})
    for name in MODULES:
        module = importlib.import_module(f"kerasnet.{name}".removesuffix(".__init__"))
        for kind in filter(inspect.isclass, vars(module).values()):
            if kind.__module__ == module.__name__:
                found |= {(private, name) for private in overridden_private_names(kind)}
    missing, superfluous = sorted(found - listed(PRIVATE_NAMES)), sorted(listed(PRIVATE_NAMES) - found)
    assert not missing, f"use a public name, or add to kerasnet/_private_names.py: {missing}"
    assert not superfluous, f"remove from kerasnet/_private_names.py, not used: {superfluous}"


def test_entries_are_sorted_unique_and_have_a_reason():
    names = [(entry.package, entry.name) for entry in PRIVATE_NAMES]
    assert names == sorted(set(names))
    for entry in PRIVATE_NAMES:
        assert list(entry.modules) == sorted(set(entry.modules)), entry.name
        assert len(entry.reason) > 20, entry.name
        assert "\n" not in entry.reason


def test_minor_versions_of_packages_with_private_names_are_pinned():
    setup = ConfigParser()
    setup.read(PACKAGE.parent / "setup.cfg")
    required = setup["options"]["install_requires"].split()
    projects = {"sklearn": "scikit-learn"}
    for package in {entry.package for entry in PRIVATE_NAMES} - {"python"}:
        (pin,) = [each for each in required if re.match(rf"{projects.get(package, package)}[=<>]", each)]
        assert re.search(r",<\d+\.\d+$|==\d+\.\d+\.\*$", pin), pin


USES = {
    "from sklearn.utils._validation import check": "sklearn.utils._validation",
    "from sklearn.utils.validation import _check, check": "sklearn.utils.validation._check",
    "from sklearn import _config": "sklearn._config",
    "import skops.io._protocol": "skops.io._protocol",
    "from keras.src.random import seed_generator": "keras.src.random.seed_generator",
    "def inner():\n    from tensorflow.python.eager import context": "tensorflow.python.eager.context",
    "model._flatten()": "_flatten",
    "model._flag = True": "_flag",
    "getattr(loss, '_fn', None)": "_fn",
    "hidden = ('_fn',)": "_fn",
    "vars(optimizer).get('_rate')": "_rate",
    "import sklearn\nkind = 'sklearn.impute._iterative._Triplet'": "sklearn.impute._iterative",
    "def _rate(optimizer):\n    return optimizer._rate": "_rate",
}


@pytest.mark.parametrize(("source", "name"), USES.items())
def test_private_names_are_found(source, name):
    assert private_names_in({"module": source}) == {(name, "module")}


@pytest.mark.parametrize(
    "source",
    [
        "import sklearn.utils.validation",
        "from kerasnet.models._layers import _own",
        "class A:\n    def _own(self):\n        return self._own",
        "class A:\n    _own = _other, _more = 1, 2\na._own + a._other",
        "class A:\n    def __init__(self):\n        self._own = 1\nother._own",
        "class A:\n    __slots__ = ()\na.__dict__, a.__class__",
        "named_tuple._replace(a=1), named_tuple._asdict()",
        "def _own(): ...\nNAMES = ('_own',)",
        "name = f'{prefix}_block_{number}'",
        "import sklearn\nkind = 'kerasnet.models._layers'",
        "_, __ = 1, '_'",
    ],
)
def test_public_and_kerasnet_names_are_not_found(source):
    assert private_names_in({"module": source}) == set()


def test_overridden_private_methods_are_found():
    from sklearn.utils.estimator_checks import BaseEstimator

    class Own(BaseEstimator):
        def _validate_params(self): ...

        def _own(self): ...

    assert list(overridden_private_names(Own)) == ["_validate_params"]
