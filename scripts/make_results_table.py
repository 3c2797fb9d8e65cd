"""Make the documentation's tables of results from zoo_results.json, which bench_zoo.py writes."""

import json
import statistics
import string

from _tables import as_table
from bench_zoo import RESULTS

HEADER = ["data", "model", "result: mean (sd)", "published", "recipe", "time per fit", "peak memory"]


def tables():
    """Return the tables of the documentation site in Markdown, by name: one for each family."""
    results = json.loads(RESULTS.read_text())
    return {
        f"results_{family}": comparison([*found.values()]) if family == "tables" else with_recipes([*found.values()])
        for family, found in results.items()
    }


def comparison(records):
    """Return a table with a column for each model: mean (sd), mean rank, and the longest time per fit."""
    models = list(dict.fromkeys(each["model"] for each in records))
    cells, ranks = [], []
    for data in dict.fromkeys(each["data"] for each in records):
        of_data = {each["model"]: each for each in records if each["data"] == data}
        means = [statistics.mean(of_data[model]["values"]) for model in models]
        ranks.append([1 + sum(other > mean for other in means) for mean in means])
        texts = [
            f"{mean:.1f} ({statistics.stdev(of_data[model]['values']):.1f})"
            for model, mean in zip(models, means, strict=True)
        ]
        texts = [f"**{text}**" if rank == 1 else text for text, rank in zip(texts, ranks[-1], strict=True)]
        cells.append([f"{data}, {of_data[models[0]]['metric']}", *texts])
    cells.append(["mean rank", *(f"{statistics.mean(column):.1f}" for column in zip(*ranks, strict=True))])
    longest = [max(each["seconds"] for each in records if each["model"] == model) for model in models]
    cells.append(["longest time per fit", *(f"{seconds:.0f} s" for seconds in longest)])
    return as_table(["data", *models], cells)


def with_recipes(records):
    """Return a table with a row for each record, and a list of the training recipes below."""
    recipes = list(dict.fromkeys(each["recipe"] for each in records))
    letters = dict(zip(recipes, string.ascii_uppercase, strict=False))
    table = as_table(HEADER, [row(each, letters[each["recipe"]]) for each in records])
    return table + "\n\n" + "\n".join(f"- Recipe {letter}: {recipe}." for recipe, letter in letters.items()) + "\n"


def row(record, recipe):
    """Return the cells of a row."""
    values = record["values"]
    mean = f"**{statistics.mean(values):.1f}**"
    spread = f" ({statistics.stdev(values):.1f})" if len(values) > 1 else ""
    published = "–" if record["published"] is None else f"{record['published']:g} ({record['source']})"
    cells = [record["data"], record["model"], mean + spread, published, recipe]
    return [*cells, f"{record['seconds']:.0f} s", f"{record['megabytes']:,} MB"]
