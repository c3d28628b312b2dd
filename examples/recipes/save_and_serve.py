"""How do I save a detector, and answer for files that strangers send?

    python examples/recipes/save_and_serve.py [--n 150] [--epochs 6] [--seed 0]

The file is no pickle: loading runs nothing of it. The server answers for every file, also for one
that cannot be read, and raises nothing. n = people for the encoder, and as many for the head.
"""

from pathlib import Path

import numpy as np
from _simulated import FROM_SCRATCH, command_line, people
from sklearn.base import clone

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.errors import PhotoError
from sklearn_blades.persistence import load, save


def serve(detector, paths):
    """Return ``{path: answer}``, where an answer is a dict that json can write.

    One file at a time, so that each error is that of its file. Of many files at once, an encoder
    with on_error="nan" makes NaN rows of the bad ones, and names the first.
    """
    encoder, head = detector[:-1], detector["head"]
    answers = {}
    for path in paths:
        try:
            features = encoder.transform([path])  # once; all that follows is of a matrix
        except PhotoError as error:
            answers[path] = {"error": error.problem}
            continue
        answers[path] = {
            "verdict": "not flagged" if head.predict(features)[0] == 1 else "flagged",
            "score": float(head.score_samples(features)[0]),
            "p_value": float(head.p_values(features)[0]),
        }
    return answers


def main(folder, n=150, epochs=6, seed=0):
    # Each seed is a set of people: for the encoder, for the head, for the server.
    encoder = BladesEncoder(**FROM_SCRATCH, max_epochs=epochs, random_state=seed)
    encoder.fit(people(n, folder, seed)[0])
    head = BladesOneClass(target_fpr=0.1, calibration_fraction=0.4, random_state=seed)
    detector = make_detector(encoder, head).fit(people(n, folder, seed + 1)[0])

    # 1. Save and load. What only training needs stays behind, unless training=True.
    file = Path(folder, "detector.blades")
    save(detector, file)
    loaded = load(file)
    new, *_ = people(3, folder, seed + 2, kinds=("first", "upsampling"))
    same = np.array_equal(loaded.score_samples(new), detector.score_samples(new))
    print(f"saved and loaded: {file.stat().st_size / 1e6:.1f} MB; the same scores: {same}")

    # 2. Serve. Two of the files are no photographs, and one is not there.
    text, cut = Path(folder, "text.jpg"), Path(folder, "cut.jpg")
    text.write_text("no photograph")
    cut.write_bytes(Path(new[0]).read_bytes()[:2000])
    answers = serve(loaded, [*new, str(text), str(cut), "missing.jpg"])
    print()
    for path, answer in answers.items():
        print(f"{Path(path).name:30s}{answer}")

    # 3. The file as a parameter. clone, and so every search, forgets what was fitted but keeps
    # parameters: such an encoder is at its weights again wherever it is fitted, in no time.
    again = BladesEncoder(pretrained=file, face_locator="whole", face_margin=1.6, max_epochs=0)
    same = np.array_equal(clone(again).fit(new).transform(new), encoder.transform(new))
    print(f"\npretrained=file, cloned and fitted: the same features: {same}")
    return detector, loaded, answers


if __name__ == "__main__":
    command_line(main, __doc__)
