"""BladesEncoder: photographs in, features of unit length out.

What needs torch is imported where it is used: naming the class, as a parameter grid or a command
line does, costs what scikit-learn costs.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from numbers import Integral, Real
from typing import Any, Self

from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..ground.sklearn_private import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    _fit_context,
    _VisualBlock,
)
from ..ground.types import Column, FloatArray, Locator, Photographs, RandomState, StrPath
from ..photos.records import read_photos
from ..storage.cache import CACHE_SIZE, DISK_SIZE, cache_for
from .presets import AS_PUBLISHED, FROM_IMAGENET, FROM_SCRATCH


class BladesEncoder(
    CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Learn features of photographic faces from camera metadata and face manipulations.

    ``fit`` pretrains two towers on photographs alone, weighing the pretext tasks by how much each
    helps to tell an untouched face from a manipulated one (docs/method.md, section 5).
    ``transform`` embeds faces.

    Most people touch six parameters first: ``face_locator`` (where faces are), ``pretrained`` and
    ``architecture`` (where the towers come from), ``max_epochs`` (how long to learn), ``memory``
    (keep what was computed) and ``random_state``. Below they stand by subject: photographs
    (``face_locator`` to ``on_error``), tasks (``tasks`` to ``augment``), towers (``architecture``
    to ``precision``), training (``max_epochs`` to ``random_state``), computing (the rest).

    Parameters
    ----------
    face_locator : str, dict or callable, default="haar"
        ``"haar"`` or ``"yunet"`` (both need the extra ``faces``), ``"whole"`` for face crops,
        ``"yunet:/path.onnx"``, a ``{path: Face or box}`` table, or a callable from a PIL image to
        faces.
    face_margin : float, default=1.3
        Side of the crop over the face box.
    min_face_size : float, default=None
        Pixels of the face's larger side in its file, below which a photograph is refused. By
        default an eighth of ``image_size``, 16 at least; 0 takes any.
    harmonise : int, default=None
        JPEG quality, 1 to 100, at which every face is compressed once more when it has been
        scaled, in ``fit`` and ``transform`` alike, so that how files were compressed before says
        less (`sklearn_blades.evaluation.audit_confounds` tells what it says). Coarse earlier
        compression still shows, and some of what generators leave behind goes too: measure with
        and without. None: off.
    photographic_label : float, default=None
        The value of ``y`` that marks photographs. None is 1; where labels are 0 and 1 and nothing
        says which is which, a warning says so, once a process.
    on_error : {"raise", "nan"}, default="raise"
        For photographs that cannot be used: raise, or leave them out of ``fit`` with a warning
        and give NaN rows in ``transform``.
    tasks : {"default", "zou25"} or list of PretextTask, default="default"
        ``"default"``: nine EXIF tags and two face tasks. ``"zou25"``: the predecessor as
        published, four ordinal tags and coarse manipulation *with weights fixed at 1*, whatever
        ``task_weighting`` says; for other weights pass ``default_tasks("zou25")``.
    primary_task : str, default="manipulated"
        The task whose loss on held-out photographs the weights serve.
    task_weighting : {"bilevel", "bilevel-free", "equal"} or dict, default="bilevel"
        Learned on the simplex; learned freely, as published; all 1; or fixed by task name.
    primary_share : "auto" or float, default="auto"
        Share of the total weight with which the primary task starts under ``"bilevel"``:
        ``"auto"`` is an equal share for pretrained towers and two thirds from scratch; see
        `sklearn_blades.pretext.rates`.
    outer_fraction : float, default=0.1
        Share of the photographs (of the groups, if given) held out for the weights.
    outer_interval : int, default=1
        Learn the weights at every so many steps.
    look_ahead : {"sgd", "adamw"}, default="sgd"
        The virtual step that the weights are judged by: along the gradient, as published, or as
        AdamW scales it, which is how the towers really move.
    exif_fraction : float, default=0.25
        Largest share of a batch whose EXIF labels count, where photographs with EXIF are the
        minority; the others in that batch teach the face tasks alone. Every photograph comes once
        an epoch.
    paired_views : bool, default=True
        Put an untouched and a manipulated view of each photograph into the same batch.
    resampled_views : bool, default=True
        Send untouched views through the same interpolation as manipulated ones. False only to
        see the shortcut that this closes.
    augment : bool, default=False
        Process the views of training as publishers do, both of a pair alike, so that what is
        learned survives it (`sklearn_blades.evaluation.robustness_curve` tells how far): JPEG,
        WebP, rescaling, sharpening, blur, tone, colour and small crops, in random order.
    architecture : str, default="blades-tiny"
        ``"blades-tiny"`` (96 px, 128 features, trains on a laptop), ``"blades-lite"`` (224 px,
        EfficientNet-Lite0), ``"blades-rn50"`` (the paper's: 224 px, 768 features), any
        architecture of open_clip, or ``"timm:NAME"`` for any image tower of timm.
    pretrained : str, default=None
        Weights to start from: ``"imagenet"`` for ``"blades-lite"`` (the extra ``lite``), a local
        file (open_clip's, timm's for its towers, the authors' and EXIF-as-Language's for
        ``"blades-rn50"``), or a tag of open_clip; only for such a tag is anything downloaded.
        What a file of image weights lacks (text tower, projection) starts random.
        A file of `sklearn_blades.persistence.save` brings its image tower, preprocessing and,
        with ``training=True``, text tower; as a parameter it survives `clone`. Its
        ``face_locator`` (a name), ``face_margin`` and ``harmonise`` take the place of this
        encoder's defaults; where you say something else, that holds, with a warning.
    image_size : int, default=None
        Side of the image tower's input in pixels; by default that of the encoder in
        ``pretrained``, else the architecture's own.
    features : {"auto", "embedding", "pooled"}, default="auto"
        What `transform` gives: the joint embedding of images and prompts, or what the image tower
        has pooled before it projects there. ``"auto"`` is pooled where the projection is random,
        as with ``max_epochs=0`` and ImageNet's weights, and the tower has one. blades-tiny
        projects within its attention and has no pooled features.
    freeze_text : bool, default=False
        Keep the text tower as it is.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of the towers; ``"auto"`` is float32. It is part of the model: a mixture fitted on
        features of one precision does not hold for the other, so what `fit` used stays.
    max_epochs : int, default=20
        0 takes the weights as they are: frozen CLIP features, say, or a random-init baseline.
    batch_size : int, default=48
        Views per training step.
    lr, weight_lr : "auto" or float, default="auto"
        Rates of the towers and of the task weights; see `sklearn_blades.pretext.rates`.
    weight_decay : float, default=1e-3
    checkpoint_dir : str, default=None
        Folder for checkpoints, after each epoch and every ten minutes. An interrupted ``fit``
        with the same photographs and parameters goes on from there, also without a
        ``random_state``; one that was finished is returned at once. Each run has a folder in it.
    random_state : int, RandomState or None, default=None
    memory : str, default=None
        Folder in which to keep crops and features, so that each photograph is embedded once
        among all processes and sessions that name it. By default each process keeps them for
        itself: see ``cache_size``. `clear_cache` empties either. Where the folder cannot be
        written, a warning says so and this process goes on without it.
    cache_size : float, default=100
        MB of crops and features that a process keeps in memory, for all encoders with the same
        ``memory`` (the last one asked for counts); results do not depend on it. What falls out is
        read from ``memory``, or without it from a temporary file.
    disk_size : float, default=10000
        MB of disk for crops and features, in ``memory`` or in a temporary file, and as many for
        the file that holds the crops of fits and that all workers read. A crop takes 28 kB at
        96 px and 151 kB at 224 px: the paper's 120,000 need 18,100 MB. Where those of a fit have
        no room, a warning says how much they need, and the rest is decoded in every epoch. In
        ``memory`` what was used longest ago goes first; temporary files end with the process (on
        Linux also when it is killed). Where the system's temporary folder is kept in memory or is
        small, set ``TMPDIR`` to one on a disk, or name ``memory``.
    n_jobs : int, default=None
        Threads for decoding and worker processes for training views, on this machine whatever
        joblib's backend is. Results do not depend on it.
    device : str, default="auto"
        ``"cpu"``, ``"cuda"`` ...; resolved when used.
    verbose : int, default=None
        None: a bar with an estimate of the time left where stderr is a terminal, in `fit` and
        `transform`, and nothing elsewhere. 0: nothing. 1: a line of losses an epoch, on stdout.

    Attributes
    ----------
    embedding_ : JointEmbedding
        The fitted towers, on the CPU.
    tasks_ : TaskSet
        The tasks that these photographs could teach, with their vocabularies.
    task_weights_ : dict of str to float
    history_ : list of dict
        Per epoch: ``losses`` by task, means over the known rows (pairs) and NaN where there were
        none; ``weights`` by task, ``outer_loss``, ``train_loss``, ``lr``.
    n_iter_ : int
        Epochs run.
    lr_, weight_lr_ : float or None
        The rates used; None without training.
    features_ : {"embedding", "pooled"}
    crop_defaults_ : dict
        How the encoder in ``pretrained`` cut its faces; empty where there is none.
    n_features_out_ : int
    precision_ : str
    digest_ : str
        Fingerprint of image tower and preprocessing; features are cached under it.
    preprocessing_ : Preprocessing

    See Also
    --------
    make_detector : Joins a fitted encoder and a head.
    BladesOneClass : Head fitted on photographs alone, with a false-alarm rate that you choose.
    BladesBinary : Head fitted on photographs and AI-generated faces.
    sklearn_blades.evaluation.TaskWeightsDisplay : Draws ``history_``.
    sklearn_blades.photos.read_photos : EXIF tables and known face boxes, as rows of ``X``.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_blades import BladesEncoder
    >>> from sklearn_blades.datasets import make_photos
    >>> paths = make_photos(12, tempfile.mkdtemp(), random_state=0)
    >>> encoder = BladesEncoder(face_locator="whole", max_epochs=1, random_state=0)
    >>> encoder.fit_transform(paths).shape
    (12, 128)
    """

    _parameter_constraints = {
        "architecture": [str],
        "pretrained": [str, os.PathLike, None],
        "features": [StrOptions({"auto", "embedding", "pooled"})],
        "tasks": [StrOptions({"default", "zou25"}), list, tuple],
        "primary_task": [str],
        "task_weighting": [StrOptions({"bilevel", "bilevel-free", "equal"}), dict],
        "primary_share": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="neither")],
        "outer_fraction": [Interval(Real, 0, 1, closed="neither")],
        "outer_interval": [Interval(Integral, 1, None, closed="left")],
        "look_ahead": [StrOptions({"sgd", "adamw"})],
        "paired_views": ["boolean"],
        "resampled_views": ["boolean"],
        "augment": ["boolean"],
        "exif_fraction": [Interval(Real, 0, 1, closed="right")],
        "face_locator": [str, dict, callable],
        "face_margin": [Interval(Real, 1, None, closed="left")],
        "min_face_size": [Interval(Real, 0, None, closed="left"), None],
        "image_size": [Interval(Integral, 1, None, closed="left"), None],
        "harmonise": [Interval(Integral, 1, 100, closed="both"), None],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "lr": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "weight_lr": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "freeze_text": ["boolean"],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "memory": [str, os.PathLike, None],
        "cache_size": [Interval(Real, 0, None, closed="left")],
        "disk_size": [Interval(Real, 0, None, closed="left")],
        "checkpoint_dir": [str, os.PathLike, None],
        "on_error": [StrOptions({"raise", "nan"})],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose", None],
    }

    def __init__(
        self,
        architecture: str = "blades-tiny",
        *,
        pretrained: StrPath | None = None,
        tasks: str | Sequence[Any] = "default",
        primary_task: str = "manipulated",
        task_weighting: str | Mapping[str, float] = "bilevel",
        primary_share: str | float = "auto",
        outer_fraction: float = 0.1,
        outer_interval: int = 1,
        look_ahead: str = "sgd",
        paired_views: bool = True,
        resampled_views: bool = True,
        augment: bool = False,
        exif_fraction: float = 0.25,
        face_locator: Locator = "haar",
        face_margin: float = 1.3,
        min_face_size: float | None = None,
        image_size: int | None = None,
        features: str = "auto",
        harmonise: int | None = None,
        photographic_label: float | None = None,
        max_epochs: int = 20,
        batch_size: int = 48,
        lr: str | float = "auto",
        weight_lr: str | float = "auto",
        weight_decay: float = 1e-3,
        freeze_text: bool = False,
        precision: str = "auto",
        memory: StrPath | None = None,
        cache_size: float = CACHE_SIZE,
        disk_size: float = DISK_SIZE,
        checkpoint_dir: StrPath | None = None,
        on_error: str = "raise",
        n_jobs: int | None = None,
        device: str = "auto",
        random_state: RandomState = None,
        verbose: int | None = None,
    ) -> None:
        self.architecture = architecture
        self.pretrained = pretrained
        self.tasks = tasks
        self.primary_task = primary_task
        self.task_weighting = task_weighting
        self.primary_share = primary_share
        self.outer_fraction = outer_fraction
        self.outer_interval = outer_interval
        self.look_ahead = look_ahead
        self.paired_views = paired_views
        self.resampled_views = resampled_views
        self.augment = augment
        self.exif_fraction = exif_fraction
        self.face_locator = face_locator
        self.face_margin = face_margin
        self.min_face_size = min_face_size
        self.image_size = image_size
        self.features = features
        self.harmonise = harmonise
        self.photographic_label = photographic_label
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_lr = weight_lr
        self.weight_decay = weight_decay
        self.freeze_text = freeze_text
        self.precision = precision
        self.memory = memory
        self.cache_size = cache_size
        self.disk_size = disk_size
        self.checkpoint_dir = checkpoint_dir
        self.on_error = on_error
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def from_scratch(cls, **params: Any) -> Self:
        """An encoder of small towers that learns without weights, on two cores.

        Parameters
        ----------
        **params
            What is to be otherwise than `sklearn_blades.estimators.presets.FROM_SCRATCH`.
        """
        return cls(**{**FROM_SCRATCH, **params})

    @classmethod
    def from_imagenet(cls, **params: Any) -> Self:
        """A tower that knows ImageNet and learns nothing more; needs the extras lite and faces.

        Parameters
        ----------
        **params
            What is to be otherwise than `sklearn_blades.estimators.presets.FROM_IMAGENET`.
        """
        return cls(**{**FROM_IMAGENET, **params})

    @classmethod
    def as_published(cls, **params: Any) -> Self:
        """The paper's encoder, its weighting and its views; ``pretrained`` is yours to name.

        Parameters
        ----------
        **params
            What is to be otherwise than `sklearn_blades.estimators.presets.AS_PUBLISHED`.
        """
        return cls(**{**AS_PUBLISHED, **params})

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Photographs, y: Column | None = None, *, groups: Column | None = None
    ) -> "BladesEncoder":
        """Learn from photographs.

        Parameters
        ----------
        X : list, array or Series of paths, or of PhotoRecord
            Files, not images in memory: EXIF is in the file.
        y : array-like, default=None
            Without it all rows are photographs; with it only rows equal to
            ``photographic_label`` are used.
        groups : array-like, default=None
            Person or source of each row: one is on one side only of the outer split.

        Returns
        -------
        self

        Raises
        ------
        PhotoError
            For a photograph that cannot be used, unless ``on_error="nan"``.
        ValueError
            If there are too few photographs, or a parameter makes no sense.
        ConnectionError
            If another rank of a run is lost.

        Warns
        -----
        UserWarning
            For tasks that these photographs cannot teach, and for photographs that are doubtful.
        SmallSampleWarning
            For fewer than six photographs.

        Notes
        -----
        Under ``torchrun --nproc-per-node=N`` the processes learn together, each on its share of
        every batch: ``batch_size`` is that of all. All must call ``fit`` with the same rows; rank 0
        cuts crops and writes. See "Several GPUs" in docs/large_sets.md.
        """
        import torch

        from ..ground.device import resolve_device, resolve_precision
        from ..ground.launch import joined
        from ..ground.ranks import ALONE
        from ..towers.embedding import JointEmbedding
        from .embedding import inherited_crop
        from .pretraining import (
            attributes,
            begin_task,
            check_ranks,
            learn,
            photographs_of,
            run_of,
        )

        device = resolve_device(self.device)
        precision = resolve_precision(self.precision, device)
        with joined(device) if self.max_epochs else nullcontext(ALONE) as ranks:
            photos, groups = photographs_of(X, y, groups, self.photographic_label)
            with ranks.quiet():
                inherited = inherited_crop(self)
            check_ranks(self, photos, groups, ranks)
            callbacks, finish = begin_task(self, X, y, precision, inherited, ranks)
            run, seed = run_of(self, photos, groups, ranks)
            with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
                torch.manual_seed(seed)
                embedding = JointEmbedding(
                    self.architecture,
                    pretrained=self.pretrained,
                    image_size=self.image_size,
                    freeze_text=self.freeze_text,
                )
                how = {"seed": seed, "precision": precision, "device": device, "run": run}
                how |= {"callbacks": callbacks, "ranks": ranks, "inherited": inherited}
                result = learn(self, embedding, photos, groups, **how)
            # All at once: a refit that fails leaves the fit before it whole.
            self.__dict__.update(attributes(self, result, precision, inherited))
            finish()
        return self

    def transform(self, X: Photographs) -> FloatArray:
        """Embed faces.

        Parameters
        ----------
        X : list, array or Series of paths, PhotoRecord, PIL images or uint8 arrays (h, w, 3)

        Returns
        -------
        ndarray of float32, shape (n_samples, ``n_features_out_``)
            Rows of unit length, in the order of ``X``; a row depends on its photograph alone.

        Notes
        -----
        Inside ``joblib.parallel_config("loky", n_jobs=4)`` or ``"dask"`` the workers of that
        backend embed the files, in the same batches, so that the rows are the same.
        """
        from .embedding import embed_photos

        check_is_fitted(self, "embedding_")
        return embed_photos(self, X, self.features_)

    def clear_cache(self) -> None:
        """Forget the crops and features of all encoders with the same ``memory``.

        Results do not change: photographs are decoded and embedded again when they are needed.
        What other processes keep in their own memory stays there until they end.
        """
        cache_for(self.memory, self.cache_size, self.disk_size).clear()

    def read_tasks(self, X: Photographs) -> dict[str, dict[str, FloatArray]]:
        """What the encoder itself answers to its tasks; photographs embedded before are not opened.

        Parameters
        ----------
        X : list, array or Series of paths, PhotoRecord, PIL images or uint8 arrays (h, w, 3)

        Returns
        -------
        dict of task name to dict of answer to ndarray of shape (n_samples,)
            For an ordinal tag its ``"level"``, from 1 = low to 3 = high; for other tags and the
            face tasks a probability per answer, not calibrated. NaN where `transform` gives NaN.
        """
        from ..pretext.diagnostics import read_tasks
        from .embedding import embed_photos

        check_is_fitted(self, "embedding_")
        return read_tasks(self.embedding_, self.tasks_, embed_photos(self, X, "embedding"))

    def score_tasks(self, X: Photographs, *, random_state: int = 0) -> dict[str, dict[str, float]]:
        """How well the pretext tasks are solved on other photographs.

        Parameters
        ----------
        X : list, array or Series of paths, or of PhotoRecord
        random_state : int, default=0
            Draws the manipulations.

        Returns
        -------
        dict of task name to dict
            See `sklearn_blades.pretext.diagnostics.score_tasks`.
        """
        from ..ground.device import resolve_device
        from ..pretext.diagnostics import score_tasks
        from ..pretext.training.targets import tabulate
        from ..pretext.training.views import ViewDataset
        from .embedding import crops_of, towers_on

        check_is_fitted(self, "embedding_")
        device = resolve_device(self.device)
        records = read_photos(X, n_jobs=self.n_jobs)
        targets = tabulate(self.tasks_, [record.exif for record in records])
        crops = crops_of(self, records, self.preprocessing_, self.crop_defaults_)
        views = ViewDataset(crops, targets, seed=random_state)
        return score_tasks(
            towers_on(self, device),
            views,
            self.tasks_,
            device=device,
            precision=self.precision_,
        )

    def _sk_visual_block_(self):
        """Show the learned weights under the name, where a notebook draws the estimator."""
        caption = None
        if hasattr(self, "task_weights_"):
            ranked = sorted(self.task_weights_.items(), key=lambda item: item[1], reverse=True)
            caption = "task weights: " + ", ".join(f"{name} {w:.2f}" for name, w in ranked)
        name = type(self).__name__
        return _VisualBlock(
            "single", self, names=name, name_caption=caption, name_details=str(self)
        )

    def __getstate__(self):
        return {k: v for k, v in super().__getstate__().items() if k != "_copy"}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        tags.non_deterministic = False
        return tags
