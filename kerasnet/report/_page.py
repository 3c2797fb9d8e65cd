"""Parts of a report, and how they become one HTML page."""

import math
import re
from dataclasses import dataclass, field

import jinja2
from markupsafe import Markup

TIMES = "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")  # not allowed in XML and HTML


@dataclass
class Metric:
    """A number of the summary, with its confidence interval."""

    name: str
    value: str
    interval: str = ""
    note: str = ""


@dataclass
class Text:
    """A paragraph."""

    text: str
    kind: str = "text"


@dataclass
class Code:
    """Code or commands."""

    text: str
    kind: str = "code"


@dataclass
class Table:
    """A table: text in the first `n_text` columns, then numbers. `collapsed` is the label of a closed table.

    Text of more than `max_length` characters is shortened; a tooltip contains all of it.
    """

    columns: list
    rows: list
    caption: str = ""
    n_text: int = 1
    collapsed: str = ""
    max_length: int = 300
    kind: str = "table"


@dataclass
class Plot:
    """An SVG image with its text alternative."""

    svg: Markup
    caption: str
    wide: bool = False
    kind: str = "plot"


@dataclass
class Plots:
    """Plots side by side, as many as fit."""

    plots: list
    kind: str = "plots"


@dataclass
class Picture:
    """A PNG image as a data URI, with its text alternative; `caption` contains lines of text."""

    source: str
    alternative: str
    caption: list
    is_small: bool


@dataclass
class Pictures:
    """Pictures side by side, as many as fit."""

    pictures: list
    caption: str
    kind: str = "pictures"


@dataclass
class Section:
    """A section of the page."""

    title: str
    blocks: list = field(default_factory=list)

    @property
    def anchor(self):
        """Name of the section in links."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


def clean(text):
    """Return any object as text in one line that XML and UTF-8 can contain; "(empty)" if there is none."""
    text = " ".join(str(text).encode("utf-8", "replace").decode().split())
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text) or "(empty)"


def shorten(text, length):
    """Return text of at most `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def number(value, digits=4):
    """Format a number with up to `digits` significant digits, but never large integers as powers of ten."""
    value = float(value)
    if math.isnan(value):
        return "undefined"
    if abs(value) < 1e-12:  # rounding errors
        return "0"
    return f"{value:,.0f}" if abs(value) >= 10**digits and abs(value) < 1e15 else f"{value:.{digits}g}"


def counted(n, noun, plural=None):
    """Format a number of things."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def percent(value):
    """Format a proportion."""
    return f"{value:.2%}".replace("%", "\N{NO-BREAK SPACE}%")


def interval(bounds, form=number):
    """Format a confidence interval."""
    return f"{form(bounds[0])} to {form(bounds[1])}"


def render(**content):
    """Return the HTML page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kerasnet.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("report.html").render(content)
