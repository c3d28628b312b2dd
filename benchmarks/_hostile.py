"""Models and photographs to be mutated, and a look at one: what `_watched` runs in its process."""

import io
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.persistence import load, save
from sklearn_blades.photos import open_photo, read_exif
from sklearn_blades.storage.cache import cache_for

from ._mutations import DAMAGE, FORGERY
from ._watched import digest

# Files with towers take twenty times as long as heads alone.
WEIGHTS = {"one_class": 6, "binary": 4, "isotonic": 3, "tuned": 2, "detector": 5, "training": 1}

_ROWS = np.random.default_rng(1).normal(size=(20, 4))
_PICTURES = list(np.random.default_rng(2).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8))
_expected: dict[str, str] = {}
_original = ""


# What is mutated ------------------------------------------------------------------------------


def write_models(folder):
    """Save a small detector of every kind; return the paths."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y, sources = (X[:, 0] > 0).astype(int), np.repeat(["web", "own", "archive"], 100)
    encoder = BladesEncoder(image_size=32, face_locator="whole", max_epochs=0, device="cpu")
    encoder.set_params(random_state=0).fit(["never opened.jpg"])
    head = BladesOneClass(1, pca_components=3, calibration_fraction=0.5, random_state=0)
    made = {
        "one_class": make_pipeline(StandardScaler(), BladesOneClass(2, random_state=0)).fit(
            X, bladesoneclass__sources=sources
        ),
        "binary": BladesBinary(max_epochs=2, random_state=0, device="cpu").fit(X, y),
        "isotonic": CalibratedClassifierCV(
            make_pipeline(StandardScaler(), LogisticRegression()), method="isotonic", cv=2
        ).fit(X, y),
        "tuned": TunedThresholdClassifierCV(LogisticRegression(), cv=2).fit(X, y),
        "detector": make_detector(encoder, head).fit(_PICTURES),
        "training": encoder,
    }
    paths = {name: str(Path(folder, f"{name}.blades")) for name in made}
    for name, path in paths.items():
        save(made[name], path, training=name == "training")
    return [paths[name] for name, weight in WEIGHTS.items() for _ in range(weight)]


def write_photographs(folder):
    """Save a small photograph, with EXIF and a profile, in every format; return the paths."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    image = small.resize((56, 40), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif.update({271: "Canon", 272: "EOS", 274: 6})
    exif.get_ifd(0x8769).update({33434: 0.008, 33437: 2.8, 34855: 400, 37386: 50.0})
    whole = {"exif": exif.tobytes(), "icc_profile": _profile()}
    forms = {
        "jpg": ("JPEG", whole),
        "progressive.jpg": ("JPEG", {**whole, "progressive": True}),
        "png": ("PNG", whole),
        "webp": ("WEBP", whole),
        "lossless.webp": ("WEBP", {**whole, "lossless": True}),
        "avif": ("AVIF", whole),
        "heic": ("HEIF", whole),
        "tif": ("TIFF", whole),
        "lzw.tif": ("TIFF", {"compression": "tiff_lzw"}),
        "jpeg.tif": ("TIFF", {"compression": "jpeg"}),
    }
    paths = []
    for ending, (form, options) in forms.items():
        paths.append(str(Path(folder, f"photo.{ending}")))
        image.save(paths[-1], form, **options)
    paths.append(str(Path(folder, "behind.png")))
    Path(paths[-1]).write_bytes(_exif_behind_the_pixels(image, exif))
    return paths


def _profile():
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _exif_behind_the_pixels(image, exif):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    raw = buffer.getvalue()
    return raw[:-12] + chunk + raw[-12:]


# What `_watched` calls ------------------------------------------------------------------------


def mutated(job):
    """A function from a number to a kind of mutation and the bytes of a file."""
    originals = [(path, Path(path).read_bytes()) for path in job["originals"]]
    raws = [raw for _, raw in originals]
    rewriting = job["look"] == "look_at_model"
    for path in dict.fromkeys(job["originals"]):
        _expected[path] = _read(path, rewriting)

    def make(index):
        global _original
        rng = np.random.default_rng([job["seed"], index])
        _original, raw = originals[rng.integers(len(originals))]
        forge = rewriting and rng.integers(2)
        kinds = FORGERY if forge else DAMAGE
        change = kinds[rng.integers(len(kinds))]
        name = f"{'forged' if forge else 'damaged'}: {change.__name__}"
        return f"{name} {Path(_original).name}", change(raw, rng, raws)

    return make


def look_at_model(path):
    """Load a file, ask it, and compare what it answers with what the original answers."""
    detector = load(path)
    try:
        found = _answers(detector)
    except Exception as error:
        return f"fails in use: {type(error).__name__}: {error}"[:300]
    return "same" if found == _expected[_original] else "different"


def look_at_photograph(path):
    """Read a file's EXIF and its pixels, which few formats have checksums for."""
    same = _read(path, is_model=False) == _expected[_original]
    return "same" if same else "other pixels or tags"


def _read(path, is_model):
    if is_model:
        return _answers(load(path))
    return f"{read_exif(path)} {digest(np.asarray(open_photo(path)))}"


def _answers(detector):
    encoder = detector if isinstance(detector, BladesEncoder) else None
    steps = getattr(detector, "steps", [("", None)])
    if encoder is None:
        encoder = getattr(steps[0][1], "estimator", None)
    pictures = isinstance(encoder, BladesEncoder)
    cache_for().clear()  # equal fingerprints would find each other's features
    rows = _PICTURES[:2] if pictures else _ROWS
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("transform", "score_samples", "predict_proba", "predict"):
            if hasattr(detector, name):
                found.append(digest(np.asarray(getattr(detector, name)(rows))))
        if isinstance(steps[-1][1], BladesOneClass):
            features = detector[:-1].transform(rows)
            found.append(digest(steps[-1][1].p_values(features)))
    return " ".join(found)
