"""Photographs become training views: pixels and every task's truth about them."""

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ...photos.manipulations import UNTOUCHED
from ...photos.publishing import published
from .batches import PhotoBatches
from .plan import ViewPlan


class ViewDataset(Dataset):
    """The views of photographs.

    Indexed by ``(epoch, index, labelled)``. All randomness depends on epoch, index and seed, so
    that any number of workers makes the same views.

    Parameters
    ----------
    crops : Crops
    targets : Targets
    plan : ViewPlan
    seed : int
    """

    def __init__(self, crops, targets, *, plan=None, seed):
        self.crops, self.targets = crops, targets
        self.plan, self.seed = plan or ViewPlan(), seed

    def __len__(self):
        return len(self.targets)

    @property
    def views_per_photo(self):
        return 2 if self.plan.paired else 1

    def __getitem__(self, key):
        *key, labelled = key
        rng = np.random.default_rng([self.seed, *key])
        index = key[1]
        crop = self.crops[index]
        hows = self.targets.hows
        how = 1 + int(rng.integers(len(hows) - 1))
        if self.plan.paired:
            views = self._pair(hows[how], crop, key)
            truths = self.targets.of_pair(index, how, labelled=labelled)
        else:
            how = 0 if rng.random() < 0.5 else how
            views = (self._apply(hows[how], crop, self._rng(key)),)
            truths = (self.targets.of(index, how, labelled=labelled),)
        if self.plan.augment:
            views = [published(view, self._rng(key, 2)) for view in views]
        return list(zip(views, truths, strict=True))

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
        return how.apply(crop.pixels, crop.face, rng, resampled=self.plan.resampled)


def collate(photos):
    """Stack the views of several photographs.

    Returns
    -------
    pixels : Tensor of uint8, shape (n_views, h, w, 3)
    targets : dict of task name to Tensor with n_views rows
        int64 where the targets are whole numbers, else float32.
    """
    pixels, targets = zip(*(view for photo in photos for view in photo), strict=True)
    stacked = {
        name: torch.from_numpy(np.stack([target[name] for target in targets]))
        for name in targets[0]
    }
    return torch.from_numpy(np.stack(pixels)), {
        name: value if value.is_floating_point() else value.long()
        for name, value in stacked.items()
    }


def view_loader(
    dataset, *, batch_size, exif_fraction=1.0, n_workers=0, pin_memory=False, share=slice(None)
):
    """Load a share of batches of about ``batch_size`` views, in ``n_workers`` processes.

    Views are drawn by seed, epoch and photograph alone. What a loader draws for its workers comes
    from a generator of its own, so that towers that draw at random draw the same in any case.
    """
    size = max(1, batch_size // dataset.views_per_photo)
    known = dataset.targets.known
    batches = PhotoBatches(known, size, exif_fraction=exif_fraction, seed=dataset.seed, share=share)
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=collate,
        num_workers=n_workers,
        persistent_workers=n_workers > 0,
        pin_memory=pin_memory,
        generator=torch.Generator(),
    )


def end_workers(*loaders):
    """Stop the processes of loaders now; None has none.

    torch does so when a loader is deleted. One that is found as garbage waits five seconds for each
    worker, and one whose loop broke off lives as long as the error's traceback.
    """
    for loader in loaders:
        iterator = getattr(loader, "_iterator", None)  # only that of workers that persist is kept
        if iterator is not None:
            iterator._shutdown_workers()


def endless(loader, first_epoch, skip=0):
    """Batches of one epoch after another, from a place in the first on."""
    passes, skip = divmod(skip, len(loader))
    loader.batch_sampler.epoch, loader.batch_sampler.skip = first_epoch + passes, skip
    while True:
        yield from loader
