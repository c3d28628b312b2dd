"""OnnxDetector: verdicts of an exported detector, by onnxruntime alone."""

import math
from typing import Any

import numpy as np

from ..errors import NoFaceError, SmallFaceError, SmallSampleWarning
from ..ground.jobs import own_threads
from ..ground.types import FloatArray, IntArray, Photographs, StrPath
from ..ground.warn import warn
from ..heads.conformal import fewest_calibration_scores, p_values_of_all, positive
from ..heads.verdicts import Verdict, named
from ..photos.crops import Crops, CropSettings
from ..photos.doubts import lost_rows
from ..photos.folders import rows_of
from ..photos.rows import photo_list
from ..storage.cache import ArrayCache
from .batches import answers
from .sealed import FACTS, read_facts, unsealed

REMEDY = 'pip install "sklearn-blades[onnx]"'


class OnnxDetector:
    """A detector in one ONNX file, asked without torch and without scikit-learn.

    Faces are found, cut and scaled by the code that the encoder uses; what becomes of their pixels
    is in the file. Scores are those of the detector that was exported, to 1e-4; so a photograph
    that scores just what the threshold is may get the other verdict.

    Parameters
    ----------
    path : str or Path
        A file of ``blades export`` or `sklearn_blades.persistence.export_onnx`.
    on_error : {"raise", "nan"}, default="raise"
        What becomes of photographs that cannot be used: the first ends the call with its error, or
        all keep their rows, as NaN, with one warning.
    n_jobs : int, default=None
        Threads that read and decode.
    n_threads : int, default=None
        Threads in which onnxruntime computes; None: all cores.

    Attributes
    ----------
    facts_ : dict
        What the file says of its detector: ``"head"``, ``"architecture"``, ``"crop"`` (how faces
        are cut), ``"versions"`` (what exported it), ``"digest"`` (of the detector), ...
    target_fpr : float
        The promised share of photographs that are flagged.
    confidence : float or None
        As in `BladesOneClass`.
    offset_ : float
        Threshold on the scores; -inf where nothing can be flagged.
    calibration_scores_ : ndarray of shape (n_calibration,), sorted
    calibration_sources_ : dict of str to ndarray, or None
    digest_ : str
        Fingerprint of the file.
    n_features_ : int

    Raises
    ------
    ImportError
        If onnxruntime is not installed.
    FileNotFoundError, IsADirectoryError
    ValueError
        If the file is no exported detector, was cut short or changed, or is of a newer format.

    See Also
    --------
    sklearn_blades.persistence.export_onnx : Writes the file.
    sklearn_blades.scan : Takes this, or the path, in place of a detector.

    Notes
    -----
    Nothing of a file but its graph is run, by onnxruntime. The seal of a file tells damage, not
    who wrote it: take files from whom you trust.
    """

    def __init__(
        self,
        path: StrPath,
        *,
        on_error: str = "raise",
        n_jobs: int | None = None,
        n_threads: int | None = None,
    ):
        if on_error not in ("raise", "nan"):
            raise ValueError(f"on_error={on_error!r}; use 'raise' or 'nan'.")
        self.path, self.on_error = path, on_error
        self.n_jobs, self.n_threads = n_jobs, n_threads
        self._said = False
        self._open()

    def _open(self):
        data = unsealed(self.path)
        self._session = _session(self.path, data, self.n_threads)
        meta = self._session.get_modelmeta().custom_metadata_map
        facts = read_facts(self.path, meta.get(FACTS))
        side = facts["crop"]["image_size"]
        inputs = [(one.name, one.shape[1:]) for one in self._session.get_inputs()]
        outputs = {one.name for one in self._session.get_outputs()}
        if inputs != [("pixels", [side, side, 3])] or not {"features", "score"} <= outputs:
            raise ValueError(f"{self.path}: its graph and its facts contradict each other.")
        self.facts_, self.digest_ = facts, data[-64:].decode()
        self.n_features_ = facts["n_features"]
        self.target_fpr, self.confidence = facts["target_fpr"], facts["confidence"]
        self.offset_ = -math.inf if facts["offset"] is None else float(facts["offset"])
        self.calibration_scores_ = np.array(facts["calibration_scores"], dtype=float)
        known = facts["calibration_sources"]
        self.calibration_sources_ = known and {
            name: np.array(scores, dtype=float) for name, scores in known.items()
        }

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "_session"}

    def __setstate__(self, state):
        vars(self).update(state)
        self._open()  # onnxruntime's session does not travel
        if self.digest_ != state["digest_"]:
            raise ValueError(f"{self.path}: is another file than it was; open it anew.")

    def __repr__(self):
        return f"OnnxDetector({str(self.path)!r})"

    @property
    def crop(self) -> dict[str, Any]:
        """How faces are cut, as `sklearn_blades.photos.face_crop` takes it."""
        return dict(self.facts_["crop"])

    def transform(self, X: Photographs | StrPath) -> FloatArray:
        """Features of faces.

        Parameters
        ----------
        X : list, array or Series of paths, PhotoRecord, PIL images or uint8 arrays; or a folder

        Returns
        -------
        ndarray of float32, shape (n_samples, ``n_features_``)
            Rows of unit length; NaN for photographs that cannot be used, with ``on_error="nan"``.
        """
        return self._answers(photo_list(rows_of(X)), "features", self.on_error).values

    def score_samples(self, X: Photographs | StrPath) -> FloatArray:
        """Scores; NaN for photographs that cannot be used.

        Parameters
        ----------
        X : as in `transform`

        Returns
        -------
        ndarray of shape (n_samples,)
            Higher = more photographic.
        """
        return self._answers(photo_list(rows_of(X)), "score", self.on_error).values

    def decision_function(self, X: Photographs | StrPath) -> FloatArray:
        """Scores above the threshold; NaN for photographs that cannot be used.

        Parameters
        ----------
        X : as in `transform`

        Returns
        -------
        ndarray of shape (n_samples,)
            Negative = flagged; higher = more photographic. Where nothing can be flagged, a
            positive, increasing function of the score.
        """
        scores = self.score_samples(X)
        self._warn_if_too_few()
        if math.isinf(self.offset_):
            return positive(scores - self.calibration_scores_[0])
        return scores - self.offset_

    def predict(self, X: Photographs | StrPath) -> IntArray:
        """Photograph or AI-generated?

        Parameters
        ----------
        X : as in `transform`

        Returns
        -------
        ndarray of shape (n_samples,), int
            +1 = not flagged, -1 = flagged as AI-generated, whatever labels the head was taught.

        Raises
        ------
        ValueError
            If a photograph cannot be used and ``on_error`` is "nan": no answer fits it. `verdicts`
            and the scores keep such rows.
        """
        scores = self.score_samples(X)
        lost = np.flatnonzero(np.isnan(scores))
        if lost.size:
            first = ", ".join(map(str, lost[:3])) + (", ..." if lost.size > 3 else "")
            raise ValueError(
                f"{lost.size} of {len(scores)} photographs cannot be used (rows {first}), and "
                "predict has no answer for them; verdicts(X) says of each row what is wrong."
            )
        self._warn_if_too_few()
        return np.where(scores < self.offset_, -1, 1)

    def p_values(self, X: Photographs | StrPath) -> FloatArray:
        """Conformal p-values of "a photograph like those that calibrated".

        Parameters
        ----------
        X : as in `transform`

        Returns
        -------
        ndarray of shape (n_samples,)
            Low = AI-generated; see `BladesOneClass.p_values`. NaN where there is no score.
        """
        return self._p_values(self.score_samples(X))

    def verdicts(self, X: Photographs | StrPath) -> list[Verdict]:
        """Score, p-value and verdict of every photograph, or why there is none.

        Parameters
        ----------
        X : as in `transform`

        Returns
        -------
        list of Verdict
            A row a photograph, in order, as in ``BladesDetector.verdicts(X).rows``; photographs
            that cannot be used never end it.
        """
        photos = photo_list(rows_of(X))
        scores, failed, _ = self._answers(photos, "score", "nan", failures=False)
        self._warn_if_too_few()
        p_values = self._p_values(scores)
        return [
            _verdict(named(photo, row), scores[row], p_values[row], self.offset_, failed.get(row))
            for row, photo in enumerate(photos)
        ]

    def _p_values(self, scores):
        known = (self.calibration_sources_ or {"": self.calibration_scores_}).values()
        p_values = p_values_of_all(np.nan_to_num(scores), known, self.confidence)
        return np.where(np.isnan(scores), np.nan, p_values)

    def _warn_if_too_few(self):
        if self._said or math.isfinite(self.offset_):
            return
        self._said = True
        fewest = fewest_calibration_scores(self.target_fpr, self.confidence)
        warn(
            f"{self.path}: {len(self.calibration_scores_)} calibration photographs cannot promise "
            f"a false-alarm rate of {self.target_fpr:.3g}: at least {fewest} are needed. Nothing "
            "is flagged. Calibrate the detector on more photographs and export it again.",
            SmallSampleWarning,
        )

    def _answers(self, photos, output, on_error, *, failures=True):
        """What the graph says of photographs, and what is to be said of them."""
        settings = CropSettings(**self.crop)
        crops = Crops(photos, settings, ArrayCache(max_bytes=0, max_disk_bytes=0))
        width = (self.n_features_,) if output == "features" else ()
        values = np.full((len(photos), *width), np.nan, np.float32 if width else float)
        found = answers(
            crops,
            lambda pixels: self.ask_crops(pixels, output),
            values,
            on_error=on_error,
            n_jobs=self.n_jobs,
        )
        lost = lost_rows(found.failed, len(photos)) if failures else []
        for doubt in [*found.doubts, *lost]:
            warn(doubt, UserWarning)
        return found

    def ask_crops(self, pixels: np.ndarray, output: str = "score") -> FloatArray:
        """What the graph says of faces that are cut already.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (n, image_size, image_size, 3)
        output : {"score", "features", "verdict"}

        Returns
        -------
        ndarray of shape (n,), or (n, ``n_features_``)
        """
        return self._session.run([output], {"pixels": np.ascontiguousarray(pixels)})[0]


def _verdict(path, score, p_value, offset, error):
    if error is not None:
        lost = isinstance(error, NoFaceError | SmallFaceError)
        return Verdict(path, math.nan, math.nan, "no face" if lost else "unreadable", error.problem)
    verdict = "flagged" if score < offset else "not flagged"
    return Verdict(path, float(score), float(p_value), verdict)


def _session(path, data, n_threads):
    """A session of onnxruntime, on the CPU."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(f"{path}: an ONNX file needs onnxruntime: {REMEDY}") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # its warnings are for who writes graphs
    options.intra_op_num_threads = n_threads or own_threads() or 0
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of many kinds, none of them public
        raise ValueError(
            f"{path}: onnxruntime {onnxruntime.__version__} cannot run it ({error}); upgrade it "
            "(pip install -U onnxruntime), or export the detector again."
        ) from error
