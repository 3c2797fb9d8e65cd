"""The server of the demo page as a process."""

import json
import signal
import socket
import urllib.request

from _fresh import FreshProcess

from kerasnet.demo._serve import _listen

RUN_MODULE = "import runpy; runpy.run_module('kerasnet', run_name='__main__', alter_sys=True)"  # python -m kerasnet


def test_the_command_serves_the_page_until_it_is_interrupted():
    server = FreshProcess("-c", RUN_MODULE, "demo", "lenet", "--no-browser")
    line = server.first_line()
    url = line.split()[2]
    models = json.load(urllib.request.urlopen(f"{url}/models", timeout=120))["models"]
    server.send_signal(signal.SIGINT)
    output = server.communicate(timeout=60)
    assert url.startswith("http://127.0.0.1:")
    assert [model["name"] for model in models] == ["lenet"]
    assert (server.returncode, *output) == (0, line, "")


def test_answers_are_sent_without_delay():
    with _listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
