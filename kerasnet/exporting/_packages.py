"""Import the optional packages of the extra ``export``."""

import importlib


def require(*names):
    """Import packages of the extra ``export``.

    Parameters
    ----------
    *names : str
        Names of packages or modules.

    Returns
    -------
    module : module, or tuple of modules if there are several names

    Raises
    ------
    ImportError
        If one of them is not installed; the message says how to install it.
    """
    try:
        modules = tuple(importlib.import_module(name) for name in names)
    except ImportError as error:
        raise ImportError(
            f"{error.name or names[0]} is required to export models and to load exported ones: "
            'pip install "kerasnet[export]"'
        ) from error
    return modules if len(modules) > 1 else modules[0]


def session_of(content):
    """Return a session of onnxruntime for the content of an ONNX file; errors are raised and not printed."""
    runtime = require("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
