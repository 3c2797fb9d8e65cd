"""Tables in Markdown that scripts write: between two marks of the README, and into the documentation site."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def with_table(text, name, script, table):
    """Return a text in which the table between the marks of that name is replaced."""
    begin, end = f"<!-- {name}: written by scripts/{script} -->", f"<!-- end of {name} -->"
    return re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n{table}\n{end}", text, flags=re.DOTALL)


def as_table(header, rows):
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(header)}", *lines[1:]])
