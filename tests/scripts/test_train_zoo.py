"""The command that trains and measures the pretrained weights, on few images and in a temporary folder."""

import json

import _measure
import keras
import numpy as np
import pytest
import train_zoo
from _measure import expected_calibration_error, latency, memory, most_confused
from _recipes import PRETRAINED, RECIPES
from sklearn.metrics import confusion_matrix
from sklearn.utils import Bunch

import kerasnet as kn
from kerasnet.models import _weights


@pytest.fixture
def folder(tmp_path, monkeypatch, mnist):
    """Use a temporary folder for weights and records, and few images as MNIST."""
    digits = Bunch(data=mnist[0], target=mnist[1], target_names=np.arange(10).astype(str))
    monkeypatch.setattr(kn.datasets, "load_mnist", lambda subset: digits)
    monkeypatch.setattr(train_zoo, "N_VALIDATION", 100)
    monkeypatch.setattr(_measure, "N_CALLS", 5)
    monkeypatch.setattr(kn, "list_models", lambda: ["autoencoder", "lenet", "simple_rnn"])  # those with records
    for name in ("simple_rnn", "autoencoder"):
        monkeypatch.setitem(RECIPES, (name, "mnist"), {**RECIPES[name, "mnist"], "epochs": 2})
    (tmp_path / "records.json").write_text("{}")
    monkeypatch.setattr(_weights, "FOLDER", tmp_path)
    _weights.records.cache_clear()
    yield tmp_path
    _weights.records.cache_clear()


def test_a_record_describes_its_weights(folder, mnist):
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
    matrix = confusion_matrix(y, outputs.argmax(axis=1))
    np.fill_diagonal(matrix, 0)
    assert [n for _, _, n in about.confused] == sorted(matrix.ravel(), reverse=True)[:5]
    assert all(matrix[int(true), int(predicted)] == n for true, predicted, n in about.confused)
    assert 0 < about.calibration_error < 1
    assert about.latency_ms > 0
    assert (about.epochs, about.seed, about.recipe) == (2, 0, "python scripts/train_zoo.py simple_rnn")
    vectors = X.reshape(len(X), -1)
    error = keras.losses.mean_squared_error(
        vectors, kn.create_model("autoencoder", weights="mnist").predict(vectors, verbose=0)
    )
    about = kn.model_card("autoencoder").weights["mnist"]
    np.testing.assert_allclose(about.value, np.mean(error), rtol=1e-5)
    assert (about.confused, about.calibration_error) == ((), None)


def test_weights_are_reproducible_and_other_records_are_unchanged(folder):
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


def test_validation_uses_held_out_images_and_writes_nothing(folder, mnist, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(kn.KerasNetClassifier, "fit", recording_fit(kn.KerasNetClassifier.fit, seen))
    assert train_zoo.main(["simple_rnn", "--validate"]) == 0
    assert seen == [400]
    assert 0 <= json.loads(capsys.readouterr().out)["value"] <= 1
    assert [path.name for path in folder.iterdir()] == ["records.json"]
    assert (folder / "records.json").read_text() == "{}"


def recording_fit(fit, seen):
    def record(self, X, y):
        seen.append(len(X))
        return fit(self, X, y)

    return record


def test_measuring_keeps_weights_and_facts_of_the_training(folder):
    assert train_zoo.main(["simple_rnn"]) == 0
    weights = (folder / "simple_rnn-mnist.npz").read_bytes()
    records = json.loads((folder / "records.json").read_text())
    expected = dict(records["simple_rnn"]["weights"]["mnist"])
    records["simple_rnn"]["weights"]["mnist"] |= {"value": 0, "confused": [], "golden": [], "calibration_error": 0}
    (folder / "records.json").write_text(json.dumps(records))
    _weights.records.cache_clear()
    assert train_zoo.main(["simple_rnn", "--measure"]) == 0
    measured = json.loads((folder / "records.json").read_text())["simple_rnn"]["weights"]["mnist"]
    del measured["latency_ms"], expected["latency_ms"]
    assert measured == expected
    assert (folder / "simple_rnn-mnist.npz").read_bytes() == weights


def test_most_confused_pairs_by_hand():
    y, predicted = np.array([0, 0, 1, 1, 1, 2, 2]), np.array([0, 1, 2, 2, 0, 2, 1])
    expected = [["b", "c", 2], ["a", "b", 1], ["b", "a", 1]]
    assert most_confused(y, predicted, ["a", "b", "c"], n_pairs=3) == expected
    assert most_confused(y, y, ["a", "b", "c"]) == []


def test_calibration_error_by_hand():
    """Bins are (0.6, 0.667] and (0.933, 1]: the first is right once in two, the second always."""
    probabilities = np.array([[0.65, 0.35], [0.35, 0.65], [0.95, 0.05], [0.99, 0.01]])
    expected = abs(0.65 - 0.5) * 2 / 4 + abs(0.97 - 1) * 2 / 4
    np.testing.assert_allclose(expected_calibration_error(np.array([0, 0, 0, 0]), probabilities), expected)
    certain = np.eye(3)[[0, 1, 2, 0]]
    assert expected_calibration_error(np.array([0, 1, 2, 1]), certain) == 0.25


def test_calibration_error_of_calibrated_probabilities_is_small():
    random = np.random.default_rng(0)
    positive = random.uniform(size=100_000)
    y = (random.uniform(size=len(positive)) < positive).astype(int)
    assert expected_calibration_error(y, np.column_stack([1 - positive, positive])) < 0.01
    squared = positive**2 / (positive**2 + (1 - positive) ** 2)
    assert expected_calibration_error(y, np.column_stack([1 - squared, squared])) > 0.05


def test_memory_is_that_of_weights_and_outputs():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    assert memory(model) == 4 * ((6 * 4 + 4) + (4 * 2 + 2) + 4 + 2)
    assert latency(model, np.zeros((1, 6))) > 0


def test_pretrained_weights_have_recipes_with_the_same_architecture_on_each_dataset():
    for dataset, names in PRETRAINED.items():
        for name in names:
            assert (name, dataset) in RECIPES
            arguments = [card.arguments for card in kn.model_card(name).weights.values()]
            arguments = [{key: each[key] for key in each if key != "dropout"} for each in arguments]
            assert all(each == arguments[0] for each in arguments)


def test_errors_are_one_line(folder, tmp_path, capsys):
    with pytest.raises(SystemExit):
        train_zoo.main(["vgg"])
    assert "there are recipes for attention" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train_zoo.main(["lstm", "--dataset", "fashion_mnist"])
    assert "there are recipes for lenet, resnet_small, not for lstm" in capsys.readouterr().err
    assert train_zoo.main(["lenet", "--dataset", "fashion_mnist", "--data", str(tmp_path / "nowhere")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("train_zoo: ")
    assert "nowhere" in line
