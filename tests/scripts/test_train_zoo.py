"""The command that makes the weights that ship, on few images and into a folder of its own."""

import json

import keras
import numpy as np
import pytest
import train_zoo
from _recipes import RECIPES

import kerasnet as kn
from kerasnet.models import _weights


@pytest.fixture
def folder(tmp_path, monkeypatch, mnist):
    """The folder that weights and records are in, for this test."""
    monkeypatch.setattr(kn.datasets, "load_mnist", lambda subset, return_X_y: mnist)
    monkeypatch.setattr(train_zoo, "N_VALIDATION", 100)
    for name in ("simple_rnn", "autoencoder"):
        monkeypatch.setitem(RECIPES, name, {**RECIPES[name], "epochs": 2})
    (tmp_path / "records.json").write_text("{}")
    monkeypatch.setattr(_weights, "FOLDER", tmp_path)
    _weights.records.cache_clear()
    yield tmp_path
    _weights.records.cache_clear()


def test_weights_are_those_of_their_record(folder, mnist):
    X, y = mnist
    X = (X / 255).astype(np.float32)
    assert train_zoo.main(["simple_rnn", "autoencoder"]) == 0
    assert {path.name for path in folder.iterdir()} == {
        "records.json",
        "simple_rnn-mnist.npz",
        "autoencoder-mnist.npz",
    }
    _weights.records.cache_clear()
    about = kn.model_card("simple_rnn").weights["mnist"]
    model = kn.create_model("simple_rnn", weights="mnist")
    outputs = model.predict(X, verbose=0)
    assert about.value == (outputs.argmax(axis=1) == y).mean()
    np.testing.assert_allclose(outputs[:3], about.golden, atol=1e-4)
    assert (about.epochs, about.seed, about.recipe) == (2, 0, "python scripts/train_zoo.py simple_rnn")
    vectors = X.reshape(len(X), -1)
    error = keras.losses.mean_squared_error(
        vectors, kn.create_model("autoencoder", weights="mnist").predict(vectors, verbose=0)
    )
    np.testing.assert_allclose(kn.model_card("autoencoder").weights["mnist"].value, np.mean(error), rtol=1e-5)


def test_a_seed_gives_the_same_weights_again_and_other_records_stay(folder):
    other = {"n_parameters": kn.create_model("lenet").count_params(), "weights": {"mnist": {"sha256": "0"}}}
    (folder / "records.json").write_text(json.dumps({"lenet": other}))
    found = []
    for _ in range(2):
        assert train_zoo.main(["autoencoder"]) == 0
        records = json.loads((folder / "records.json").read_text())
        assert records["lenet"] == other
        assert set(records["autoencoder"]["weights"]) == {"mnist"}
        found.append(records["autoencoder"]["weights"]["mnist"]["sha256"])
    assert found[0] == found[1]


def test_validation_is_on_images_kept_back_and_writes_nothing(folder, mnist, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(kn.KerasNetClassifier, "fit", fitted_by(kn.KerasNetClassifier.fit, seen))
    assert train_zoo.main(["simple_rnn", "--validate"]) == 0
    assert seen == [400]
    assert 0 <= json.loads(capsys.readouterr().out)["value"] <= 1
    assert [path.name for path in folder.iterdir()] == ["records.json"]
    assert (folder / "records.json").read_text() == "{}"


def fitted_by(fit, seen):
    def note(self, X, y):
        seen.append(len(X))
        return fit(self, X, y)

    return note


def test_errors_are_one_line(folder, tmp_path, capsys):
    with pytest.raises(SystemExit):
        train_zoo.main(["vgg"])
    assert "there are recipes for attention" in capsys.readouterr().err
    assert train_zoo.main(["simple_rnn", "--dataset", "fashion_mnist", "--data", str(tmp_path / "nowhere")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("train_zoo: ")
    assert "nowhere" in line
