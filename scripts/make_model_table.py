"""Write the README's table of models from the model cards.

python scripts/make_model_table.py

The documentation site takes its tables of models and pretrained weights, and its page of model cards, from here.
"""

import dataclasses
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up messages

from _tables import README, as_table, with_table

import kerasnet as kn

SHAPES = {
    "image": "(height, width, channels)",
    "sequence": "(steps, features)",
    "tokens": "(steps,), token ids",
    "vector": "(features,)",
}
LONG_FIELDS = ("golden", "weights", "versions", "arguments")  # no rows of the page of model cards


def main():
    """Run the command."""
    README.write_text(with_tables(README.read_text()))
    return 0


def with_tables(text):
    """Return the text of the README with its table of models."""
    return with_table(text, "models", "make_model_table.py", readme_table(sorted_cards()))


def tables():
    """Return the tables of the documentation site in Markdown, by name."""
    return {"models": table_of_models(sorted_cards()), "weights": table_of_weights(sorted_cards())}


def sorted_cards():
    """Return the cards of kerasnet's models, images first."""
    models = [kn.model_card(name) for name in kn.list_models()]
    return sorted(models, key=lambda card: (card.input_kind, card.name))


def readme_table(models):
    """Return a short table of models."""
    return as_table(
        ["name", "model", "one sample", "parameters", "pretrained weights: test result"],
        [
            [
                f"`{card.name}`",
                card.summary.replace("``", "`"),
                SHAPES[card.input_kind],
                f"{card.n_parameters:,}",
                ", ".join(f"`{about.name}`: {figure(about)}{size(about, card)}" for about in card.weights.values())
                or "–",
            ]
            for card in models
        ],
    )


def table_of_models(models):
    """Return the table of all registered models."""
    return as_table(
        ["name", "model", "one sample", "parameters"],
        [
            [
                f"{{func}}`{card.name} <kerasnet.models.{card.builder}>`",
                card.summary.replace("``", "`"),
                card.input_kind,
                f"{card.n_parameters:,}",
            ]
            for card in models
        ],
    )


def table_of_weights(models):
    """Return the table of all pretrained weights."""
    rows = [(card, about) for card in models for about in card.weights.values()]
    return as_table(
        ["model", "weights", "test result", "parameters", "file", "epochs", "training time"],
        [
            [
                f"`{card.name}`",
                f'`"{about.name}"`',
                figure(about),
                f"{about.n_parameters:,}",
                f"{about.n_bytes / 1000:,.0f} kB",
                str(about.epochs),
                f"{about.seconds / 60:.1f} min",
            ]
            for card, about in sorted(rows, key=lambda row: (row[1].metric, -row[1].value))
        ],
    )


def cards():
    """Return a section in Markdown for each model card and the pretrained weights in it."""
    sections = []
    for card in sorted_cards():
        sections += [f"## {card.name}", table_of_fields(card)]
        for about in card.weights.values():
            sections += [f"### {card.name}: {about.name}", table_of_fields(about)]
    return "\n\n".join(sections) + "\n"


def table_of_fields(card):
    """Return the fields of a card as a table."""
    values = {field.name: getattr(card, field.name) for field in dataclasses.fields(card)}
    kept = {name: value for name, value in values.items() if name not in (*LONG_FIELDS, "name") and value is not None}
    return as_table(["field", "value"], [[f"`{name}`", _as_cell(value)] for name, value in kept.items()])


def _as_cell(value):
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        value = ", ".join(value)
    return str(value).replace("|", "\\|").replace("``", "`")


def figure(about):
    """Return the result on the test part in words."""
    if about.metric == "accuracy":
        return f"{100 * about.value:.2f} %"
    return f"{about.metric} {about.value:.4f}"


def size(about, card):
    """Return the number of parameters of a pretrained network in words; empty if it has the default architecture."""
    return "" if about.n_parameters == card.n_parameters else f" ({about.n_parameters:,} parameters)"


if __name__ == "__main__":
    sys.exit(main())
