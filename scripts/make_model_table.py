"""Write the README's tables of models and of weights from the model cards.

python scripts/make_model_table.py
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up lines

from _tables import README, as_table, with_table

import kerasnet as kn

SAMPLES = {
    "image": "an image (height, width, channels)",
    "sequence": "a sequence (steps, features)",
    "vector": "a vector (features,)",
}


def main():
    """Run the command."""
    README.write_text(with_tables(README.read_text()))
    return 0


def with_tables(text):
    """Return a text with what stands between the marks of both tables replaced."""
    cards = [kn.model_card(name) for name in kn.list_models()]
    text = with_table(text, "models", "make_model_table.py", table_of_models(cards))
    return with_table(text, "weights", "make_model_table.py", table_of_weights(cards))


def table_of_models(cards):
    """Return what there is, in Markdown."""
    return as_table(
        ["name", "builder", "what it is", "what one sample is", "tasks", "parameters"],
        [
            [
                f"`{card.name}`",
                f"`{card.builder}`",
                card.summary.replace("``", "`"),
                SAMPLES[card.input_kind],
                ", ".join(card.tasks),
                f"{card.n_parameters:,}",
            ]
            for card in sorted(cards, key=lambda card: (card.input_kind, card.name))
        ],
    )


def table_of_weights(cards):
    """Return which weights ship, in Markdown."""
    rows = [(card, about) for card in cards for about in card.weights.values()]
    return as_table(
        ["model", "weights", "on the test images", "parameters", "file", "epochs", "training took", "recipe"],
        [
            [
                f"`{card.name}`",
                f'`"{about.name}"`',
                figure(about),
                f"{about.n_parameters:,}",
                f"{about.n_bytes / 1000:,.0f} kB",
                str(about.epochs),
                f"{about.seconds / 60:.1f} min",
                f"`{about.recipe}`",
            ]
            for card, about in sorted(rows, key=lambda row: (row[1].metric, -row[1].value))
        ],
    )


def figure(about):
    """Return what was measured, in words."""
    return (
        f"{about.value:.2%}".replace("%", " %") if about.metric == "accuracy" else f"{about.metric} {about.value:.4f}"
    )


if __name__ == "__main__":
    sys.exit(main())
