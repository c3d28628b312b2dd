"""Which photographs meet in a batch, and how many of their EXIF labels count there."""

import numpy as np


class PhotoBatches:
    """Deal the photographs into batches, anew each epoch: every one comes once an epoch.

    A ranking needs two photographs that know the same tag. Where few know any (photographs with
    EXIF are the minority), or few know a certain one (fewer than two a batch), they are dealt
    together, so that they meet.

    Parameters
    ----------
    known : ndarray of bool, shape (n, n_tags)
        Which tags each photograph knows; see `Targets.known`.
    size : int
        Photographs per batch, at most.
    exif_fraction : float
        Largest share of a batch whose EXIF labels count, where photographs with EXIF are the
        minority: at half, the face tasks stalled and the EXIF of those few was learned by heart
        (docs/method.md, section 4). The others in that batch teach the face tasks alone. It does
        not bind where most photographs have EXIF.
    seed : int
    share : slice, default=slice(None)
        The photographs of each batch that are for this rank; see `Ranks.share`. Together the ranks
        see what one process sees.

    Attributes
    ----------
    epoch, skip : int
        The next epoch to deal, and how many of its batches are done already; set them to start
        elsewhere.
    """

    def __init__(self, known, size, *, exif_fraction, seed, share=slice(None)):
        self.n, self.size, self.seed, self.share = len(known), size, seed, share
        self.epoch, self.skip = 0, 0
        smallest, n_ranks = self.n // max(1, len(self)), share.step or 1
        if smallest < n_ranks:
            raise ValueError(
                f"A batch of {smallest} photograph{'s' * (smallest != 1)} cannot be dealt to "
                f"{n_ranks} ranks: raise batch_size (or outer_fraction, for those held out), or "
                "start fewer ranks."
            )
        told = known.any(axis=1)
        few = 2 * told.sum() <= self.n
        # Two at least: one alone has nobody to be compared with.
        self.most_labels = min(size, max(2, int(exif_fraction * size + 1e-9))) if few else size
        together = told if few else known[:, known.sum(axis=0) < 2 * len(self)].any(axis=1)
        self.together, self.others = np.flatnonzero(together), np.flatnonzero(~together)
        # Of the tags that a photograph knows, the one that fewest know.
        counts = np.where(known, known.sum(axis=0), self.n + 1)
        self._scarcest = counts.argmin(axis=1) if known.shape[1] else np.zeros(self.n, int)

    def __len__(self):
        return -(-self.n // self.size)

    def __iter__(self):
        """Yield lists of ``(epoch, index, labelled)``, of this rank's share."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        rng = np.random.default_rng([self.seed, epoch])
        clumps, others = self._clumps(rng), rng.permutation(self.others)
        sizes = [len(part) for part in np.array_split(np.arange(self.n), len(self))]
        batches, start = [], 0
        # Both lists have their longest first, so that each clump finds room.
        for size, clump in zip(sizes, clumps + [[]] * (len(sizes) - len(clumps)), strict=True):
            plain = others[start : start + size - len(clump)]
            start += len(plain)
            counts = rng.permutation(len(clump)) < self.most_labels
            told = zip(clump, counts.tolist(), strict=True)
            batches.append(
                [(epoch, int(index), counted) for index, counted in told]
                + [(epoch, int(index), True) for index in plain]
            )
        order, self.skip = rng.permutation(len(batches))[self.skip :], 0
        yield from (batches[place][self.share] for place in order)

    def _clumps(self, rng):
        """Those who should meet, in as few batches as their labels may fill."""
        if not len(self.together):
            return []
        shuffled = rng.permutation(self.together)
        kin = shuffled[np.argsort(self._scarcest[shuffled], kind="stable")]
        # No more than half of a batch where there is no cap: the others want to be mixed in.
        full = min(self.size, max(2, min(self.most_labels, self.size // 2)))
        return np.array_split(kin, min(len(self), -(-len(kin) // full)))
