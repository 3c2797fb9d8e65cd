"""Figures as inline SVG whose colors follow the page, light or dark."""

import hashlib
import io
import re
import warnings
from contextlib import contextmanager

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

from kerasnet.report._page import Plot

# Colors that differ between light and dark pages; CSS variables replace them. Blue and orange are of Okabe and Ito.
INK, MUTED, LINE, BLUE, ORANGE = "#1b1f24", "#59636e", "#d1d9e0", "#0072b2", "#d55e00"
_VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", BLUE: "blue", ORANGE: "orange"}
_STYLE = {
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, "#009e73", "#cc79a7"]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.size": 9,
    "image.composite_image": False,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.markersize": 4,
    "svg.fonttype": "none",
    "svg.hashsalt": "kerasnet",
    "text.color": INK,
    "text.parse_math": False,  # class names may contain dollar signs
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}


@contextmanager
def drawing(width=4.0, height=3.2, layout="constrained"):
    """Yield a new figure, to be drawn on and passed to `to_plot` within the block; the size is in inches."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the browser has its own fonts
        yield Figure(figsize=(width, height), dpi=150, layout=layout)


def to_plot(figure, alternative, caption, **options):
    """Return a figure as a plot of the page.

    Parameters
    ----------
    figure : matplotlib Figure
        The figure.
    alternative : str
        Text alternative: what the figure shows, with numbers.
    caption : str
        Text below the figure.
    **options : bool
        Options of `Plot`.

    Returns
    -------
    plot : Plot
    """
    file = io.StringIO()
    FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub("<!--.*?-->\\s*", "", svg, flags=re.DOTALL)
    prefix = f"p{hashlib.sha256(svg.encode()).hexdigest()[:8]}-"
    svg = re.sub("<[^>]+>", lambda tag: _with_variables(tag[0], prefix), svg)  # but not in text, such as class names
    width = re.search(r'viewBox="0 0 ([\d.]+)', svg)[1]
    head = f'<svg role="img" aria-label="{escape(alternative)}" style="width: {width}pt"'
    svg = re.sub(r"^<svg [^>]*>", lambda opening: re.sub(r' (width|height)="[^"]*"', "", opening[0]), svg)
    return Plot(Markup(svg.replace("<svg", head, 1)), caption, **options)


def _with_variables(tag, prefix):
    """Return a tag with CSS variables as colors, and with ids that are unique within the page."""
    for color, name in _VARIABLES.items():
        tag = tag.replace(color, f"var(--{name})")
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}", tag)
