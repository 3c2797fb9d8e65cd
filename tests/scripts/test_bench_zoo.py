"""Training recipes of bench_zoo.py: accuracy on small parts of the data, records and tables."""

import json
import statistics
from pathlib import Path

import _zoo
import _zoo_series
import _zoo_tables
import _zoo_text
import bench_zoo
import make_results_table
import pytest

RECORDS = json.loads(bench_zoo.RESULTS.read_text())


def data(family):
    """Return the folder of the public data; skip the test if it is missing."""
    if not (_zoo.DATA / family).is_dir():
        pytest.skip(f"there is no {family} data in {_zoo.DATA}")
    return _zoo.DATA


def test_text_cnn_classifies_questions_after_a_short_training():
    X, X_test, y, y_test = _zoo_text.trec(data("text"))
    short = {"epochs": 4, "embedding_units": 32, "filters": 32, "learning_rate": 0.005}
    classifier = _zoo_text.text_cnn(0).set_params(**{f"kerasnetclassifier__{name}": short[name] for name in short})
    assert classifier.fit(X[:1500], y[:1500]).score(X_test, y_test) > 0.7


def test_lite_classifies_series_after_a_short_training():
    run = _zoo_series.short(
        "ItalyPowerDemand", model="lite", epochs=20, learning_rate=0.01, learning_rate_schedule="one_cycle"
    )
    assert run(data("series"), 0) > 95  # 96.8


@pytest.mark.exhaustive
def test_a_recipe_runs_in_a_process_and_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_zoo, "RESULTS", tmp_path / "results.json")
    folder = str(data("text"))
    assert bench_zoo.main(["--family", "text", "--only", "trec linear", "--data", folder]) == 0
    (record,) = json.loads(bench_zoo.RESULTS.read_text())["text"].values()
    assert record["values"] == RECORDS["text"]["trec linear"]["values"]
    assert record["seconds"] > 0


@pytest.mark.parametrize("family", RECORDS)
def test_all_recipes_have_records_and_a_row_in_the_documentation(family):
    recipes = __import__(f"_zoo_{family}").RECIPES
    assert list(RECORDS[family]) == list(recipes)
    for name, recipe in recipes.items():
        assert len(RECORDS[family][name]["values"]) == len(recipe.seeds)
        assert RECORDS[family][name]["recipe"] == recipe.recipe
    table = make_results_table.tables()[f"results_{family}"]
    assert all(recipe.data in table and recipe.model in table for recipe in recipes.values())
    assert f"results_{family}.md" in (Path(__file__).parents[2] / "docs" / "results.md").read_text()


def test_text_models_reach_the_accuracy_that_the_documentation_claims():
    means = {name: statistics.mean(record["values"]) for name, record in RECORDS["text"].items()}
    assert means["trec text_cnn"] >= 90.5
    assert means["trec gru"] >= 88
    assert means["mr text_cnn"] >= 75


def test_networks_for_series_reach_the_accuracy_that_the_documentation_claims():
    means = {name: sum(record["values"]) / len(record["values"]) for name, record in RECORDS["series"].items()}
    bounds = {"GunPoint": (99.5, 99), "ItalyPowerDemand": (95.5, 95), "ArrowHead": (81, 81)}
    for name, (fcn, lite) in bounds.items():
        assert means[f"{name} fcn"] >= fcn
        assert means[f"{name} lite"] >= lite
    assert means["BasicMotions fcn short"] == 100
    assert means["JapaneseVowels fcn short"] >= 97.5


def test_network_for_tables_is_first_and_never_far_behind_gradient_boosting():
    means = {name: statistics.mean(record["values"]) for name, record in RECORDS["tables"].items()}
    for data in _zoo_tables.TARGETS:
        assert means[f"{data} real_mlp"] >= means[f"{data} boosting"] - 2
    *_, ranks, _ = make_results_table.tables()["results_tables"].splitlines()
    first, *others = (float(cell) for cell in ranks.strip("| ").split("|")[1:])
    assert first < min(others)
