"""The tables of the README that scripts write: what stands between two marks."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def with_table(text, name, script, table):
    """Return a text with what stands between the marks of a table replaced."""
    begin, end = f"<!-- {name}: written by scripts/{script} -->", f"<!-- end of {name} -->"
    return re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n{table}\n{end}", text, flags=re.DOTALL)


def as_table(header, rows):
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(header)}", *lines[1:]])
