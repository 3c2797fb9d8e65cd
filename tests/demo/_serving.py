"""The demo page on a free port, in a thread."""

import socket
import threading
from contextlib import contextmanager

import uvicorn

from kerasnet.demo import make_app


@contextmanager
def serving(models=("lenet",), **options):
    """Serve the demo page and yield its address; `options` are those of `make_app`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(make_app(models, **options), log_level="critical", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
