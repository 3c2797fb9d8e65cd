"""Start of the demo page."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import webbrowser
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.applications import Starlette

_INSTALL = 'The demo page requires Starlette and uvicorn. Install them with: pip install "kerasnet[demo]"'


def serve(
    models: Sequence[str | os.PathLike[str]] = (),
    *,
    onnxruntime_web: str | os.PathLike[str] | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    open_browser: bool = True,
) -> None:
    """Serve a page to draw digits on, until it is interrupted with Ctrl-C.

    The page shows the digit as the networks see it, the probabilities of all models side by side, the saliency of the
    pixels and the HOG cells. It also reads photographs. Drawings and photographs are prepared by
    :func:`kerasnet.features.extract_digit`.

    Parameters
    ----------
    models : sequence of str or path-like, default=()
        Names of models with pretrained weights for MNIST, such as "lenet", and paths of ``.kerasnet`` archives and of
        ``.onnx`` files of :func:`kerasnet.export` with a classifier of digits. Without names, all models with
        pretrained weights are loaded. Images are resized to the size that an exported model takes, or to the entry
        ``image_size`` of an archive's metadata, or to 28 x 28 pixels if there is none.
    onnxruntime_web : str or path-like, default=None
        Folder ``dist`` of the npm package onnxruntime-web. If given, exported models also run in the browser, on the
        page ``/browser``.
    host : str, default="127.0.0.1"
        Address or name to listen on. By default, only this machine can open the page. "0.0.0.0" allows all machines of
        the network: anybody in the network can use the page then.
    port : int, default=8000
        Port to listen on. 0 selects a free port.
    open_browser : bool, default=True
        Whether to open the page in the default browser.

    Raises
    ------
    ImportError
        If Starlette or uvicorn is not installed, or onnxruntime for exported models.
    OSError
        If the port is in use, or a file cannot be read.
    KerasNetError
        If a file is not a classifier of digits, or `onnxruntime_web` is given without an exported model.

    Examples
    --------
    >>> from kerasnet.demo import serve
    >>> serve(["lenet"], port=8080)  # doctest: +SKIP
    kerasnet demo: http://127.0.0.1:8080 (stop with Ctrl-C)
    """
    try:
        import uvicorn
    except ImportError as error:
        raise ImportError(_INSTALL) from error
    with _listen(host, port) as listener:
        address = f"[{host}]" if ":" in host else host
        url = f"http://{address}:{listener.getsockname()[1]}"

        config = uvicorn.Config(
            make_app(models, onnxruntime_web=onnxruntime_web, hosts=[host]),
            access_log=False,
            log_level="warning",
            limit_concurrency=500,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=2,
            ws="none",
        )
        print(f"kerasnet demo: {url} (stop with Ctrl-C)", flush=True)
        if open_browser:  # the connection waits until the server runs
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it after it has stopped
            uvicorn.Server(config).run(sockets=[listener])


def make_app(
    models: Sequence[str | os.PathLike[str]] = (),
    *,
    onnxruntime_web: str | os.PathLike[str] | None = None,
    hosts: Sequence[str] = (),
) -> Starlette:
    """Load models and create the application of the demo page, to run it with another ASGI server.

    Parameters
    ----------
    models : sequence of str or path-like, default=()
        Names of models and paths of files, see :func:`serve`.
    onnxruntime_web : str or path-like, default=None
        Folder of onnxruntime-web, see :func:`serve`.
    hosts : sequence of str, default=()
        Names at which browsers reach the server. IP addresses, "localhost" and the name of this machine are always
        allowed. Requests with other Host headers are rejected, which prevents DNS rebinding.

    Returns
    -------
    starlette.applications.Starlette
        ASGI application.

    Raises
    ------
    ImportError
        If Starlette is not installed, or onnxruntime for exported models.
    OSError
        If a file cannot be read.
    KerasNetError
        If a file is not a classifier of digits, or `onnxruntime_web` is given without an exported model.

    Examples
    --------
    >>> from kerasnet.demo import make_app
    >>> app = make_app(["lenet"], hosts=["digits.example.com"])
    >>> [route.path for route in app.routes]
    ['/models', '/predict', '/explain', '/', '/static']
    """
    try:
        from kerasnet.demo._app import build_app
        from kerasnet.demo._browser import check_runtime
    except ImportError as error:
        raise ImportError(_INSTALL) from error
    from kerasnet.demo._models import load_digit_models

    runtime = None if onnxruntime_web is None else check_runtime(onnxruntime_web)
    return build_app(load_digit_models(models), ["localhost", socket.gethostname(), *hosts], runtime)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
        listener.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )  # connections inherit it; else answers take 40 ms
        return listener
    except OverflowError as error:
        raise ValueError(f"port must be in the range 0 to 65535. Received: {port!r}.") from error
    except OSError as error:
        raise OSError(
            f"cannot listen on {host}, port {port}: {error.strerror}. Set port=0 to use a free port."
        ) from error
