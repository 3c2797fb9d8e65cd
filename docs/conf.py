"""Configuration of the documentation site.

python -m sphinx -W --keep-going -b html docs docs/_build/html
"""

import contextlib
import io
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up messages
DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT / "scripts"))

import make_benchmark_table  # noqa: E402 - found on the path above
import make_export_table  # noqa: E402
import make_model_table  # noqa: E402
import make_results_table  # noqa: E402

import kerasnet  # noqa: E402
from kerasnet.cli import COMMANDS, main  # noqa: E402

project = "kerasnet"
author = "The kerasnet developers"
copyright = "2026, the kerasnet developers"
version = release = kerasnet.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "_generated"]
templates_path = ["_templates"]
html_static_path = ["_static"]

html_theme = "pydata_sphinx_theme"
html_title = "kerasnet"
html_baseurl = "https://kerasnet.readthedocs.io/en/stable/"
html_css_files = ["kerasnet.css"]
html_show_sourcelink = False
html_theme_options = {
    "github_url": "https://github.com/kerasnet/kerasnet",
    "header_links_before_dropdown": 6,
    "navbar_persistent": ["search-button"],
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "install": [], "quickstart": [], "glossary": [], "changelog": []}

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections name the types
autodoc_default_options = {"members": True, "inherited-members": True}
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False  # autodoc lists them

myst_enable_extensions = ["colon_fence", "deflist", "html_image"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_in_temp = True
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_output_stderr = "remove"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def skip_member(app, what, name, obj, skip, options):
    """Leave out methods that other packages document, such as ``get_params`` and ``set_output``."""
    function = obj.fget if isinstance(obj, property) else obj
    module = getattr(function, "__module__", None) or ""
    return True if name.startswith("set_") and name.endswith("_request") else skip or not module.startswith("kerasnet")


def write_generated(app):
    """Write the pages and tables that are made from model cards, benchmark records and notebooks."""
    generated = DOCS / "_generated"
    generated.mkdir(exist_ok=True)
    for module in (make_model_table, make_benchmark_table, make_export_table, make_results_table):
        for name, table in module.tables().items():
            _write(generated / f"{name}.md", table + "\n")
    _write(generated / "cards.md", make_model_table.cards())
    _write(generated / "command_line.md", "".join(f"### kerasnet {name}\n\n{_help(name)}\n" for name in COMMANDS))
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        (DOCS / "notebooks").mkdir(exist_ok=True)
        shutil.copy2(path, DOCS / "notebooks")


def _help(command):
    """Return the help of a command as a code block."""
    os.environ["COLUMNS"] = "100"
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
        main([command, "--help"])
    return f"```text\n{text.getvalue()}```\n"


def _write(path, text):
    """Write a file if its text has changed, so that Sphinx rebuilds no more pages than needed."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def setup(app):
    """Connect the steps above to Sphinx."""
    app.connect("builder-inited", write_generated)
    app.connect("autodoc-skip-member", skip_member)
