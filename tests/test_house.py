"""The structure of the package: which layer may import which, and what importing the package imports."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kerasnet

PACKAGE = Path(kerasnet.__file__).parent
# Modules and folders from top to bottom; each imports only from those above it.
LAYERS = (
    "_private_names",
    "_fit_summary",
    "_documentation",
    "errors",
    "_formats",
    "_files",
    "_image_files",
    "_row_sources",
    "_lazy_array",
    "_values",
    "numpy_network",
    "datasets",
    "preprocessing",
    "features",
    "models",
    "training",
    "estimators",
    "persistence",
    "plots",
    "exporting",
    "report",
    "demo",
    "cli",
    "__main__",
    "__init__",
)
WITHOUT_TENSORFLOW = LAYERS[: LAYERS.index("models")]


def layer_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path):
    """Yield the full names of all modules and objects that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_layers_import_only_from_layers_above(path):
    layer = layer_of(path)
    assert layer in LAYERS, f"{layer} is missing from LAYERS"
    for module in imports_of(path):
        if module.startswith("kerasnet."):
            other = module.split(".")[1]
            assert other == layer or LAYERS.index(other) < LAYERS.index(layer), f"{layer} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_are_imported_only_where_allowed(path):
    layer, libraries = layer_of(path), {module.split(".")[0] for module in imports_of(path)}
    if layer in WITHOUT_TENSORFLOW:
        assert not libraries & {"keras", "tensorflow", "scikeras"}
    if layer != "estimators":
        assert "scikeras" not in libraries
    if layer != "training":
        assert "tensorflow" not in libraries


WRITING_FUNCTIONS = {
    "NamedTemporaryFile",
    "mkstemp",
    "rename",
    "replace",
    "savefig",
    "to_csv",
    "tofile",
    "write_bytes",
    "write_text",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_files_module_writes_files(path):
    if layer_of(path) == "_files":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
            if name == "open":
                modes = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
                assert not [mode for mode in modes if re.fullmatch("[rwaxbt+]*[wax+][rwaxbt+]*", str(mode))], (
                    ast.unparse(node)
                )
            assert name not in WRITING_FUNCTIONS or (name in ("rename", "replace") and owner not in ("os", "shutil")), (
                ast.unparse(node)
            )
            assert f"{owner}.{name}" not in ("np.save", "pickle.dump", "joblib.dump", "json.dump"), ast.unparse(node)


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_and_data_modules_does_not_import_tensorflow():
    code = "import sys, kerasnet as kn; dir(kn); kn.datasets.load_mnist; kn.features.hog; print(sorted(sys.modules))"
    loaded = ast.literal_eval(run_python(code))
    assert not {"tensorflow", "keras", "scikeras"} & set(loaded)
    assert "kerasnet.datasets" in loaded


def test_importing_the_package_does_not_import_numpy():
    assert run_python("import sys, kerasnet; print('numpy' in sys.modules)") == "False"


def test_all_public_names_exist():
    for name in kerasnet.__all__:
        assert getattr(kerasnet, name) is not None
        assert name in dir(kerasnet)
    with pytest.raises(AttributeError, match="No kerasnet attribute nonsense"):
        kerasnet.nonsense  # noqa: B018


def test_public_names_of_models_and_estimators_are_exported():
    from kerasnet import estimators, models

    internal = {"registered_model"}
    assert set(estimators.__all__) | (set(models.__all__) - internal) <= set(kerasnet.__all__)
