"""
Search the settings of a head
=============================

Detectors are scikit-learn estimators, so ``GridSearchCV`` takes them. Each photograph is
embedded once, however many candidates and folds there are.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.datasets import make_photos

folder = Path(tempfile.mkdtemp())
X = make_photos(120, folder / "photographs", random_state=0)
X += make_photos(30, folder / "generated", generated="diffusion", random_state=1)
y = np.repeat([1, -1], [120, 30])

# %%
# A fitted encoder is frozen inside ``make_detector``: the search fits heads alone, on the
# photographs of each fold. The generated faces only judge. ``"auto"`` puts a kernel on every
# photograph, instead of a mixture.
encoder = BladesEncoder(
    "blades-lite",
    pretrained="imagenet",
    max_epochs=0,
    image_size=160,
    face_locator="whole",
    face_margin=1.6,
).fit(X)
detector = make_detector(encoder, BladesOneClass(target_fpr=0.1, random_state=0))
search = GridSearchCV(
    detector,
    {"head__n_components": [1, 4, "auto"], "head__pca_components": [4, 16, 32]},
    scoring="roc_auc",
    cv=StratifiedKFold(4, shuffle=True, random_state=0),
).fit(X, y)
print(search.best_params_, f"AUC {search.best_score_:.3f}")

# %%
results = search.cv_results_
figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
components = np.array(results["param_head__pca_components"], dtype=int)
for n, name in {1: "one component", 4: "four components", "auto": "kernels"}.items():
    rows = np.array([tried == n for tried in results["param_head__n_components"]])
    mean, spread = results["mean_test_score"][rows], results["std_test_score"][rows]
    ax.errorbar(components[rows], mean, spread, marker="o", capsize=3, label=name)
ax.set(xlabel="principal components kept", ylabel="AUC (mean and spread over folds)", xscale="log")
ax.set_xticks([4, 16, 32], ["4", "16", "32"])
ax.minorticks_off()
ax.legend()
