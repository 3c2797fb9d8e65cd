"""``kerasnet demo``: a page to draw on."""

import argparse

from kerasnet.cli._command import fail, import_quietly

DESCRIPTION = """\
Open a page to draw a digit or drop a photograph on, with the predictions of
models. It is served on this computer only, until Ctrl-C.
Requires: pip install "kerasnet[demo]"

examples:
  kerasnet demo
  kerasnet demo lenet runs/mnist-cnn-20260101-120000 --no-browser
  kerasnet demo digits.onnx --onnxruntime-web node_modules/onnxruntime-web/dist
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument(
        "models",
        metavar="MODEL",
        nargs="*",
        help="models to compare, see kerasnet --help, or exported models (.onnx) (default: pretrained models)",
    )
    parser.add_argument(
        "--onnxruntime-web",
        metavar="FOLDER",
        help="folder dist of the npm package onnxruntime-web, to run exported models (.onnx) in the browser as well",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on (default: 127.0.0.1, which other computers cannot reach)",
    )
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="port to listen on (default: a free port)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")


def run(arguments):
    """Run the command and return its exit status."""
    import_quietly("kerasnet.estimators")
    from kerasnet.cli._models import name_or_file

    models = [name_or_file(model) for model in arguments.models]
    try:
        from kerasnet.demo import serve

        serve(
            models,
            onnxruntime_web=arguments.onnxruntime_web,
            host=arguments.host,
            port=arguments.port,
            open_browser=not arguments.no_browser,
        )
    except ImportError as error:
        if "pip install" not in str(error):
            raise
        return fail("kerasnet demo", error)
    return 0


def _port(text):
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)
