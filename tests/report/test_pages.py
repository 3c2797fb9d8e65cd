"""Reports in Chromium: nothing is loaded, nothing overflows, images have alternatives, and colors follow the scheme."""

import numpy as np
import pytest
from _browser import needs_chromium, open_page
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import kerasnet as kn

NAMES = ["<img src=x onerror=alert(1)>", "x" * 300, "שלום $a$ #d55e00 \x00", ""]
CONTRAST = """() => {
    const luminance = color => {
        const parts = color.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255);
        const [r, g, b] = parts.map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = luminance(getComputedStyle(document.body).backgroundColor);
    const text = [...document.querySelectorAll("svg text")].map(each => luminance(getComputedStyle(each).fill));
    return Math.min(...text.map(ink => (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05)));
}"""
WITHOUT_ALTERNATIVE = """() => [...document.querySelectorAll("img, svg")].filter(
    each => !(each.alt || (each.getAttribute("role") == "img" && each.getAttribute("aria-label"))) ||
        (each.tagName == "IMG" && !each.naturalWidth)
).length"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return the paths of a report of a classifier of images with unusual class names, and one of a regressor."""
    folder, rng = tmp_path_factory.mktemp("pages"), np.random.default_rng(0)
    X, y = rng.random((80, 16)), np.arange(80) % 4  # random, so that there are mistakes
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    images = X.reshape(-1, 4, 4)
    first = kn.make_report(tree, X, y, folder / "a.html", title="x" * 200, class_names=NAMES, images=images)
    targets = np.column_stack([X[:, 0], X[:, 1]]) * 1e7
    regressor = DecisionTreeRegressor(max_depth=3, random_state=0).fit(X, targets)
    return first, kn.make_report(regressor, X, targets, folder / "b.html")


@needs_chromium
def test_pages_are_readable_narrow_wide_dark_and_printed(browser, pages):
    with open_page(browser, pages[0].as_uri(), width=400) as page:
        check_class_names(page)
        for path in pages:
            page.goto(path.as_uri())
            for scheme, paper in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(13, 17, 23)")):
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate("getComputedStyle(document.body).backgroundColor") == paper
                assert page.evaluate(CONTRAST) > 4.5
            for width in (400, 1200):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.evaluate("document.querySelectorAll('svg, img').length") >= 3
            assert page.evaluate(WITHOUT_ALTERNATIVE) == 0
            ids = page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
            assert len(ids) == len(set(ids))
            page.emulate_media(media="print")
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
            page.emulate_media(media="screen")


def check_class_names(page):
    """Check that class names are shown as text, and that no scripts are allowed."""
    shadows = "getComputedStyle(document.querySelector('.scroll')).backgroundImage"
    assert page.evaluate(shadows).count("linear-gradient") == 4
    cells = page.locator("#classes tbody tr td:first-child").all_inner_texts()
    assert cells[:2] == [NAMES[0], "x" * 39 + "…"]
    assert page.locator("#classes td bdi[title]").first.get_attribute("title") == NAMES[1]
    assert cells[2:] == ["שלום $a$ #d55e00 \N{REPLACEMENT CHARACTER}", "(empty)"]
    assert page.locator("svg text", has_text="#d55e00").count() == 2, "rows and columns of the confusion matrix"
    assert page.locator("script").count() == 0
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy.startswith("default-src 'none'")
