"""Benchmarks run, and the README says what they found."""

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import _bench
import bench_features
import bench_training
import pytest

ROOT = Path(__file__).parents[2]


def run(*command):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.exhaustive
def test_predictions_are_compared():
    images = run("scripts/bench_predict.py", "--rounds", "1")["images"]
    assert images.keys() == {"1", "10000"}
    assert all(result["times_faster"].keys() == {"scikeras", "keras"} for result in images.values())


@pytest.fixture
def without_collections(monkeypatch):
    """Spare the benchmark full garbage collections, which take seconds in a process with many tests behind it."""
    monkeypatch.setattr(_bench, "gc", Mock())


def result_of(benchmark, capsys, *arguments):
    """Run a benchmark in this process."""
    assert benchmark.main(list(arguments)) == 0
    return json.loads(capsys.readouterr().out)


def test_trainings_are_compared(capsys, without_collections):
    result = result_of(bench_training, capsys, "--rounds", "1", "--limit", "300", "--cases", "cnn")
    assert result["images"] == 300
    assert result["cases"]["cnn"]["times_faster"]["keras"]["median"] > 0


@pytest.mark.exhaustive
def test_ways_to_an_accuracy_are_compared():
    result = run("scripts/bench_to_accuracy.py", "--rounds", "1", "--epochs", "1", "--limit", "2000")
    assert {side: len(runs) for side, runs in result["runs"].items()} == {"kerasnet": 1, "keras": 1}


def test_features_are_compared(capsys, without_collections):
    result = result_of(bench_features, capsys, "--rounds", "1", "--limit", "20")
    assert all(case["largest_difference"] < 1e-6 for case in result["speed"]["cases"].values())
    assert all(case["times_faster"]["scikit-image"]["median"] > 0 for case in result["speed"]["cases"].values())


@pytest.mark.exhaustive
def test_searches_are_compared():
    result = run("scripts/bench_search.py", "--rounds", "1", "--limit", "200", "--fits", "20")
    assert result["fits"] == 54
    assert result["times_faster"].keys() >= {"scikeras", "keras", "kerasnet with memory"}
    assert result["megabytes_a_fit"].keys() >= {"kerasnet", "kerasnet, another architecture each", "scikeras"}
    assert result["equal_scores"]


@pytest.mark.exhaustive
def test_memory_is_measured(tmp_path):
    sizes = ("--images", "2000", "--files", "300", "--rows", "300", "--folder", str(tmp_path))
    result = run("scripts/bench_memory.py", *sizes, "--model", "mlp")
    assert result["memmap"]["throughput_relative_to_memory"].keys() == {"fit", "predict"}
    runs = {side: runs[0] for case in ("memmap", "files", "sparse") for side, runs in result[case]["runs"].items()}
    for side in ("memmap", "memory", "files", "200 files", "csr"):
        assert all(runs[side][step]["rows_a_second"] > 0 for step in ("fit", "predict"))
    assert runs["search"]["megabytes_of_a_worker"] > 100
    assert runs["reading"]["times_faster_with_2_threads"]["median"] > 0
    assert list(tmp_path.iterdir()) == []


def test_readme_has_five_of_the_recorded_benchmarks():
    import make_benchmark_table

    readme = (ROOT / "README.md").read_text()
    results = json.loads((ROOT / "scripts" / "benchmarks.json").read_text())
    assert make_benchmark_table.with_tables(readme, results) == readme
    rows = make_benchmark_table.readme_table(results).splitlines()[2:]
    assert len(rows) == 5
    assert {*rows} < {*make_benchmark_table.speed_table(results).splitlines()}


def test_tables_of_benchmarks_show_every_record():
    import make_benchmark_table

    results = json.loads((ROOT / "scripts" / "benchmarks.json").read_text())
    tables = make_benchmark_table.tables()
    assert tables["accuracy"].count("\n") == len(results["features"]["accuracy"]) + 1
    assert all(f"images, {name} |" in tables["benchmarks"] for name in results["features"]["speed"]["cases"])


def test_sides_take_turns_and_ratios_are_of_one_round(monkeypatch, without_collections):
    calls, clock = [], iter(range(100))
    monkeypatch.setattr(_bench.time, "perf_counter", lambda: next(clock))
    seconds = _bench.take_turns({"kerasnet": lambda: calls.append("k"), "other": lambda: calls.append("o")}, 2)
    assert "".join(calls) == "ok" + "ko" + "ok"
    assert seconds == {"kerasnet": [1, 1], "other": [1, 1]}
    assert _bench.ratios({"kerasnet": [1.0, 2.0], "other": [3.0, 2.0]}) == {
        "other": {"median": 2.0, "min": 1.0, "max": 3.0}
    }
