"""Photographs become training views: pixels and every task's truth about them."""

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ...photos.degradations import degraded
from ...photos.manipulations import MANIPULATIONS, UNTOUCHED
from ..tasks import View


class ViewDataset(Dataset):
    """The views of photographs.

    Indexed by ``(epoch, index)``, on which, with the seed, all randomness depends: any number of
    workers makes the same views.

    Parameters
    ----------
    crops : sequence of FaceCrop
    exifs : sequence of mapping
    tasks : TaskSet
    paired : bool
        Each photograph gives an untouched view and a manipulated one, into the same batch
        (METHOD 4). Otherwise it gives one view, untouched half of the time.
    seed : int
    resampled : bool, default=True
        All views, the untouched ones too, pass through one interpolation (METHOD 7). False only
        to see what happens when manipulations betray themselves by it.
    augment : bool, default=False
        Send the views through random compression, blur or scaling, those of a pair alike.
    """

    def __init__(self, crops, exifs, tasks, *, paired, seed, resampled=True, augment=False):
        self.crops, self.exifs, self.tasks = crops, exifs, tasks
        self.paired, self.seed, self.resampled, self.augment = paired, seed, resampled, augment

    def __len__(self):
        return len(self.exifs)

    @property
    def views_per_photo(self):
        return 2 if self.paired else 1

    @property
    def has_exif(self):
        return np.array([bool(exif) for exif in self.exifs], dtype=bool)

    def __getitem__(self, key):
        epoch, index = key
        rng = np.random.default_rng([self.seed, epoch, index])
        crop, exif = self.crops[index], self.exifs[index]
        manipulated = MANIPULATIONS[rng.integers(len(MANIPULATIONS))]
        if self.paired:
            chosen, views = (UNTOUCHED, manipulated), self._pair(manipulated, crop, key)
        else:
            chosen = (UNTOUCHED if rng.random() < 0.5 else manipulated,)
            views = (self._apply(chosen[0], crop, self._rng(key)),)
        if self.augment:
            views = [degraded(view, self._rng(key, 2)) for view in views]
        targets = (self.tasks.targets(View(exif, how)) for how in chosen)
        return list(zip(views, targets, strict=True))

    def _pair(self, how, crop, key):
        """An untouched view and a manipulated one: nothing but the manipulation sets them apart.

        Generators in the same state send both through the same small map.
        """
        rng = self._rng(key)
        untouched = self._apply(UNTOUCHED, crop, rng)
        if how.edit is None:
            return untouched, self._apply(how, crop, self._rng(key))
        return untouched, how.edit(untouched, crop.face, rng)

    def _rng(self, key, stream=1):
        return np.random.default_rng([self.seed, *key, stream])

    def _apply(self, how, crop, rng):
        return how.apply(crop.pixels, crop.face, rng, resampled=self.resampled)


def collate(photos):
    """Stack the views of several photographs.

    Returns
    -------
    pixels : Tensor of uint8, shape (n_views, h, w, 3)
    targets : dict of task name to Tensor with n_views rows
        int64 where the targets are whole numbers, else float32.
    """
    pixels, targets = zip(*(view for photo in photos for view in photo), strict=True)
    stacked = {name: torch.tensor([target[name] for target in targets]) for name in targets[0]}
    return torch.from_numpy(np.stack(pixels)), {
        name: value.float() if value.is_floating_point() else value
        for name, value in stacked.items()
    }


class PhotoBatches:
    """Deal the photographs into batches, anew each epoch, as lists of ``(epoch, index)``.

    Every photograph without EXIF comes once an epoch. Those with EXIF are spread evenly over the
    batches, and where there are more than their share, a different part of them comes each epoch.

    Parameters
    ----------
    has_exif : array of bool, shape (n,)
    size : int
        Photographs per batch, at most.
    exif_fraction : float
        Largest share of photographs with EXIF in a batch (METHOD 4); it does not bind where no
        photograph lacks EXIF.
    seed : int

    Attributes
    ----------
    epoch : int
        The next epoch to deal; set it to start elsewhere.
    """

    def __init__(self, has_exif, size, *, exif_fraction, seed):
        self.with_exif, self.others = np.flatnonzero(has_exif), np.flatnonzero(~has_exif)
        self.size, self.seed, self.epoch = size, seed, 0
        self.exif_fraction = exif_fraction if len(self.others) else 1.0

    def __len__(self):
        used = min(len(self.with_exif), self._room(len(self.others))) + len(self.others)
        return max(1, -(-used // self.size))

    def _room(self, n_others):
        """How many photographs with EXIF may stand beside ``n_others`` without."""
        if self.exif_fraction == 1:
            return len(self.with_exif)
        # Tiny batches still take one.
        return max(1, int(n_others * self.exif_fraction / (1 - self.exif_fraction) + 1e-9))

    def __iter__(self):
        epoch, self.epoch = self.epoch, self.epoch + 1
        rng = np.random.default_rng([self.seed, epoch])
        others = np.array_split(rng.permutation(self.others), len(self))
        # Reversed, so that the longer parts of the one meet the shorter parts of the other.
        with_exif = np.array_split(rng.permutation(self.with_exif), len(self))[::-1]
        for plain, told in zip(others, with_exif, strict=True):
            batch = np.concatenate([plain, told[: self._room(len(plain))]])
            if len(batch):
                yield [(epoch, int(index)) for index in batch]


def view_loader(dataset, *, batch_size, exif_fraction=1.0, n_workers=0, pin_memory=False):
    """Load batches of about ``batch_size`` views, in ``n_workers`` processes."""
    size = max(1, batch_size // dataset.views_per_photo)
    batches = PhotoBatches(dataset.has_exif, size, exif_fraction=exif_fraction, seed=dataset.seed)
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=collate,
        num_workers=n_workers,
        persistent_workers=n_workers > 0,
        pin_memory=pin_memory,
    )
