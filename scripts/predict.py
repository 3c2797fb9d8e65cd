"""Predict digits in photographs and drawings: the same as ``kerasnet predict``.

python scripts/predict.py runs/mnist-cnn-20260101-120000 photo.jpg
python scripts/predict.py RUN photos/*.png --polarity dark-on-light --json
"""

import sys

from kerasnet.cli import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
