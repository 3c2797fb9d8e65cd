"""Exported models on the demo page: on the server, and in Chromium with onnxruntime-web."""

import base64
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from _browser import NODE_MODULES, ONNXRUNTIME_WEB, needs_chromium, needs_onnxruntime_web, open_page
from _longer import longer
from _serving import serving
from sklearn.linear_model import LinearRegression, LogisticRegression
from test_page import THREE, draw, overflow, said

import kerasnet as kn
from kerasnet.datasets import load_mnist
from kerasnet.demo import make_app
from kerasnet.demo._models import load_digit_models
from kerasnet.errors import DataFormatError, KerasNetError

RUNTIME = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "export.md"


@pytest.fixture(scope="module")
def images():
    return load_mnist("test", return_X_y=True)


@pytest.fixture(scope="module")
def lenet():
    return kn.KerasNetClassifier.from_pretrained("lenet", "mnist")


@pytest.fixture(scope="module")
def lenet_file(lenet, images, tmp_path_factory):
    """The exported LeNet, which takes bytes."""
    path = tmp_path_factory.mktemp("exported") / "digits.onnx"
    kn.export(lenet, path, verify=images[0][:20])
    return path


@pytest.fixture(scope="module")
def rows_file(mnist, tmp_path_factory):
    """An exported classifier of the digits 0 to 4, which takes rows of 784 floats."""
    X, y = mnist
    path = tmp_path_factory.mktemp("exported") / "rows.onnx"
    classifier = LogisticRegression(C=0.01).fit(X[y < 5].reshape(-1, 784) / 255, y[y < 5].astype(str))
    kn.export(classifier, path)
    return path


def test_exported_models_predict_as_on_images_of_their_dtype(lenet_file, rows_file, images):
    seven = images[0][0] / np.float32(255)
    exported, rows, lenet = load_digit_models([lenet_file, rows_file, "lenet"])
    assert (exported.dtype, rows.dtype) == ("uint8", "float64")
    assert exported.name == f"{lenet_file.parent.name}/digits.onnx"
    np.testing.assert_allclose(exported.predict(seven), lenet.predict(seven), atol=1e-5)
    expected = kn.load_exported(rows_file).predict_proba(seven.reshape(1, 784))[0]
    found = rows.predict(seven)
    np.testing.assert_allclose(found[:5], expected, atol=1e-6)
    assert found[5:] == [None] * 5
    assert exported.saliency(seven) is None


@pytest.mark.parametrize(
    ("estimator", "labels", "message"),
    [
        (LogisticRegression(), ["a", "b"], r"digits 0 to 9.*LogisticRegression.*'a', 'b'"),
        (LinearRegression(), [0, 1], r"digits 0 to 9.*LinearRegression"),
        (LogisticRegression(), [0, 1], r"grayscale images.*LogisticRegression.*\('X', 'float64', \(4,\)\)"),
    ],
)
def test_other_exported_models_raise(estimator, labels, message, tmp_path):
    path = tmp_path / "other.onnx"
    X = np.random.default_rng(0).random((20, 4))
    kn.export(estimator.fit(X, labels * 10), path)
    with pytest.raises(KerasNetError, match=message):
        load_digit_models([path])


def test_files_that_are_not_exported_raise(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(DataFormatError, match=r"broken.onnx: expected an ONNX file"):
        load_digit_models([tmp_path / "broken.onnx"])


def test_runtime_without_its_files_or_an_exported_model_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"dist.*npm install onnxruntime-web"):
        make_app(["lenet"], onnxruntime_web=tmp_path)
    for name in RUNTIME:
        (tmp_path / name).touch()
    with pytest.raises(KerasNetError, match=r"add an .onnx file"):
        make_app(["lenet"], onnxruntime_web=tmp_path)


def test_only_models_and_the_runtime_are_served(rows_file, tmp_path):
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in (*RUNTIME, "secret.mjs"):
        (folder / name).write_text(name)
    with serving(["lenet", rows_file], onnxruntime_web=folder) as url, httpx.Client(base_url=url) as client:
        (facts,) = client.get("/exported").json()
        assert (facts["shape"], facts["dtype"], facts["classes"]) == ([784], "float64", list("01234"))
        assert client.get("/" + facts["file"]).content == rows_file.read_bytes()
        files = [client.get(f"/onnxruntime-web/{name}") for name in RUNTIME]
        assert [file.text for file in files] == list(RUNTIME)
        assert [file.headers["content-type"].split(";")[0] for file in files] == ["text/javascript", "application/wasm"]
        for path in ("secret.mjs", "..%2fdist%2fsecret.mjs", "%2e%2e%2fsecret.mjs", ""):
            assert client.get(f"/onnxruntime-web/{path}").status_code == 404
        for path in ("1.onnx", "rows.onnx", "0.onnx/0.onnx", "%2e%2e%2frows.onnx"):
            assert client.get(f"/exported/{path}").status_code == 404
        policies = [client.get(path).headers["content-security-policy"] for path in ("/browser", "/", "/exported")]
    assert "script-src 'self' 'wasm-unsafe-eval';" in policies[0]
    assert policies[1] == policies[2] == policies[0].replace(" 'wasm-unsafe-eval'", "")


@pytest.fixture(scope="module")
def url(lenet_file, rows_file):
    with serving(["lenet", lenet_file, rows_file], onnxruntime_web=ONNXRUNTIME_WEB) as address:
        yield address


@needs_chromium
@needs_onnxruntime_web
def test_a_drawn_digit_is_read_without_the_server(browser, url):
    with open_page(browser, url, width=400) as page:
        page.get_by_role("link", name="in the browser").click()
        said(page, "Draw a digit")
        assert overflow(page) == 0
        page.context.set_offline(True)
        draw(page, THREE)
        assert "digits.onnx reads a 3 (" in said(page, "reads a 3")
        assert page.locator("td").nth(3).get_attribute("class") == "best"
        assert page.locator("td", has_text="–").count() == 5
        assert overflow(page) == 0
        page.get_by_role("button", name="Clear").click()
        page.mouse.click(*[page.locator("#pad").bounding_box()[side] + 150 for side in ("x", "y")])  # a dot
        said(page, "No digit found")


PREDICT = """(base64) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return reader.run(models[0], bytes);
}"""


@needs_chromium
@needs_onnxruntime_web
@pytest.mark.parametrize("n_images", longer([200, 10_000], {10_000}))
def test_predictions_in_the_browser_are_those_of_the_estimator(browser, url, lenet, images, n_images, record_property):
    X, y = images
    labels, probabilities = [], []
    with open_page(browser, f"{url}/browser") as page:
        said(page, "Draw a digit")
        for start in range(0, n_images, 1000):
            batch = base64.b64encode(X[start : min(n_images, start + 1000)].tobytes()).decode()
            answer = page.evaluate(PREDICT, batch)
            labels += answer["labels"]
            probabilities += answer["probabilities"]
    labels, expected = np.array(labels, int), lenet.predict(X[:n_images])
    accuracy = (labels == y[:n_images]).mean()
    record_property("counts", f"in Chromium: {n_images} images, accuracy {accuracy:.2%}")
    np.testing.assert_array_equal(labels, expected)
    found = np.reshape(probabilities, (n_images, 10))
    np.testing.assert_allclose(found, lenet.predict_proba(X[:n_images]), atol=1e-5)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@needs_chromium
@needs_onnxruntime_web
def test_the_page_in_the_documentation_reads_an_image(browser, lenet_file, images):
    folder = lenet_file.parent
    example = re.search("^```html\n(.+?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)[1]
    (folder / "index.html").write_text(example)
    (folder / "node_modules").symlink_to(NODE_MODULES)
    (folder / "favicon.ico").touch()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with open_page(browser, f"http://127.0.0.1:{server.server_port}") as page:
            image = cv2.imencode(".png", images[0][0])[1].tobytes()
            page.wait_for_load_state("networkidle")
            page.locator("input").set_input_files({"name": "7.png", "mimeType": "image/png", "buffer": image})
            page.locator("output", has_text="7 (1.000)").wait_for()
        server.shutdown()
