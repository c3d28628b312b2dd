"""Two towers on a sphere; weights from files, refused by name where they do not fit."""

import logging
import pickle
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import interpolate, normalize
from torchvision.models import resnet50

from sklearn_blades import BladesEncoder
from sklearn_blades.photos.records import open_photo
from sklearn_blades.towers import architectures
from sklearn_blades.towers.embedding import JointEmbedding
from sklearn_blades.towers.openclip import tokenize

PROMPTS = ("a photo of a photographic face", "a photo of a manipulated face", "short")


def pixels(n, size, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (n, size, size, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return JointEmbedding("blades-tiny", PROMPTS).eval()


@torch.no_grad()
def test_logits_are_scaled_products_of_unit_vectors(tiny):
    images, texts = tiny.encode_image(pixels(2, 96)), tiny.encode_prompts()
    assert images.shape == (2, 128)
    torch.testing.assert_close(images.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(3))
    scale = tiny.towers.logit_scale.exp()
    bias = tiny.towers.logit_bias  # of this architecture only
    torch.testing.assert_close(tiny(pixels(2, 96)), scale * images @ texts.T + bias)


@torch.no_grad()
def test_prompts_cut_to_the_longest_have_the_features_of_77_tokens(tiny):
    import open_clip

    text = JointEmbedding("blades-tiny").towers.text  # its mask is the full one
    text.load_state_dict(tiny.towers.text.state_dict())
    tokens = open_clip.SimpleTokenizer()(list(PROMPTS))
    assert tokens.shape[1] == 77
    assert tiny.tokens.shape[1] == 9  # start, seven words, end
    torch.testing.assert_close(normalize(text(tokens), dim=1), tiny.encode_prompts())


@torch.no_grad()
def test_frozen_text_is_embedded_once():
    embedding = JointEmbedding("blades-tiny", PROMPTS, freeze_text=True)
    assert not any(p.requires_grad for p in embedding.towers.text.parameters())
    assert embedding.encode_prompts().data_ptr() == embedding.encode_prompts().data_ptr()
    before = embedding.encode_prompts()
    embedding.set_prompts(PROMPTS[::-1])
    torch.testing.assert_close(embedding.encode_prompts(), before.flip(0))


@torch.no_grad()
@pytest.mark.parametrize("freeze_text", [False, True])
def test_some_prompts_are_those_among_all(freeze_text):
    embedding = JointEmbedding("blades-tiny", PROMPTS, freeze_text=freeze_text).eval()
    images, some = pixels(2, 96), slice(1, len(PROMPTS))
    torch.testing.assert_close(embedding.encode_prompts(some), embedding.encode_prompts()[some])
    torch.testing.assert_close(embedding(images, some), embedding(images)[:, some])


@torch.no_grad()
def test_pickle_keeps_every_bit(tiny):
    again = pickle.loads(pickle.dumps(tiny))
    assert torch.equal(again(pixels(2, 96)), tiny(pixels(2, 96)))
    assert again.digest() == tiny.digest()
    assert again.preprocessing == tiny.preprocessing
    assert b"torch" not in pickle.dumps(tiny)  # names and numpy arrays only


@torch.no_grad()
def test_pickle_keeps_the_activation_of_a_tag(tiny, tmp_path, monkeypatch):
    from sklearn_blades.towers import embedding

    state = {name: value.contiguous() for name, value in tiny.towers.state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    weights = architectures.Weights(str(tmp_path / "w.safetensors"), {"quick_gelu": True})
    with monkeypatch.context() as patch:
        patch.setattr(embedding, "find_weights", lambda *args: weights)
        quick = JointEmbedding("blades-tiny", PROMPTS, pretrained="a tag").eval()
    assert not torch.equal(quick.encode_prompts(), tiny.encode_prompts())
    again = pickle.loads(pickle.dumps(quick))
    assert torch.equal(again.encode_prompts(), quick.encode_prompts())


def test_building_says_nothing_and_leaves_the_root_logger_alone(caplog):
    handlers = list(logging.getLogger().handlers)
    JointEmbedding("blades-tiny", PROMPTS)
    assert logging.getLogger().handlers == handlers
    assert not caplog.records


@torch.no_grad()
def test_any_architecture_of_open_clip():
    embedding = JointEmbedding("ViT-S-32-alt", PROMPTS, image_size=64).eval()
    assert embedding(pixels(2, 64)).shape == (2, 3)


def test_an_architecture_with_a_vocabulary_of_its_own_never_gets_that_of_clip(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)  # as where it is not installed
    with pytest.raises(ImportError, match=r"ViT-B-16-SigLIP.*pip install transformers"):
        tokenize("ViT-B-16-SigLIP", PROMPTS)


def test_pixels_are_normalised_as_clip_does_where_weights_say_nothing():
    import open_clip

    assert architectures.CLIP_MEAN == open_clip.OPENAI_DATASET_MEAN
    assert architectures.CLIP_STD == open_clip.OPENAI_DATASET_STD


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_local_weights_load(tiny, tmp_path, suffix):
    state = {name: value.contiguous() for name, value in tiny.towers.state_dict().items()}
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    else:
        save_file(state, path)
    assert JointEmbedding("blades-tiny", pretrained=str(path)).digest() == tiny.digest()


def test_weights_of_an_image_tower_alone_are_enough_for_features(tiny, tmp_path):
    state = tiny.towers.state_dict()
    visual = {k: v.contiguous() for k, v in state.items() if k.startswith("visual.")}
    save_file(visual, tmp_path / "w.safetensors")
    with pytest.warns(UserWarning, match="fills the image tower; .* start random"):
        loaded = JointEmbedding("blades-tiny", pretrained=str(tmp_path / "w.safetensors"))
    assert loaded.digest() == tiny.digest()


class TestRefusals:
    def refuse(self, message, kind=ValueError, **kwargs):
        with pytest.raises(kind, match=message):
            JointEmbedding(**{"architecture": "blades-tiny", **kwargs})

    def test_unknown_architecture(self):
        self.refuse("did you mean 'blades-tiny'", architecture="blades-tyni")

    def test_neither_file_nor_tag(self):
        self.refuse("neither a file nor a tag of blades-tiny; it has no tags", pretrained="openai")

    def test_wrong_tag_lists_the_tags(self):
        self.refuse("its tags: openai", architecture="RN50", pretrained="nope.pt")

    def test_no_network(self, monkeypatch):
        import huggingface_hub.constants

        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        message = "cannot be reached .*give pretrained= a local file"
        self.refuse(message, OSError, architecture="ViT-B-32", pretrained="laion2b_s34b_b79k")

    def test_not_weights(self, tmp_path):
        path = tmp_path / "weights.pt"
        path.write_bytes(b"hello")
        self.refuse(r"weights\.pt is no file of plain weights", pretrained=str(path))

    def test_code_in_a_file_is_not_run(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)  # where the file's code would leave its trace
        torch.save({"state_dict": Bomb()}, tmp_path / "bomb.pt")
        self.refuse("is no file of plain weights", pretrained=str(tmp_path / "bomb.pt"))
        assert not (tmp_path / "ran").exists()

    def test_other_shapes(self, tiny, tmp_path):
        state = {k: v.contiguous() for k, v in tiny.towers.state_dict().items()}
        state["visual.conv1.weight"] = torch.zeros(3, 3, 3, 3)
        save_file(state, tmp_path / "w.safetensors")
        self.refuse("does not fit blades-tiny", pretrained=str(tmp_path / "w.safetensors"))

    @pytest.mark.parametrize("change", ["lacking", "deeper"])
    def test_other_depth(self, tiny, tmp_path, change):
        state = {k: v.contiguous() for k, v in tiny.towers.state_dict().items()}
        if change == "lacking":
            del state["visual.conv1.weight"]
        else:
            state["visual.layer1.1.conv1.weight"] = torch.zeros(1)
        save_file(state, tmp_path / "w.safetensors")
        self.refuse(
            "1 tensors of the image tower are in one", pretrained=str(tmp_path / "w.safetensors")
        )


class Bomb:
    def __reduce__(self):
        return open, ("ran", "w")


class PlainText(nn.Module):
    """CLIP's text transformer and the authors' linear map, written out."""

    def __init__(self, width=512, layers=12, heads=8):
        super().__init__()
        self.token_embedding = nn.Embedding(49408, width)
        self.positional_embedding = nn.Parameter(0.01 * torch.randn(77, width))
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "ln_1": nn.LayerNorm(width),
                    "attn": nn.MultiheadAttention(width, heads, batch_first=True),
                    "ln_2": nn.LayerNorm(width),
                    "mlp": nn.ModuleDict(
                        {
                            "c_fc": nn.Linear(width, 4 * width),
                            "c_proj": nn.Linear(4 * width, width),
                        }
                    ),
                }
            )
            for _ in range(layers)
        )
        self.ln_final = nn.LayerNorm(width)
        self.text_fc = nn.Linear(width, 768)
        self.logit_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, tokens):
        x = self.token_embedding(tokens) + self.positional_embedding
        mask = torch.full((77, 77), float("-inf")).triu(1)
        for block in self.transformer.resblocks:
            y = block["ln_1"](x)
            x = x + block["attn"](y, y, y, attn_mask=mask, need_weights=False)[0]
            y = block["mlp"]["c_fc"](block["ln_2"](x))
            x = x + block["mlp"]["c_proj"](y * torch.sigmoid(1.702 * y))
        return self.text_fc(self.ln_final(x)[torch.arange(len(x)), tokens.argmax(1)])


@pytest.fixture(scope="module")
def authors(tmp_path_factory):
    """A made checkpoint with the release's names and shapes, and the plain networks behind it."""
    torch.manual_seed(0)
    image, text = resnet50(), PlainText()
    image.fc = nn.Linear(2048, 768)
    for name, buffer in image.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    state = {f"model.visual.{k}": v for k, v in image.state_dict().items()}
    state |= {f"model.{k}": v for k, v in text.state_dict().items()}
    path = tmp_path_factory.mktemp("authors") / "checkpoint.pth"
    torch.save({"state_dict": state}, path)
    return image.eval(), text.eval(), str(path)


@torch.no_grad()
def test_authors_checkpoint_gives_the_features_of_a_plain_reconstruction(authors):
    import open_clip

    image, text, path = authors
    embedding = JointEmbedding("blades-rn50", PROMPTS, pretrained=path).eval()
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
    x = pixels(3, 224)
    plain = image((x.permute(0, 3, 1, 2) / 255 - mean) / std)
    torch.testing.assert_close(embedding.encode_image(x), normalize(plain), rtol=1e-4, atol=1e-6)
    plain = text(open_clip.SimpleTokenizer()(list(PROMPTS)))
    torch.testing.assert_close(embedding.encode_prompts(), normalize(plain), rtol=1e-4, atol=1e-6)
    assert embedding.towers.logit_scale.item() == 2.0
    assert not embedding.preprocessing.antialias


@torch.no_grad()
def test_authors_checkpoint_resizes_without_antialias(authors, photos):
    image, _, path = authors
    encoder = BladesEncoder(
        "blades-rn50", pretrained=path, face_locator="whole", max_epochs=0, device="cpu"
    )
    features = encoder.fit(photos[:1]).transform(photos[:1])
    full = torch.from_numpy(np.array(open_photo(photos[0]))).permute(2, 0, 1)[None].float()
    small = interpolate(full, (224, 224), mode="bilinear", align_corners=False, antialias=False)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
    plain = normalize(image((small.round() / 255 - mean) / std))
    np.testing.assert_allclose(features, plain.numpy(), atol=1e-4)


@pytest.fixture(params=["with the last layer", "without"])
def exif_as_language(request, authors, tmp_path):
    """A made ``wrapper_75_new.pth``: the release's image tower beside a text tower of its own."""
    state = {f"model.visual.{k}": v for k, v in authors[0].state_dict().items()}
    if request.param == "without":
        state = {k: v for k, v in state.items() if ".fc." not in k}
    state |= {"model.logit_scale": torch.tensor(9.0)}
    state |= {"model.text_model.embeddings.weight": torch.zeros(30522, 4)}
    state |= {"model.ln_final.weight": torch.zeros(512)}  # a name that our text tower has as well
    path = tmp_path / "wrapper_75_new.pth"
    torch.save({"model": state}, path)
    return authors[0], str(path), request.param == "with the last layer"


@torch.no_grad()
def test_exif_as_language_fills_the_image_tower_alone(exif_as_language):
    image, path, has_head = exif_as_language
    with pytest.warns(UserWarning, match=r"fills the image tower; .*'text\..* start random"):
        embedding = JointEmbedding("blades-rn50", PROMPTS, pretrained=path).eval()
    x = pixels(2, 96)
    images = (x.permute(0, 3, 1, 2) / 255 - embedding.mean) / embedding.std
    assert embedding.preprocessing == architectures.Preprocessing(224)
    assert embedding.head_trained is has_head
    assert embedding.choose_features("auto") == ("embedding" if has_head else "pooled")
    pooled = nn.Sequential(*[*image.children()][:-1], nn.Flatten())(images)
    side = embedding.image_side("pooled")
    torch.testing.assert_close(side.encode_image(x), normalize(pooled), rtol=1e-4, atol=1e-6)
    if has_head:
        plain = normalize(image(images))
        torch.testing.assert_close(embedding.encode_image(x), plain, rtol=1e-4, atol=1e-6)
    assert embedding.towers.logit_scale.item() == pytest.approx(np.log(1 / 0.07))
    assert embedding.towers.text.ln_final.weight.all()


def test_authors_checkpoint_needs_its_own_towers(authors, tmp_path):
    with pytest.raises(ValueError, match="use architecture='blades-rn50'"):
        JointEmbedding("blades-tiny", pretrained=authors[2])
    state = {f"model.visual.{k}": v for k, v in authors[0].state_dict().items()}
    torch.save({"model": state}, tmp_path / "wrapper_75_new.pth")
    with pytest.raises(ValueError, match=r"EXIF-as-Language, .* use architecture='blades-rn50'"):
        JointEmbedding("blades-lite", pretrained=str(tmp_path / "wrapper_75_new.pth"))
