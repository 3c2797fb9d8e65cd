"""The script that measures exports, and the table of the documentation."""

import json

import make_export_table
import pytest
from _exported import cases

import kerasnet as kn

pytest.importorskip("skl2onnx", reason="the extra export is not installed")


def test_results_are_kept_and_become_rows_of_the_table(tmp_path, monkeypatch):
    path = tmp_path / "exports.json"
    monkeypatch.setattr(make_export_table, "RESULTS", path)
    for name in ("scaler + `RandomForestRegressor`", "scaler + PCA + `mlp`"):
        assert make_export_table.main(["--only", name, "--calls", "1"]) == 0
    found = json.loads(path.read_text())["exports"]
    assert list(found) == ["scaler + PCA + `mlp`", "scaler + `RandomForestRegressor`"]
    assert all(result["onnx"] < 1e-5 for result in found.values())
    header, _, *rows = make_export_table.tables()["exports"].splitlines()
    assert len(rows) == 2
    assert all(line.count("|") == header.count("|") for line in rows)


def test_quantized_networks_become_rows_of_their_table():
    header, _, *rows = make_export_table.tables()["int8"].splitlines()
    names = [row.split(" | ")[0].strip("| ") for row in rows[::2]]
    assert names == [name for name in make_export_table.PRETRAINED if name in names]
    assert {"lenet", "cnn"} <= set(names)
    assert all(line.count("|") == header.count("|") for line in rows)


def test_all_registered_models_and_ten_pipelines_are_measured():
    names = " ".join(cases())
    assert all(f"`{name}`, " in names for name in kn.list_models())
    assert len(cases()) >= 10 + len(kn.list_models())
