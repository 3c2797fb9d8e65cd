"""The demo page in Chromium: drawing with the mouse and the keyboard, photographs, appearance."""

import cv2
import numpy as np
import pytest
from _browser import needs_chromium, open_page
from _serving import serving

pytestmark = needs_chromium
THREE = [(0.3, 0.25), (0.4, 0.17), (0.55, 0.17), (0.65, 0.27), (0.6, 0.4), (0.45, 0.48)]
THREE += [(0.6, 0.52), (0.7, 0.63), (0.66, 0.78), (0.5, 0.85), (0.35, 0.8), (0.28, 0.72)]


@pytest.fixture(scope="module")
def url():
    with serving() as address:
        yield address


def draw(page, stroke):
    """Draw a stroke of points in [0, 1] with the mouse."""
    box = page.locator("#pad").bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=3)
    page.mouse.up()


def said(page, text):
    """Wait until the status region contains a text, and return all of it."""
    page.locator("#said", has_text=text).wait_for(state="attached")
    return page.locator("#said").text_content()


def brightness(page, canvas):
    """Return the size of a canvas and the sum of its brightest channel."""
    return page.evaluate(
        """(id) => {
            const { width, height } = document.getElementById(id);
            const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
            copy.drawImage(document.getElementById(id), 0, 0);
            const { data } = copy.getImageData(0, 0, width, height);
            return [width, data.filter((_, index) => index % 4 === 0).reduce((sum, value) => sum + value, 0)];
        }""",
        canvas,
    )


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


def test_a_drawn_digit_is_read_and_explained(browser, url):
    with open_page(browser, url, width=400, height=1600, color_scheme="dark") as page:
        said(page, "Draw a digit")
        assert page.get_by_role("radio", name="lenet").is_checked()
        assert page.get_by_role("button", name="Undo").is_disabled()
        assert overflow(page) == 0
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.emulate_media(color_scheme="light")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark

        draw(page, THREE)
        assert said(page, "lenet reads a 3").startswith("lenet reads a 3 (")
        page.locator("#hog[width='336']").wait_for()
        assert page.locator("#digit").text_content() == "3"
        assert page.locator("td.best").count() == 1
        assert page.locator("td").nth(3).get_attribute("class") == "best"
        assert overflow(page) == 0
        for canvas, size in (("seen", 28), ("saliency", 28), ("hog", 336)):
            width, brightest = brightness(page, canvas)
            assert width == size
            assert brightest > 1000
        assert "read as 3" in page.locator("#seen").get_attribute("aria-label")

        draw(page, [(0.85, 0.1), (0.86, 0.9)])  # a second digit
        assert "found 2" in said(page, "Expected one digit")
        assert page.locator("#digit").text_content() == "?"
        assert page.locator("td.best").count() == 0
        page.get_by_role("button", name="Undo").click()
        said(page, "lenet reads a 3")
        page.get_by_role("button", name="Clear").click()
        said(page, "Draw a digit")
        assert brightness(page, "seen")[1] == 0
        page.mouse.click(*[page.locator("#pad").bounding_box()[side] + 150 for side in ("x", "y")])  # a dot
        said(page, "No digit found")


def test_digits_are_drawn_with_the_keyboard(browser, url):
    with open_page(browser, url) as page:
        said(page, "Draw a digit")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "pad"
        moves = [("ArrowUp", 10), ("ArrowLeft", 7), ("Space", 1), ("ArrowRight", 14)]
        for key, times in moves:
            for _ in range(times):
                page.keyboard.press(key)
        page.keyboard.down("ArrowLeft")  # both arrows: diagonally
        page.keyboard.down("ArrowDown")
        page.keyboard.up("ArrowLeft")
        for index in range(22):
            page.keyboard.press("ArrowLeft" if index % 3 == 0 else "ArrowDown")
            page.keyboard.down("ArrowDown")
        page.keyboard.up("ArrowDown")
        page.keyboard.press("Space")
        said(page, "lenet reads a 7")
        assert page.locator("#pad").get_attribute("aria-label") == "Drawing area, 1 stroke"
        page.keyboard.press("Control+z")
        said(page, "Draw a digit")
        page.keyboard.press("ArrowDown")  # the pen is lifted
        assert page.evaluate("pad.isEmpty")


def make_photograph(rng):
    """Return a photograph of a 2 on a page with a shadow and noise, as JPEG."""
    page = np.full((900, 700), 215, np.float32) * np.linspace(1, 0.7, 700, dtype=np.float32)
    curve = [(230, 330), (290, 240), (400, 230), (460, 310), (420, 430), (240, 640), (480, 630)]
    cv2.polylines(page, [np.array(curve)], False, 60, 22, cv2.LINE_AA)
    noisy = np.clip(page + rng.normal(0, 4, page.shape), 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", noisy)[1].tobytes()


def test_photographs_are_read(browser, url):
    photograph = make_photograph(np.random.default_rng(0))
    with open_page(browser, url) as page:
        said(page, "Draw a digit")
        chooser = page.locator("#photograph")
        chooser.set_input_files({"name": "two.jpg", "mimeType": "image/jpeg", "buffer": photograph})
        said(page, "lenet reads a 2")
        assert brightness(page, "pad")[1] > 1e6
        blank = cv2.imencode(".png", np.full((300, 300), 255, np.uint8))[1].tobytes()
        chooser.set_input_files({"name": "blank.png", "mimeType": "image/png", "buffer": blank})
        said(page, "No digit found")
        assert page.locator("#digit").text_content() == "?"
        page.route("**/models", lambda route: route.fulfill(json={**route.fetch().json(), "max_bytes": 1000}))
        page.reload()
        said(page, "Draw a digit")
        chooser.set_input_files({"name": "two.jpg", "mimeType": "image/jpeg", "buffer": photograph})
        said(page, "This file exceeds")


def test_touch_draws(browser, url):
    with open_page(browser, url, width=400, has_touch=True) as page:
        said(page, "Draw a digit")
        page.evaluate(
            """(stroke) => {
                const canvas = document.getElementById("pad"), box = canvas.getBoundingClientRect();
                canvas.setPointerCapture = () => {};
                const send = (type, [x, y]) => canvas.dispatchEvent(new PointerEvent(type, {
                    pointerId: 7, pointerType: "touch",
                    clientX: box.x + x * box.width, clientY: box.y + y * box.height,
                }));
                stroke.forEach((point, index) => send(index ? "pointermove" : "pointerdown", point));
                send("pointerup", stroke.at(-1));
            }""",
            THREE,
        )
        said(page, "lenet reads a 3")
        assert page.evaluate("getComputedStyle(document.getElementById('pad')).touchAction") == "none"
