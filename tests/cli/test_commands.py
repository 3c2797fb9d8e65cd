"""Tests of the command line: help, errors, output, and the sub-commands list, card, inspect and demo."""

import ast
import contextlib
import dataclasses
import io
import json
import os
import pkgutil
import subprocess
import sys
import types
import warnings
from configparser import ConfigParser
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

import kerasnet as kn
from kerasnet.cli import COMMANDS, _command, _inspect, _list, _predict, main, make_parser
from kerasnet.models import _registry

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The path of a saved pipeline of scikit-learn and kerasnet, fitted on 60 samples."""
    path = tmp_path_factory.mktemp("run") / "model.kerasnet"
    X, y = np.random.default_rng(0).random((60, 4), np.float32), np.arange(60) % 2
    network = kn.KerasNetClassifier("mlp", dense_units=(3,), random_state=0).fit(X, y)
    kn.save(
        make_pipeline(kn.preprocessing.OutlierClipper(), network).fit(X, y),
        path,
        metadata={"license": "CC0\n", "loss": float("nan")},
    )
    return path


def test_help_needs_neither_numpy_nor_tensorflow():
    code = """
import contextlib, io, sys
from kerasnet.cli import main
for arguments in ([], *([name] for name in sys.argv[1:])):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main([*arguments, "--help"])
        except SystemExit as end:
            assert end.code == 0
    assert out.getvalue().startswith("usage: kerasnet")
print(sorted(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code, *COMMANDS], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout))
    assert not loaded & {"numpy", "sklearn", "keras", "tensorflow", "rich", "cv2", "matplotlib"}
    assert "kerasnet.cli._predict" in loaded


def test_console_script_and_module_run_the_same_command():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    name, _, target = setup["options.entry_points"]["console_scripts"].strip().partition(" = ")
    assert (name, pkgutil.resolve_name(target)) == ("kerasnet", main)
    done = subprocess.run([sys.executable, "-m", "kerasnet", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"kerasnet {kn.__version__}\n"


def test_every_command_has_help_with_its_status_and_examples(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for status in ("0    success", "1    an error", "2    invalid", "130  interrupted"):
        assert status in text
    for name in COMMANDS:
        with pytest.raises(SystemExit):
            main([name, "--help"])
        assert f"  kerasnet {name}" in capsys.readouterr().out.partition("examples:")[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "kerasnet: the following arguments are required: COMMAND (see kerasnet --help)"),
        (["predikt"], "kerasnet: argument COMMAND: invalid choice: 'predikt'"),
        (["card"], "kerasnet card: the following arguments are required: NAME (see kerasnet card --help)"),
        (["predict", "lenet"], "kerasnet predict: expected a model and images"),
        (["list", "--task", "a\nb"], "kerasnet list: argument --task: invalid choice: 'a\\nb'"),
        (["demo", "--port", "70000"], "kerasnet demo: argument --port: expected a port from 0 to 65535, got '70000'"),
    ],
)
def test_invalid_arguments_print_one_line(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    out, error = capsys.readouterr()
    (line,) = error.splitlines()
    assert line.startswith(message)
    assert not out


def test_choices_are_those_of_the_registry():
    assert set(_list.TASKS) == set(_registry._TASKS)
    assert set(_list.INPUT_KINDS) == set(_registry._INPUT_KINDS)
    assert set(_predict.POLARITIES[1:]) == {"dark-on-light", "light-on-dark"}


def test_list_prints_all_models_with_pretrained_weights(capsys):
    assert main(["list"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split("  ")[0] == "NAME"
    assert [line.split()[0] for line in lines] == kn.list_models()
    (lenet,) = [line for line in lines if line.startswith("lenet")]
    assert lenet.split()[1:] == ["image", "classification,", "regression", "80,346", "fashion_mnist,", "mnist"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--task", "reconstruction"], {"task": "reconstruction"}),
        (["--input-kind", "image", "--weights"], {"input_kind": "image", "weights": True}),
        (["--weights", "fashion_mnist"], {"weights": "fashion_mnist"}),
    ],
)
def test_list_has_filters_and_json(capsys, options, expected):
    assert main(["list", "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in found] == kn.list_models(**expected)
    for each in found:
        card = kn.model_card(each["name"])
        assert (each["n_parameters"], each["weights"]) == (card.n_parameters, [*card.weights])


def test_card_as_text_and_json(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    card = kn.model_card("lenet")
    assert main(["card", "lenet"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 60
    assert "fashion_mnist (accuracy 0.9255); mnist (accuracy 0.9955)" in " ".join(text.split())
    assert main(["card", "lenet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(dataclasses.asdict(card)))
    assert main(["card", "lenet", "mnist"]) == 0
    words = capsys.readouterr().out.split()
    assert " ".join(card.weights["mnist"].limitations.split()) in " ".join(words)
    assert main(["card", "lenet", "mnist", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sha256"] == card.weights["mnist"].sha256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lenett"], "kerasnet card: No model 'lenett' is registered. Did you mean: lenet?"),
        (["zzz"], "kerasnet card: No model 'zzz' is registered. Registered models: attention, autoencoder"),
        (
            ["lenet", "imagenet"],
            "kerasnet card: weights of the model 'lenet' must be None or 'fashion_mnist' or 'mnist'.",
        ),
    ],
)
def test_card_of_unknown_models_and_weights(capsys, arguments, message):
    assert main(["card", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(message)


def test_list_names_the_valid_weights(capsys):
    with pytest.raises(SystemExit):
        main(["list", "--weights", "imagenet"])
    assert "--weights: expected one of fashion_mnist, mnist, got 'imagenet'" in capsys.readouterr().err


def test_inspect_describes_a_file_and_an_output_folder(archive, capsys):
    assert main(["inspect", str(archive)]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{archive}: Pipeline, ")
    for part in (
        "OutlierClipper",
        "KerasNetClassifier of the model mlp, 19 parameters",
        "license: 'CC0\\n'",
        "float32[4, 3]",
    ):
        assert part in text, part
    assert main(["inspect", str(archive.parent)]) == 0
    assert capsys.readouterr().out == text
    assert main(["inspect", str(archive), "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["metadata"] == {"license": "CC0\n", "loss": "nan"}


def test_inspect_reports_invalid_files_in_one_line(tmp_path, capsys):
    (tmp_path / "notes\n.kerasnet").write_text("no archive")
    for path in (tmp_path / "notes\n.kerasnet", tmp_path / "missing", tmp_path):
        assert main(["inspect", str(path)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("kerasnet inspect: ")


@pytest.fixture
def served(monkeypatch):
    """Calls of `kerasnet.demo.serve`, which serves nothing."""
    calls = []
    serve = lambda models, **options: calls.append((models, options))  # noqa: E731
    monkeypatch.setitem(sys.modules, "kerasnet.demo", types.SimpleNamespace(serve=serve))
    return calls


def test_demo_serves_models_on_this_computer_only(served, archive):
    assert main(["demo"]) == 0
    assert main(["demo", "lenet:mnist", str(archive.parent), "--host", "0.0.0.0", "--port", "80", "--no-browser"]) == 0
    assert main(["demo", "digits.onnx", "--onnxruntime-web", "dist"]) == 0
    default = {"onnxruntime_web": None, "host": "127.0.0.1", "port": 0, "open_browser": True}
    assert served == [
        ([], default),
        (["lenet", str(archive)], default | {"host": "0.0.0.0", "port": 80, "open_browser": False}),
        (["digits.onnx"], default | {"onnxruntime_web": "dist"}),
    ]


def test_demo_without_its_packages_says_what_to_install(monkeypatch, capsys):
    def serve(*_, **__):
        raise ImportError('The demo page requires uvicorn:\npip install "kerasnet[demo]"')

    monkeypatch.setitem(sys.modules, "kerasnet.demo", types.SimpleNamespace(serve=serve))
    assert main(["demo"]) == 1
    error = capsys.readouterr().err
    assert error == 'kerasnet demo: The demo page requires uvicorn: pip install "kerasnet[demo]"\n'


def test_interruption_has_its_own_status(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_inspect, "run", interrupted)
    assert main(["inspect", "model.kerasnet"]) == 130
    assert capsys.readouterr().err == "kerasnet inspect: interrupted\n"


def test_warnings_are_printed_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(_inspect, "run", lambda _: warnings.warn("two\nlines", stacklevel=1))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        main(["inspect", "model.kerasnet"])
    assert capsys.readouterr().err == "kerasnet inspect: warning: two lines\n"


@pytest.mark.parametrize("arguments", [["list"], ["card", "lenet", "--json"], ["--help"]])
def test_closed_output_is_no_error(monkeypatch, capsys, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        with contextlib.suppress(SystemExit):  # after printing help
            assert main(arguments) == 0
        closed.flush()
    assert not capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_full_disk_is_an_error(monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["list"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "No space left on device" in line


class Terminal(io.StringIO):
    """Stream that claims to be a terminal."""

    def isatty(self):
        return True


def test_progress_is_shown_on_terminals_only(monkeypatch, capsys):
    assert [*_command.with_progress([1, 2, 3], "Predicting")] == [1, 2, 3]
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    for number in _command.with_progress([1, 2, 3], "Predicting"):
        print(number)
    assert "Predicting" in terminal.getvalue()
    assert capsys.readouterr().out == "1\n2\n3\n"
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert [*_command.with_progress([1], "Predicting")] == [1]
    assert not terminal.getvalue()


def test_options_may_be_between_other_arguments(capsys):
    arguments = make_parser().parse_args(["predict", "lenet", "--as-is", "a.png", "--json", "b.png"])
    assert (arguments.files, arguments.content, arguments.json) == (["lenet", "a.png", "b.png"], "whole", True)
    with pytest.raises(SystemExit):
        make_parser().parse_args(["predict", "lenet", "a.png", "--unknown"])
    assert "kerasnet predict: unrecognized arguments: --unknown" in capsys.readouterr().err
