"""The loop that learns: AdamW on the towers inside, Adam on the task weights outside."""

import json
import time

import torch
from skorch import NeuralNet
from torch.func import functional_call
from torch.optim.lr_scheduler import LambdaLR

from ...ground.device import autocast, full_precision, random_state, replayed, set_random_state
from ...ground.ranks import ALONE
from ..bilevel import TaskWeights, adam_metric, hypergradient
from ..rates import rate_factor
from . import runs
from .graphs import Recorded
from .health import Records, check_epoch, check_together, epoch_means
from .views import end_workers, endless, view_loader


class BilevelNet(NeuralNet):
    """Pretrain a `JointEmbedding` on several tasks while learning their weights.

    The equations are in docs/method.md, section 5.

    ``module_`` is the embedding and ``criterion_`` the `TaskWeights`; ``fit`` takes a
    `ViewDataset`. A skorch callback that sets ``stop_`` ends the training after its epoch.

    Parameters
    ----------
    module : JointEmbedding
    tasks : TaskSet
    primary : str
        The task whose loss on the outer photographs the weights serve.
    weighting : str or dict
        See `TaskWeights`.
    outer : ViewDataset, optional
        Photographs held out from the inner problem; needed where weights are learned.
    outer_interval : int, default=1
        Learn the weights at every so many steps.
    look_ahead : {"sgd", "adamw"}, default="sgd"
        The virtual step: along the gradient, or as AdamW scales it.
    weight_lr : float
        Adam's rate on the task weights.
    warmup : float
        Share of the steps in which AdamW's rate rises; see `rate_factor`.
    exif_fraction : float
        See `PhotoBatches`.
    precision : {"float32", "bfloat16"}
    n_workers : int
    run : Run, optional
        Saves here, and goes on from here where it was cut off.
    seed : int, optional
        Kept with the checkpoints, for a fit that was not given one.
    ranks : Ranks, optional
        The processes that learn together; each sees its share of every batch.
    """

    def __init__(
        self,
        module,
        *,
        tasks,
        primary,
        weighting="bilevel",
        outer=None,
        outer_interval=1,
        look_ahead="sgd",
        weight_lr=3e-4,
        warmup=0.0,
        exif_fraction=0.25,
        precision="float32",
        n_workers=0,
        run=None,
        seed=None,
        ranks=ALONE,
        **kwargs,
    ):
        self.tasks, self.primary, self.weighting = tasks, primary, weighting
        self.outer, self.outer_interval, self.weight_lr = outer, outer_interval, weight_lr
        self.look_ahead = look_ahead
        self.warmup, self.exif_fraction = warmup, exif_fraction
        self.precision, self.n_workers = precision, n_workers
        self.run, self.seed, self.ranks = run, seed, ranks
        super().__init__(
            module,
            criterion=TaskWeights,
            criterion__names=tasks.names,
            criterion__weighting=weighting,
            optimizer=torch.optim.AdamW,
            optimizer__fused=True,
            train_split=None,
            callbacks__print_log=None,
            callbacks__train_loss=None,
            **kwargs,
        )

    # What skorch asks for -------------------------------------------------------------------

    def initialize_optimizer(self, *args, **kwargs):
        trainable = [(n, p) for n, p in self.module_.named_parameters() if p.requires_grad]
        args, kwargs = self.get_params_for_optimizer("optimizer", trainable)
        self.optimizer_ = self.optimizer(*args, **kwargs)
        if self.criterion_.learned:
            self.weight_optimizer_ = torch.optim.Adam(
                self.criterion_.parameters(), lr=self.weight_lr, fused=True
            )
        self.recorded_ = Recorded(self.module_) if self._may_be_recorded() else None
        return self

    def _may_be_recorded(self):
        """Ranks wait for each other inside a step, and what a user's task does is not known."""
        ours, *_ = __name__.partition(".")
        own = all(type(task).__module__.partition(".")[0] == ours for task in self.tasks)
        return torch.device(self.device).type == "cuda" and self.ranks.size == 1 and own

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        # skorch ends a run quietly at Ctrl-C; half-trained towers must not pass for fitted ones.
        self.notify("on_train_begin", X=X, y=y)
        self.fit_loop(X, y)
        self.notify("on_train_end", X=X, y=y)
        return self

    def get_iterator(self, dataset, training=False):
        return view_loader(
            dataset,
            batch_size=self.batch_size,
            exif_fraction=self.exif_fraction if training else 1.0,
            n_workers=self.n_workers,
            pin_memory=torch.device(self.device).type == "cuda",
            share=self.ranks.share,
        )

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        loader = self.get_iterator(X, training=True)
        self.n_steps_ = n_steps = max(1, self.max_epochs * len(loader))
        warmup = self.warmup  # a function that knew the net would keep it, and its memory, alive
        self.schedule_ = LambdaLR(
            self.optimizer_, lambda step: rate_factor(step, n_steps, warmup=warmup)
        )
        self.outer_loader_ = self.get_iterator(self.outer) if self.criterion_.learned else None
        self.stop_, self.records_ = False, Records(len(loader))
        self._resume()
        check_together(self)
        try:
            for epoch in range(len(self.history), self.max_epochs):
                self._run_epoch(loader, epoch, X)
                if self.ranks.once(lambda: self.stop_):
                    break
        finally:
            end_workers(loader, self.outer_loader_)
            self.outer_loader_ = self.outer_batches_ = None
            # Gradients are as large as the towers, which are kept; a recording is larger.
            self.recorded_ = None
            self.module_.zero_grad()
        return self

    def _run_epoch(self, loader, epoch, X):
        self.notify("on_epoch_begin", dataset_train=X, dataset_valid=None)
        self._begin_epoch(loader, epoch)
        self.saved_ = time.monotonic()
        self.run_single_epoch(loader, training=True, prefix="train", step_fn=self.train_step)
        self.notify("on_epoch_end", dataset_train=X, dataset_valid=None)
        self.records_ = Records(len(loader))
        check_together(self)
        self._save()

    def _begin_epoch(self, loader, epoch):
        """Set both loaders to where the epoch stands: at its start, but for a resumed one."""
        n_done, step = len(self.records_), self.schedule_.last_epoch
        loader.batch_sampler.epoch, loader.batch_sampler.skip = epoch, n_done
        if not self.ranks.first:  # else towers that draw at random draw alike on all of them
            torch.manual_seed(hash((self.seed, epoch, self.ranks.rank)))
        if self.outer_loader_ is not None:
            until, before = (-(-s // self.outer_interval) for s in (step, step - n_done))
            self.outer_batches_ = endless(self.outer_loader_, epoch << 16, until - before)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        # skorch's reads the loss of every batch into its history: an accelerator would wait at
        # each, and the history of a long run would outgrow its towers.
        for batch in iterator:
            step_fn(batch, **fit_params)
            self.notify("on_batch_end", batch=batch, training=training)
            if self.run is not None and time.monotonic() - self.saved_ > runs.SAVE_SECONDS:
                self._save()
                self.saved_ = time.monotonic()

    def train_step(self, batch, **fit_params):
        inner, outer = self._on_device(batch), None
        if self.criterion_.learned and self.schedule_.last_epoch % self.outer_interval == 0:
            outer = self._on_device(next(self.outer_batches_))
        self._set_training(True)
        self.optimizer_.zero_grad()
        lr = float(self.optimizer_.param_groups[0]["lr"])
        if self.recorded_ is None:
            *record, slopes = self._gradients(inner, outer, lr)
        else:
            *record, slopes = self.recorded_(self._gradients, inner, outer, lr)
        if outer is not None:
            self._learn_weights(slopes)
        self.records_.append(record)
        self.optimizer_.step()
        self.schedule_.step()
        loss, losses, *_ = record
        return {"loss": loss, "y_pred": losses}

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        super().on_epoch_end(net, dataset_train, dataset_valid, **kwargs)
        row = epoch_means(self.records_, self.tasks.names, self.criterion_.values.detach().tolist())
        row["lr"] = self.schedule_.get_last_lr()[0]
        check_epoch(row, self)  # before it is saved
        for name, value in row.items():
            self.history.record(name, value)

    # One step -------------------------------------------------------------------------------

    def _gradients(self, inner, outer, lr):
        """All that a step computes before anything moves; the towers keep their gradients.

        Returns
        -------
        tuple of Tensor
            The loss, those of the tasks, how many views each was asked about, the outer loss, and
            its slopes along the task weights: NaN where there is no outer batch.
        """
        pixels, targets, whole = inner
        drawn = random_state(self.device)
        with autocast(self.device, self.precision):
            logits = self.module_(pixels)
        losses = self.tasks.losses(whole(logits), targets)
        loss = self.criterion_(losses)
        loss.backward()
        self._average()
        loss, losses = loss.detach(), losses.detach()
        outer_loss, slopes = torch.full_like(loss, torch.nan), torch.full_like(losses, torch.nan)
        if outer is not None:
            result = self._look_ahead(inner, outer, lr, losses, drawn)
            # The common factor lr would only push Adam's input towards its epsilon
            # (docs/method.md, section 5).
            outer_loss, slopes = result.outer_loss, result.weights / lr
        return loss, losses, self.tasks.counts(targets), outer_loss, slopes

    def _average(self):
        """Gradients, and what BatchNorm keeps for later, become the means over the ranks."""
        if self.ranks.size == 1:
            return
        kept = {name: p.grad for name, p in self.module_.named_parameters() if p.grad is not None}
        running = ("running_mean", "running_var")
        kept |= {n: b for n, b in self.module_.named_buffers() if n.endswith(running)}
        for name, mean in self.ranks.mean(kept).items():
            kept[name].copy_(mean)

    def _look_ahead(self, inner, outer, lr, losses, drawn):
        """The hypergradient; the inner pass is the training step's own."""
        pixels, targets, whole = inner
        outer_pixels, outer_targets, outer_whole = outer
        # Parameters that no task uses have no gradient: they stand still, ahead and after.
        named = {n: p for n, p in self.module_.named_parameters() if p.grad is not None}

        def logits_at(params, *inputs):
            # Each call has its own copy of the buffers: BatchNorm must not count a look ahead. And
            # float32 whatever the precision: a difference quotient would drown in bfloat16.
            buffers = {name: value.clone() for name, value in self.module_.named_buffers()}
            return functional_call(self.module_, {**params, **buffers}, inputs)

        def inner_losses(params):
            # Towers that drop paths at random drop those of the training step, on both sides of
            # the difference: else it measures the draw.
            with replayed(drawn, self.device):
                return self.tasks.losses(whole(logits_at(params, pixels)), targets)

        # The outer loss is one task's: the prompts of the others need not be read for it.
        primary, columns = self.tasks[self.primary], self.tasks.slices[self.primary]
        target = outer_targets[self.primary]

        def primary_loss(params):
            return primary.loss(outer_whole(logits_at(params, outer_pixels, columns)), target)

        with full_precision(self.device):
            return hypergradient(
                inner_losses,
                primary_loss,
                named,
                self.criterion_.values,
                lr=lr,
                method="central",  # in forward mode no generator can be set back
                inner_step=(losses, {name: p.grad for name, p in named.items()}),
                metric=adam_metric(self.optimizer_, named) if self.look_ahead == "adamw" else None,
                reduce=self.ranks.mean,
            )

    def _learn_weights(self, slopes):
        """One step of Adam on lambda."""
        self.weight_optimizer_.zero_grad()
        values = self.criterion_.values
        values.backward(slopes.to(values.dtype))
        self.weight_optimizer_.step()

    def _on_device(self, batch):
        """Pixels of this rank, targets of all, and what gathers the logits of all."""
        pixels, targets = batch
        targets, whole = self.ranks.meet(targets)
        # From pinned memory, while the accelerator still computes.
        move = {"device": self.device, "non_blocking": True}
        targets = {name: value.to(**move) for name, value in targets.items()}
        return pixels.to(**move), targets, whole

    # Checkpoints ----------------------------------------------------------------------------

    def _state(self):
        parts = ["module_", "criterion_", "optimizer_", "schedule_"]
        parts += ["weight_optimizer_"] if self.criterion_.learned else []
        return {part: getattr(self, part) for part in parts}

    def _save(self):
        if self.run is None or not self.ranks.first:
            return
        done = [row for row in self.history if "train_loss" in row]  # not the epoch under way
        self.run.save(
            {
                "states": {part: owner.state_dict() for part, owner in self._state().items()},
                "history": json.dumps(done, default=float),
                # A copy: of a part torch would save all, with what stood in memory before.
                "records": None if self.records_.table is None else self.records_.table.clone(),
                "random": [state.cpu() for state in random_state(self.device)],
                "seed": self.seed,
            }
        )

    def _resume(self):
        if self.run is None:
            return
        where = self.device if self.ranks.size == 1 else "cpu"  # rank 0's card is only its own
        content = self.ranks.once(lambda: self.run.load(where))
        if content is None:
            return
        for part, owner in self._state().items():
            owner.load_state_dict(content["states"][part])
        self.history.extend(json.loads(content["history"]))
        if content["records"] is not None:
            self.records_.extend(content["records"].to(self.device))
        set_random_state(content["random"], self.device)
