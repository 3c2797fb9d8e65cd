"""Measure the latency of the demo page in Chromium, from a movement of the pen to the frame that shows the answer.

    python scripts/bench_demo.py
    python scripts/bench_demo.py --models lenet cnn --digits 100

The digits of MNIST are drawn with the mouse, at 60 movements a second. The page asks for the newest drawing when the
last answer has arrived. The latency is measured for each answer, and for the answers to complete strokes.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time

import numpy as np
from _bench import report
from playwright.sync_api import sync_playwright
from skimage.graph import route_through_array
from skimage.morphology import skeletonize

from kerasnet.datasets import load_mnist

SERVE = "import sys; from kerasnet.demo import serve; serve(sys.argv[1:], port=0, open_browser=False)"
FRAME = 1 / 60  # seconds
RECORD = """() => {
    const stamps = new Map(), original = pad.changed;
    let stamp = 0;
    for (const type of ["pointerdown", "pointermove"]) {
        pad.canvas.addEventListener(type, (event) => { stamp = event.timeStamp; }, { capture: true });
    }
    pad.changed = () => {
        original();
        if (!pad.isEmpty) stamps.set(revision, stamp);
    };
    window.latencies = [];
    new MutationObserver(() => {
        const answered = Number(document.body.dataset.answered), started = stamps.get(answered);
        if (!started) return;
        requestAnimationFrame(() => latencies.push([answered === revision, performance.now() - started]));
    }).observe(document.body, { attributeFilter: ["data-answered"] });
}"""


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["lenet"], help="models of the page (default: lenet)")
    parser.add_argument("--digits", type=int, default=30, help="number of digits to draw (default: 30)")
    parser.add_argument("--save", action="store_true", help="write the results to benchmarks.json")
    arguments = parser.parse_args(argv)

    strokes = [trace(image) for image in load_mnist("test", n_samples=arguments.digits, random_state=0).data]
    command = [sys.executable, "-c", SERVE, *arguments.models]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = server.stdout.readline().split()[2]
            latencies = draw_all(url, strokes)
        finally:
            server.terminate()
    result = {
        "models": arguments.models,
        "digits": arguments.digits,
        "milliseconds_to_answer": summarize([latency for _, latency in latencies]),
        "milliseconds_after_the_stroke": summarize([latency for is_last, latency in latencies if is_last]),
    }
    report("demo", result, arguments.save)
    return 0


def trace(image):
    """Return points (x, y) in [0, 1] along the longest stroke of a digit."""
    skeleton = skeletonize(image > 100)
    points = np.argwhere(skeleton)
    costs = np.where(skeleton, 1, 1e6)
    start = points[0]
    for _ in range(2):  # the farthest point of the farthest point
        paths = [route_through_array(costs, start, end) for end in points]
        path, _ = max(paths, key=lambda found: found[1] if found[1] < 1e6 else 0)
        start = path[-1]
    rows, columns = np.array(path).T / 27
    return np.c_[columns, rows]


def draw_all(url, strokes):
    """Draw strokes on the page; return for each answer whether it is the last of its stroke, and the latency in ms."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("body[data-explained]")
        page.evaluate(RECORD)
        box = page.locator("#pad").bounding_box()
        for stroke in strokes:
            draw(page, stroke * (box["width"], box["height"]) + (box["x"], box["y"]))
            wait_until_at_rest(page)
            page.get_by_role("button", name="Clear").click()
            wait_until_at_rest(page)
        latencies = page.evaluate("latencies")
        browser.close()
    return latencies


def wait_until_at_rest(page):
    """Wait until the newest drawing is answered and explained."""
    page.wait_for_selector(f"body[data-explained='{page.evaluate('revision')}']")


def draw(page, points):
    """Draw a stroke with one movement per frame."""
    page.mouse.move(*points[0])
    page.mouse.down()
    started = time.perf_counter()
    for number, point in enumerate(points[1:], start=1):
        page.mouse.move(*point)
        time.sleep(max(0, started + number * FRAME - time.perf_counter()))
    page.mouse.up()


def summarize(latencies):
    """Return the number, median and 95th percentile."""
    median, high = np.percentile(latencies, [50, 95]).round(1).tolist()
    return {"n": len(latencies), "median": median, "95th_percentile": high}


if __name__ == "__main__":
    sys.exit(main())
