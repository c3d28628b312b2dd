"""Draw ``scores.png``, the picture of the front page, from simulated photographs.

python docs/images/draw_scores.py
"""

import tempfile
from pathlib import Path

import matplotlib

from sklearn_blades import BladesDetector, BladesEncoder
from sklearn_blades.datasets import make_photos
from sklearn_blades.evaluation import ScoreDisplay


def main():
    matplotlib.use("Agg")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        encoder = BladesEncoder(
            "blades-lite",
            pretrained="imagenet",
            max_epochs=0,
            image_size=160,
            face_locator="whole",
            face_margin=1.6,
        )
        detector = BladesDetector(encoder, random_state=0)
        detector.fit(make_photos(400, folder / "mine", random_state=0))
        X = make_photos(200, folder / "fresh", random_state=1)
        X += make_photos(100, folder / "generated", generated="diffusion", random_state=2)
        display = ScoreDisplay.from_estimator(
            detector,
            X,
            [1] * 200 + [0] * 100,
            generator=["simulated photographs"] * 200 + ["simulated generator"] * 100,
        )
    display.figure_.savefig(Path(__file__).with_name("scores.png"), dpi=110)


if __name__ == "__main__":
    main()
