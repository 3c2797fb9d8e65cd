"""Make the documentation's tables of results from zoo_results.json, which bench_zoo.py writes."""

import json
import statistics

from _tables import as_table
from bench_zoo import RESULTS

HEADER = ["data", "model", "result: mean (sd)", "published", "recipe", "time per fit", "peak memory"]


def tables():
    """Return the tables of the documentation site in Markdown, by name: one for each family."""
    results = json.loads(RESULTS.read_text())
    return {
        f"results_{family}": as_table(HEADER, [row(each) for each in found.values()])
        for family, found in results.items()
    }


def row(record):
    """Return the cells of a row."""
    values = record["values"]
    mean = f"**{statistics.mean(values):.1f}**"
    spread = f" ({statistics.stdev(values):.1f})" if len(values) > 1 else ""
    published = "–" if record["published"] is None else f"{record['published']:g} ({record['source']})"
    cells = [record["data"], record["model"], mean + spread, published, record["recipe"]]
    return [*cells, f"{record['seconds']:.0f} s", f"{record['megabytes']:,} MB"]
