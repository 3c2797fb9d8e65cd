"""The server of the demo page: answers, limits, and malformed or malicious requests."""

import asyncio
import collections
import json
import socket
from contextlib import AsyncExitStack

import cv2
import httpx
import numpy as np
import pytest
from _serving import serving
from starlette.exceptions import HTTPException

from kerasnet import KerasNetClassifier
from kerasnet.datasets import load_mnist
from kerasnet.demo._app import MAX_DIGIT_BYTES, MAX_IMAGE_BYTES, MAX_PIXELS
from kerasnet.demo._limits import Gate
from kerasnet.features import extract_digit


@pytest.fixture(scope="module")
def client():
    with serving() as url, httpx.Client(base_url=url, timeout=600) as client:
        yield client


@pytest.fixture(scope="module")
def drawing():
    """A drawing of a 7, as PNG."""
    canvas = np.full((320, 320), 255, np.uint8)
    cv2.polylines(canvas, [np.array([[100, 80], [220, 80], [150, 260]])], False, 0, 20, cv2.LINE_AA)
    return cv2.imencode(".png", canvas)[1].tobytes()


@pytest.fixture(scope="module")
def digit():
    return (load_mnist("test").data[0] / np.float32(255)).ravel().tolist()


def error_of(response, status):
    """Check the status of a response and return its message."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    message = response.json()["error"]
    assert "Traceback" not in message
    return message


def test_predictions_are_those_of_the_model_for_the_extracted_digit(client, drawing):
    answer = client.post("/predict", content=drawing).json()
    expected = extract_digit(drawing)
    np.testing.assert_array_equal(np.float32(answer["digit"]).reshape(28, 28), expected)
    probabilities = KerasNetClassifier.from_pretrained("lenet", "mnist").predict_proba(expected[np.newaxis])[0]
    np.testing.assert_allclose(answer["predictions"]["lenet"], probabilities, atol=1e-5)
    answer = client.post("/predict?background=uniform", content=drawing).json()
    expected = extract_digit(drawing, background="uniform")
    np.testing.assert_array_equal(np.float32(answer["digit"]).reshape(28, 28), expected)


def test_explanations_have_the_shape_of_the_digit(client, digit):
    explanation = client.post("/explain?model=lenet", json=digit).json()
    assert np.shape(explanation["saliency"]) == (28, 28)
    assert np.max(explanation["saliency"]) == 1
    assert np.shape(explanation["hog"]) == (7, 7, 9)
    assert np.max(explanation["hog"]) == 1


def test_pages_have_security_headers(client):
    for path in ("/", "/static/demo.js", "/models", "/missing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers


def test_only_files_of_the_page_are_readable(client):
    assert client.get("/").text.startswith("<!DOCTYPE html>")
    paths = [
        "/../_app.py",
        "/%2e%2e/_app.py",
        "/..%2f_app.py",
        "/static/../../_app.py",
        "/static/../_app.py",
        "/static/%2e%2e/_app.py",
        "/static//etc/passwd",
        "/static/..%2f_app.py",
        "//etc/passwd",
        "/%2fetc/passwd",
    ]
    paths += [
        "/static/....//_app.py",
        "/static/..\\_app.py",
        "/static/demo.js/../../_app.py",
        "/%00",
        "/demo.js%00.html",
        "/~root",
        "/static/" + "a" * 5000,
    ]
    host, port = client.base_url.host, client.base_url.port
    statuses = collections.Counter()
    for path in paths:
        with socket.create_connection((host, port)) as connection:  # httpx normalizes paths
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        statuses[int(answer.split()[1])] += 1
        assert b"import" not in answer
        assert b"root:" not in answer
    assert set(statuses) <= {400, 404}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("GET", "/predict", 405), ("PUT", "/predict", 405), ("DELETE", "/explain?model=lenet", 405)),
        *(("POST", "/models", 405), ("POST", "/", 405), ("POST", "/static/demo.js", 405), ("OPTIONS", "/predict", 405)),
        *(("GET", "/browser", 404), ("GET", "/exported", 404)),  # without onnxruntime-web
        *(("GET", "/docs", 404), ("POST", "/predict/more", 404), ("BREW", "/predict", 405)),
    ],
)
def test_wrong_methods_and_paths(client, method, path, status):
    assert error_of(client.request(method, path), status)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no image",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"P5 6000 6000 255\n",
        b"GIF89a\xff\xff\xff\xff",
        b"\xff\xd8\xff\xd9",
    ],
)
def test_malformed_images(client, body):
    assert error_of(client.post("/predict", content=body), 415).startswith("image")


def test_oversized_bodies_and_images(client, drawing):
    limit = f"Expected at most {MAX_IMAGE_BYTES} bytes"
    assert limit in error_of(client.post("/predict", content=bytes(MAX_IMAGE_BYTES + 1)), 413)
    chunks = (bytes(1_000_000) for _ in range(MAX_IMAGE_BYTES // 1_000_000 + 1))
    assert limit in error_of(client.post("/predict", content=chunks), 413)
    assert "bytes" in error_of(client.post("/explain?model=lenet", content=b"[" * (MAX_DIGIT_BYTES + 1)), 413)
    bomb = cv2.imencode(".png", np.zeros((5001, MAX_PIXELS // 5000), np.uint8))[1].tobytes()
    assert f"at most {MAX_PIXELS} pixels" in error_of(client.post("/predict", content=bomb), 415)
    assert client.post("/predict", content=drawing).json()["digit"]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b"[" * 60_000, b"null", b"[1, 2]", b"\xff\xfe", json.dumps([[0] * 28] * 28).encode()),
        *(json.dumps([value] + [0] * 783).encode() for value in ("0", True, None, 2, -1, 1e39, float("nan"), 10**400)),
    ],
    ids=range(15),
)
def test_malformed_digits(client, body):
    assert "784 numbers" in error_of(client.post("/explain?model=lenet", content=body), 400)


def test_malformed_queries(client, digit, drawing):
    assert "one of paper" in error_of(client.post("/predict?background=up", content=drawing), 400)
    for model in ("", "cnn", "../lenet", "<script>"):
        assert "one of lenet" in error_of(client.post("/explain", params={"model": model}, json=digit), 400)


@pytest.mark.parametrize(
    "host", ["example.com", "localhost.example.com", "127.0.0.1.example.com", "", "[", "a b", "999.0.0.1"]
)
def test_other_hosts_are_rejected(client, host):
    response = client.get("/", headers={"Host": host})
    assert response.status_code == 400
    assert "DOCTYPE" not in response.text


def test_this_machine_is_allowed_by_address_and_name(client):
    for host in ("localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]:8000", socket.gethostname()):
        assert client.get("/", headers={"Host": host}).status_code == 200


def test_requests_of_other_sites_are_rejected(client, drawing):
    for origin in ("http://example.com", "null", "http://localhost:1"):
        assert "other sites" in error_of(client.post("/predict", content=drawing, headers={"Origin": origin}), 403)
    own = {"Origin": str(client.base_url)}
    assert client.post("/predict", content=drawing, headers=own).status_code == 200


def test_parallel_requests_are_answered_or_rejected(client, drawing, record_property):
    async def ask():
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=client.base_url, limits=limits, timeout=600) as parallel:
            return await asyncio.gather(
                *(parallel.post("/predict?background=uniform", content=drawing) for _ in range(100))
            )

    responses = asyncio.run(ask())
    counts = collections.Counter(response.status_code for response in responses)
    record_property("counts", f"demo: 100 requests in parallel: {counts[200]} answered, {counts[429]} rejected (429)")
    assert counts.keys() == {200, 429}
    for response in responses:
        if response.status_code == 429:
            assert response.headers["retry-after"] == "1"
            assert "Too many" in response.json()["error"]
        else:
            assert np.argmax(response.json()["predictions"]["lenet"]) == 7
    assert client.get("/").status_code == 200


def test_a_slow_request_does_not_block_others(client, drawing):
    host, port = client.base_url.host, client.base_url.port
    with socket.create_connection((host, port)) as connection:
        connection.sendall(f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\nP5".encode())
        assert client.post("/predict", content=drawing).status_code == 200


def test_gate_limits_rate_and_requests_at_the_same_time():
    async def admitted(gate, n_requests, at_once):
        async with AsyncExitStack() as stack:
            for number in range(n_requests):
                try:
                    await stack.enter_async_context(gate.admit())
                except HTTPException:
                    return number
                if not at_once:
                    await stack.aclose()
        return n_requests

    assert asyncio.run(admitted(Gate(waiting=3), 10, at_once=True)) == 3
    assert asyncio.run(admitted(Gate(per_second=1e-9, burst=5), 10, at_once=False)) == 5
    assert asyncio.run(admitted(Gate(per_second=1e9, burst=5), 10, at_once=False)) == 10
