"""A saved model that was tampered with is refused by name, and nothing in it is run."""

import io
import pickle
import zipfile

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass
from sklearn_blades.persistence import load, save
from sklearn_blades.pretext import Manipulated, OrdinalTag
from tests.persistence.tampering import (
    change_item,
    find,
    members,
    parts,
    refuse,
    tampered,
    tensor,
    write,
)

X = np.random.default_rng(0).normal(size=(200, 4))


@pytest.fixture(scope="module")
def pipeline_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("pipeline") / "model.blades"
    head = BladesOneClass(2, pca_components=3, random_state=0)
    save(make_pipeline(StandardScaler(), head).fit(X), path)
    return path


@pytest.fixture(scope="module")
def encoder_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("encoder") / "model.blades"
    tasks = [OrdinalTag("ISOSpeedRatings"), Manipulated()]
    save(BladesEncoder(tasks=tasks, image_size=32, max_epochs=0).fit(["never opened.jpg"]), path)
    return path


def head_of(cls):
    def change(content, tensors):
        content["object"] = cls

    return change


def with_nan(array):
    array.flat[0] = np.nan
    return array


def twice(content, tensors):
    found = find(content, "GaussianMixture")["parts"]
    found["weights_"] = found["means_"]


TREES = {
    "newer": (lambda c, t: c.update(format=2), "format is 2.*pip install -U sklearn-blades"),
    "no format": (lambda c, t: c.pop("format"), "names no format"),
    "another format": (lambda c, t: c.update(format=True), "names no format"),
    "no versions": (lambda c, t: c.pop("versions"), "versions"),
    "no object": (lambda c, t: c.pop("object"), "object"),
    "unknown class": (lambda c, t: find(c, "PCA").update(object="KMeans"), "'KMeans' is no class"),
    "code": (lambda c, t: find(c, "PCA").update(object="os.system"), "'os.system' is no class"),
    "no estimator": (head_of([1, 2]), "a list is no estimator"),
    "a record": (head_of({"object": "Manipulated", "number": 0, "parts": {}}), "no estimator"),
    "an unknown tag": (parts("PCA", mean_={"eval": "1"}), "no meaning"),
    "a wrong tag": (parts("PCA", mean_={"float": "1"}), "no meaning"),
    "a dict that is none": (parts("PCA", mean_={"dict": [[[], 1]]}), "unhashable"),
    "a word too long": (parts("PCA", mean_={"strings": ["a" * 9999] + 9999 * [""]}), "letters"),
    "no words": (parts("PCA", mean_={"strings": [1]}), "holds other things"),
    "an unknown number": (parts("PCA", mean_={"same": 99}), "99"),
    "an attribute too many": (parts("PCA", evil=1), "PCA has no 'evil'"),
    "a method": (parts("BladesOneClass", predict=1), "no 'predict'"),
    "a property": (parts("BladesOneClass", offset_=1.0), "no 'offset_'"),
    "a dunder": (parts("BladesOneClass", __class__=1), "no '__class__'"),
    "a private": (parts("BladesOneClass", _check_n_features=1), "no '_check_n_features'"),
    "of the machine": (parts("LogisticRegression", n_jobs=99), "no 'n_jobs'"),
    "an attribute lacks": (parts("GaussianMixture", means_=None), "the means_ of GaussianMixture"),
    "no steps": (parts("Pipeline", steps=None), "Pipeline lacks 'steps'"),
    "steps of numbers": (parts("Pipeline", steps=[{"tuple": ["a", 1]}]), "contradict"),
    "steps of one": (parts("Pipeline", steps=[[]]), "unpack"),
    "a bad parameter": (parts("BladesOneClass", target_fpr=2.0), "'target_fpr' parameter"),
    "a kind of its own": (parts("GaussianMixture", covariance_type="round"), "round"),
    "a stranger inside": (parts("BladesOneClass", pca_="PCA"), "the pca_ of BladesOneClass"),
    "a shape": (tensor("mixture_.means_", lambda a: a[:, 1:]), "the means_ of GaussianM"),
    "a width": (tensor("pca_.components_", lambda a: a[:, 1:]), "the components_ of PCA"),
    "a rank": (tensor("pca_.mean_", lambda a: a[None]), "the mean_ of PCA"),
    "a type": (tensor("pca_.mean_", lambda a: a.astype(int)), "the mean_ of PCA"),
    "NaN": (tensor("calibration_scores_", with_nan), "calibration_scores_"),
    "a tensor lacks": (lambda c, t: t.pop(max(t)), "is not there"),
    "a tensor too many": (lambda c, t: t.update(zero=np.zeros(1)), "nothing refers to.*'zero'"),
    "a tensor twice": (twice, "used already"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), TREES.values(), ids=TREES)
def test_a_tree_that_was_tampered_with(change, message, pipeline_file, tmp_path):
    if "n_jobs" in message:  # the one that has it
        pipeline_file = tmp_path / "model.blades"
        save(LogisticRegression().fit(X, X[:, 0] > 0), pipeline_file)
    load(pipeline_file)
    refuse(tampered(pipeline_file, tmp_path, change), message)


NESTED = b"[" * 200_000
CONTENTS = {
    "no JSON": (b"{", "JSON|Expecting"),
    "no text": (b"\xff\xfe", "codec"),
    "no object": (b"[1]", "names no format"),
    "nested": (b'{"format": 1, "object": ' + NESTED, "recursion"),
    "nested and closed": (
        b'{"format": 1, "versions": {"scikit-learn": "1"}, "object": '
        + (NESTED[:900] + b"]" * 900 + b"}"),
        "recursion",
    ),
    "NaN": (b'{"format": 1, "object": NaN}', "number NaN"),
    "infinity": (b'{"format": 1, "object": -Infinity}', "number -Infinity"),
    "overflow": (b'{"format": 1, "object": 1e999}', "number 1e999"),
    "digits": (b'{"format": 1, "object": ' + b"9" * 9999 + b"}", "digits"),
}


@pytest.mark.parametrize(("raw", "message"), CONTENTS.values(), ids=CONTENTS)
def test_content_that_is_no_tree(raw, message, pipeline_file, tmp_path):
    files = {**members(pipeline_file), "blades.json": raw}
    refuse(write(tmp_path / "evil.blades", files.items()), message)


class TestZip:
    @pytest.fixture
    def files(self, pipeline_file):
        return members(pipeline_file)

    @pytest.mark.parametrize("raw", [b"", b"hello", b"PK\x03\x04" + b"\0" * 100])
    def test_no_zip(self, raw, tmp_path):
        (tmp_path / "evil.blades").write_bytes(raw)
        refuse(tmp_path / "evil.blades", "zip")

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
    def test_cut(self, share, pipeline_file, tmp_path):
        raw = pipeline_file.read_bytes()
        (tmp_path / "evil.blades").write_bytes(raw[: int(share * len(raw))])
        refuse(tmp_path / "evil.blades", "zip")

    def test_one_bit(self, pipeline_file, tmp_path):
        raw = bytearray(pipeline_file.read_bytes())
        raw[raw.index(b"PK\x01\x02") - 1] ^= 1  # the last of the tensors
        (tmp_path / "evil.blades").write_bytes(raw)
        refuse(tmp_path / "evil.blades", "CRC")

    @pytest.mark.parametrize("name", ["blades.json", "tensors.safetensors"])
    def test_a_member_lacks(self, name, files, tmp_path):
        del files[name]
        refuse(write(tmp_path / "evil.blades", files.items()), name)

    @pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "data.pkl", "a\0b"])
    def test_a_member_too_many(self, name, files, tmp_path):
        refuse(write(tmp_path / "evil.blades", [*files.items(), (name, b"x")]), "it holds ")
        assert [path.name for path in tmp_path.iterdir()] == ["evil.blades"]

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    @pytest.mark.parametrize("name", ["blades.json", "tensors.safetensors"])
    def test_a_member_twice(self, name, files, tmp_path):
        path = write(tmp_path / "evil.blades", [*files.items(), (name, files[name])])
        refuse(path, "it holds ")

    def test_a_bomb(self, files, tmp_path):
        files["tensors.safetensors"] = bytes(20_000_000)
        path = write(tmp_path / "evil.blades", files.items(), zipfile.ZIP_DEFLATED)
        assert path.stat().st_size < 100_000
        refuse(path, "is compressed")

    @pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_a_compressed_content_is_refused_before_it_is_read(
        self, method, files, tmp_path, monkeypatch
    ):
        files["blades.json"] = b" " * 15_000_000
        path = write(tmp_path / "evil.blades", files.items(), method)
        monkeypatch.setattr(zipfile.ZipFile, "read", None)
        refuse(path, "is compressed")

    @pytest.mark.parametrize("name", ["blades.json", "tensors.safetensors"])
    def test_a_member_that_claims_to_be_large(self, name, pipeline_file, tmp_path):
        raw = bytearray(pipeline_file.read_bytes())
        entry = raw.rindex(name.encode()) - 46  # in the directory at the file's end
        claimed = (1 << 31).to_bytes(4, "little")
        raw[entry + 20 : entry + 28] = claimed + claimed
        (tmp_path / "evil.blades").write_bytes(raw)
        refuse(tmp_path / "evil.blades", "has 2147483648 bytes|claims more bytes")

    def test_a_locked_member(self, pipeline_file, tmp_path):
        raw = bytearray(pipeline_file.read_bytes())
        raw[raw.rindex(b"tensors.safetensors") - 46 + 8] |= 1
        (tmp_path / "evil.blades").write_bytes(raw)
        refuse(tmp_path / "evil.blades", "password|encrypted")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda raw: raw[:-8], "safetensors|[Mm]etadata|[Ii]ncomplete"),
            (lambda raw: raw[:4], "[Hh]eader"),
            (lambda raw: b"\xff" * 8 + raw[8:], "[Hh]eader"),
            (lambda raw: raw.replace(b'"F64"', b'"F63"', 1), "F63"),
            (lambda raw: raw.replace(b'"F64"', b'"F32"', 1), "[Tt]ensor|[Oo]ffset"),
            (lambda raw: pickle.dumps([1]), "[Hh]eader"),
        ],
    )
    def test_tensors(self, change, message, files, tmp_path):
        files["tensors.safetensors"] = change(files["tensors.safetensors"])
        refuse(write(tmp_path / "evil.blades", files.items()), message)

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            load(tmp_path / "none.blades")


class Bomb:
    def __reduce__(self):
        return open, ("ran", "w")


def test_code_in_a_file_is_not_run(pipeline_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the file's code would leave its trace
    bomb = pickle.dumps(Bomb())
    files = members(pipeline_file)
    buffer = io.BytesIO()
    torch.save({"weights": Bomb()}, buffer)
    for name, raw in (("tensors.safetensors", bomb), ("blades.json", bomb), ("data.pkl", bomb)):
        refuse(write(tmp_path / "evil.blades", {**files, name: raw}.items()), "no model")
    for raw in (bomb, buffer.getvalue()):
        (tmp_path / "evil.blades").write_bytes(raw)
        refuse(tmp_path / "evil.blades", "no model")
    for name in ("builtins.open", "open", "sklearn_blades.storage.plain_data.Path", "Bomb", "Path"):

        def call(content, tensors, name=name):
            parts = {"file": "ran", "mode": "w"}
            find(content, "PCA").update(object=name, parts=parts)

        refuse(tampered(pipeline_file, tmp_path, call), "no class")
    assert not (tmp_path / "ran").exists()
    pickle.loads(bomb).close()
    assert (tmp_path / "ran").exists()  # it would have


def in_dict(cls, part, key, value):
    def change(content, tensors):
        found = find(content, cls)["parts"]
        found[part] = change_item(found[part], key, value)

    return change


def with_infinity(array):
    array.flat[-1] = np.inf
    return array


def forget_weight(content, tensors):
    found = find(content, "JointEmbedding")["parts"]["weights"]["dict"]
    pair = next(pair for pair in found if pair[0].endswith("conv1.weight"))
    found.remove(pair)
    del tensors[pair[1]["array"]]


TOWERS = {
    "NaN": (tensor("visual.conv1.weight", with_nan), "visual.conv1.weight holds NaN"),
    "infinity": (tensor("visual.bn1.running_var", with_infinity), "running_var holds NaN or inf"),
    "a weight": (tensor("visual.conv1.weight", lambda a: a + 1), "contradict"),
    "a shape": (tensor("visual.conv1.weight", lambda a: a[:, :, :1]), "does not fit.*conv1.weight"),
    "a type": (tensor("visual.conv1.weight", lambda a: a.astype("f8")), "float64.*should be"),
    "a weight lacks": (forget_weight, "conv1.weight.*absent and should be"),
    "a huge tower": (parts("JointEmbedding", architecture="ViT-bigG-14"), "does not fit ViT-bigG"),
    "no tower": (parts("JointEmbedding", architecture="ViT-Z"), "'ViT-Z' is unknown"),
    "a folder": (parts("JointEmbedding", architecture="local-dir:/"), "the towers' architecture"),
    "a part lacks": (parts("JointEmbedding", quick_gelu=None), "quick_gelu"),
    "a part too many": (parts("JointEmbedding", evil=1), "evil"),
    "no prompts": (parts("JointEmbedding", prompts={"tuple": []}), "prompt_features"),
    "other prompts": (
        parts("JointEmbedding", prompts={"tuple": list(map(str, range(20)))}), "prompt_features"),
    "prompts of numbers": (parts("JointEmbedding", prompts={"tuple": [1]}), "the towers' prompts"),
    "huge images": (in_dict("JointEmbedding", "preprocessing", "image_size", 10**6), "towers' pre"),
    "no deviation": (
        in_dict("JointEmbedding", "preprocessing", "std", {"tuple": [0.1, 0.1, 0.0]}),
        "the towers' preprocessing"),
    "a digest": (parts("BladesEncoder", digest_="0" * 64), "BladesEncoder contradict"),
    "a precision": (parts("BladesEncoder", precision_="float8"), "BladesEncoder contradict"),
    "a number of features": (parts("BladesEncoder", _n_features_out=10**12), "contradict"),
    "no towers": (parts("BladesEncoder", embedding_="x"), "the embedding_ of BladesEncoder"),
    "a task": (parts("OrdinalTag", tag="Evil"), "'Evil' is not one of the EXIF tags"),
    "a task too many": (parts("Manipulated", evil=1), "evil"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), TOWERS.values(), ids=TOWERS)
def test_towers_that_were_tampered_with(change, message, encoder_file, tmp_path):
    load(encoder_file)
    refuse(tampered(encoder_file, tmp_path, change), message)


def test_another_version_of_scikit_learn(pipeline_file, tmp_path):
    def older(content, tensors):
        content["versions"]["scikit-learn"] = "1.5.0"
        find(content, "PCA")["parts"]["retired"] = "deprecated"  # a parameter of that version

    path = tampered(pipeline_file, tmp_path, older)
    with pytest.warns(InconsistentVersionWarning, match="Pipeline from version 1.5.0") as caught:
        again = load(path)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert_array_equal(again.score_samples(X), load(pipeline_file).score_samples(X))


def test_an_empty_weight_takes_no_memory(tmp_path):
    path = tmp_path / "model.blades"
    save(BladesBinary(max_epochs=1, random_state=0).fit(X, X[:, 0] > 0), path)

    def empty(content, tensors):
        name = next(name for name in tensors if name.endswith("0.weight"))
        tensors[name] = np.zeros((10**12, 0), dtype=np.float32)

    refuse(tampered(path, tmp_path, empty), r"is empty, of shape \(1000000000000, 0\)")
