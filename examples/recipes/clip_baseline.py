"""Does pretraining help, or would frozen CLIP features do as well on my photographs?

    python examples/recipes/clip_baseline.py --weights laion2b_s34b_b79k      (is downloaded)
    python examples/recipes/clip_baseline.py --weights /path/to/weights.safetensors
    python examples/recipes/clip_baseline.py [--n 150] [--epochs 6] [--seed 0]

Without --weights nothing is downloaded, and the baseline is an untrained tower: no CLIP, but the
least that any features must beat. --architecture names the tower that the weights are for; OpenAI's
weights in a file want ViT-B-32-quickgelu. n = pictures of each kind.
"""

from _simulated import FROM_SCRATCH, GENERATORS, command_line, people
from sklearn.metrics import roc_auc_score

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector

CROPS = {"face_locator": "whole", "face_margin": 1.6}  # the same pictures for both


def baseline(architecture, weights, seed):
    """The name and the encoder of the baseline; max_epochs=0 takes the towers as they are."""
    if weights is None:
        encoder = BladesEncoder(**CROPS, max_epochs=0, random_state=seed)
        return "untrained", encoder
    encoder = BladesEncoder(architecture, pretrained=weights, **CROPS, max_epochs=0)
    return architecture, encoder


def compare(encoders, photographs, test, others, *, target_fpr=0.1, seed=0):
    """The same head on each encoder's features.

    Parameters
    ----------
    encoders : dict of name to fitted BladesEncoder
    photographs, test : list of paths
        For the head, and to be told from the others.
    others : dict of name to list of paths

    Returns
    -------
    dict of name to dict
        The AUC of the test photographs against each of the others, and the false alarms.
    """
    table = {}
    for name, encoder in encoders.items():
        head = BladesOneClass(target_fpr=target_fpr, calibration_fraction=0.4, random_state=seed)
        detector = make_detector(encoder, head).fit(photographs)
        scores = detector.score_samples(test)
        table[name] = {"false alarms": (detector.predict(test) == -1).mean()}
        for kind, paths in others.items():
            y = [1] * len(test) + [0] * len(paths)
            table[name][kind] = roc_auc_score(y, [*scores, *detector.score_samples(paths)])
    return table


def main(folder, n=150, epochs=6, seed=0, weights=None, architecture="ViT-B-32"):
    name, frozen = baseline(architecture, weights, seed)
    if weights is None:
        print("No --weights: the baseline is a tower with random weights. This is not CLIP.\n")
    learned = BladesEncoder(**FROM_SCRATCH, max_epochs=epochs, random_state=seed)
    # Each seed is a set of people: for the encoder, for the head, for the test.
    X, *_ = people(n, folder, seed)
    frozen.fit(X)  # first, for the weights may not be there
    encoders = {"BLADES": learned.fit(X), name: frozen}
    photographs, *_ = people(n, folder, seed + 1)
    test, *_ = people(n, folder, seed + 2)
    others = {
        kind: people(n, folder, seed + 3 + i, kinds=(kind,))[0]
        for i, kind in enumerate((*GENERATORS, "second"))
    }
    table = compare(encoders, photographs, test, others, seed=seed)

    print("AUC of photographs against ...")
    print(f"{'':16s}" + "".join(f"{name:>16s}" for name in table))
    for row in (*others, "false alarms"):
        print(f"{row:16s}" + "".join(f"{column[row]:16.3f}" for column in table.values()))
    print("second = photographs of another source; false alarms: 0.1 is promised")
    return table


if __name__ == "__main__":
    command_line(main, __doc__)
