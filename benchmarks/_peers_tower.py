"""The image tower that all libraries get: EfficientNet-Lite0 of timm with ImageNet's weights."""

import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config

NAME = "tf_efficientnet_lite0"
N_FACES = 32  # of a batch, as in the libraries


def timm_tower(weights):
    """The tower of timm, without its classifier, with weights from a file of `write_weights`."""
    tower = timm.create_model(NAME, pretrained=False, num_classes=0)
    tower.load_state_dict(torch.load(weights, weights_only=True))
    return tower.eval()


def write_weights(path):
    """Write the weights of the package that ``pretrained="imagenet"`` takes, in timm's names."""
    from sklearn_blades.towers.lite import find_lite, timm_names
    from sklearn_blades.towers.trunks import blocks_of

    state = torch.load(find_lite(NAME), weights_only=True)
    wanted = timm.create_model(NAME, pretrained=False, num_classes=0).state_dict()
    state = timm_names(state, blocks_of(wanted))
    torch.save({name: state[name] for name in wanted if name in state}, path)


class Pooled:
    """Photographs in, pooled features out, as one writes it with timm.

    Parameters
    ----------
    weights : str
        File of `write_weights`.
    keeps : bool, default=False
        Remember features by path, so that another fit does not wait for them.
    """

    def __init__(self, weights, keeps=False):
        self.tower = timm_tower(weights)
        settings = resolve_data_config(self.tower.pretrained_cfg) | {"crop_pct": 1.0}
        self.transform = create_transform(**settings)
        self.kept = {} if keeps else None

    def __call__(self, photographs):
        """Features, array of shape (n_photographs, 1280)."""
        photographs = list(photographs)
        if self.kept is None:
            return self._asked(photographs).numpy()
        new = [path for path in photographs if path not in self.kept]
        self.kept.update(zip(new, self._asked(new), strict=True))
        return torch.stack([self.kept[path] for path in photographs]).numpy()

    def _asked(self, photographs):
        batches = [photographs[i : i + N_FACES] for i in range(0, len(photographs), N_FACES)]
        found = [torch.empty(0, self.tower.num_features)]
        with torch.inference_mode():
            for batch in batches:
                found.append(self.tower(torch.stack([self._pixels(path) for path in batch])))
        return torch.cat(found)

    def _pixels(self, path):
        with Image.open(path) as image:
            return self.transform(image.convert("RGB"))


def embedder(job):
    """The `Pooled` of a job, built once."""
    if "embed" not in job:
        job["embed"] = Pooled(job["weights"], job["keeps"])
    return job["embed"]
