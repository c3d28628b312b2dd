"""Train the learned generators of `make_photos` on the simulator's own photographs.

``python -m benchmarks.train_generators --out weights`` makes the photographs, trains a painter
(the decoder of an autoencoder), a variational autoencoder and a diffusion model in the painter's
plans, and writes ``vae.safetensors``, ``diffusion.safetensors`` and sheets of samples. With
``--painter diffusion.safetensors`` the painter is taken from there, and the variational autoencoder
alone is trained: half an hour on one CPU core.

The package ships the diffusion that ``--device cuda --minutes 2 --photographs 16000`` gave on an
NVIDIA H200, and the autoencoder that ``--painter`` (that diffusion), ``--minutes 26
--photographs 4000`` gave on one CPU core. Everything is drawn from seeds, but how many steps fit
into the minutes depends on the machine: a second run gives the like, not the same. No detector is
asked anything here. The people in the training photographs are nobody's: they come from
`TRAINING_SEED` and the seeds below it, which no ``random_state`` of a numpy generator reaches.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from PIL import Image
from safetensors.torch import load_file, save_file

from sklearn_blades.datasets.simulator import make_photos
from sklearn_blades.datasets.simulator.networks import (
    GRAINS,
    N_SOURCES,
    PLAN,
    SIDE,
    VAE,
    Denoiser,
    Diffusion,
    Painter,
    signal_and_noise,
)

from ._course import BATCH, Course, Studio
from ._critics import (
    Critic,
    Encoder,
    Recogniser,
    as_loud,
    critic_loss,
    judged,
    normal_loss,
    picture_loss,
    sampled,
)

TRAINING_SEED = 2**64 - 1
SOURCES = ("first", "second")
SHARES = {"painter": 0.35, "vae": 0.35, "diffusion": 0.3}  # of the minutes

# Photographs


def training_photographs(n, folder, n_jobs):
    """Half of each source, all of different people: pictures (n, 3, 192, 192) and sources (n,).

    The pictures are scaled to the side that the networks paint.
    """
    path, n_each = Path(folder) / "photographs.npy", 100
    n = max(N_SOURCES, n // n_each) * n_each  # of each source some
    np.lib.format.open_memmap(path, "w+", np.uint8, (n, 3, SIDE, SIDE)).flush()
    Parallel(n_jobs=n_jobs)(
        delayed(_some_photographs)(path, chunk, n_each) for chunk in range(n // n_each)
    )
    sources = np.repeat(np.arange(n // n_each) % N_SOURCES, n_each)
    return np.load(path, mmap_mode="r"), sources


def _some_photographs(path, chunk, n):
    pictures = np.load(path, mmap_mode="r+")
    source = SOURCES[chunk % N_SOURCES]
    with tempfile.TemporaryDirectory() as folder:
        made = make_photos(n, folder, source=source, random_state=TRAINING_SEED - chunk)
        for index, photograph in enumerate(made, start=chunk * n):
            with Image.open(photograph) as image:
                image = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
                pictures[index] = np.asarray(image).transpose(2, 0, 1)
    pictures.flush()


# Training


def learn_to_paint(studio, seconds):
    """An autoencoder on crops, with a critic; returns the encoder and a painter for its plans."""
    print("painter", flush=True)
    nets = torch.nn.ModuleDict({"encoder": Encoder(), "painter": Painter()}).to(studio.device)
    critic = Critic().to(studio.device)
    course, other = Course(seconds, nets), Course(seconds, critic, lr=5e-4)
    for done in course:
        other.n_steps, other.done = course.n_steps, done
        crops = studio.crops(4 * studio.batch)
        with studio.half():
            mean, log_variance = nets["encoder"](crops)
            painted = nets["painter"](sampled(mean, log_variance), studio.grains(len(crops), 2))
            verdict, likeness = judged(critic, painted, crops)
        alike = picture_loss(painted.float(), crops) + likeness
        spread = normal_loss(mean.float(), log_variance.float())
        strength = min(1, done / 0.2)  # a critic that knows nothing yet only misleads
        passing = -strength * as_loud(verdict, alike, nets["painter"]) * verdict
        course.step(alike + 1e-3 * spread + passing, alike=alike, spread=spread)
        with studio.half():
            loss = critic_loss(critic(crops)[0], critic(painted.detach())[0])
        other.step(loss, critic=loss)
    return course.averages["encoder"], course.averages["painter"]


def painter_of(path):
    """The painter in a file of weights, which does not learn any more."""
    known = {name: value for name, value in load_file(path).items() if name.startswith("painter.")}
    painter = Painter()
    painter.load_state_dict({name.removeprefix("painter."): v for name, v in known.items()})
    return painter.requires_grad_(False)


@torch.no_grad()
def plans_of(studio, encoder, painter, scaled=True):
    """Standardised plans of all photographs; with ``scaled`` the painter is told their scale."""
    rows = torch.arange(len(studio.pictures), device=studio.device)
    plans = torch.cat([encoder(studio.photographs(some))[0] for some in rows.split(64)])
    if scaled:
        painter.mean.copy_(plans.mean(dim=(0, 2, 3)).reshape(-1, 1, 1))
        painter.deviation.copy_(plans.std(dim=(0, 2, 3)).reshape(-1, 1, 1))
    return (plans - painter.mean) / painter.deviation


def learn_to_look(studio, painter, seconds):
    """An encoder whose plans a painter, which stays as it is, makes the pictures of again."""
    print("encoder", flush=True)
    course = Course(seconds, Encoder().to(studio.device))
    for _ in course:
        crops = studio.crops(2 * studio.batch)
        with studio.half():
            mean, log_variance = course.networks(crops)
            plan = (mean - painter.mean) / painter.deviation
            painted = painter(plan, studio.grains(len(crops), 2))
        alike = picture_loss(painted.float(), crops)
        spread = normal_loss(mean.float(), log_variance.float())
        course.step(alike + 1e-3 * spread, alike=alike)
    return course.averages


def learn_to_dream(studio, plans, painter, seconds):
    """The variational autoencoder of plans, and how the vectors of photographs are spread."""
    print("vae", flush=True)
    vae = VAE().to(studio.device)
    vae.painter.load_state_dict(painter.state_dict())
    nets = torch.nn.ModuleDict({"dreamer": vae.dreamer, "recogniser": Recogniser()})
    course = Course(seconds, nets.to(studio.device))
    for _ in course:
        rows = studio.some(8 * studio.batch)
        with studio.half():
            mean, log_variance = nets["recogniser"](plans[rows])
            dreamt = nets["dreamer"](sampled(mean, log_variance), studio.sources[rows])
        loss = (dreamt.float() - plans[rows]).square().mean()
        spread = normal_loss(mean.float(), log_variance.float())
        course.step(loss + 0.01 * spread, plan=loss, spread=spread)
    vae.dreamer.load_state_dict(course.averages["dreamer"].state_dict())
    with torch.no_grad():
        parts = [course.averages["recogniser"](part) for part in plans.split(64)]
        means, variances = (torch.cat(each).float() for each in zip(*parts, strict=True))
        for source in range(N_SOURCES):
            own = studio.sources[:, source] > 0
            covariance = means[own].T.cov() + variances[own].exp().mean(dim=0).diag()
            vae.mean[source] = means[own].mean(dim=0)
            vae.spread[source] = torch.linalg.cholesky(covariance)
    return vae


def learn_to_denoise(studio, plans, painter, seconds):
    """Diffusion of plans: the velocity at a random time."""
    print("diffusion", flush=True)
    course = Course(seconds, Denoiser().to(studio.device))
    for _ in course:
        rows = studio.some(8 * studio.batch)
        plan, noise = plans[rows], torch.randn(len(rows), *PLAN, device=studio.device)
        when = torch.rand(len(rows), device=studio.device)
        signal, share = (part[:, None, None, None] for part in signal_and_noise(when))
        with studio.half():
            said = course.networks(signal * plan + share * noise, when, studio.sources[rows])
        loss = (said.float() - (signal * noise - share * plan)).square().mean()
        course.step(loss, velocity=loss)
    diffusion = Diffusion().to(studio.device)
    diffusion.denoiser.load_state_dict(course.averages.state_dict())
    diffusion.painter.load_state_dict(painter.state_dict())
    return diffusion


# Results


@torch.no_grad()
def sheet(network, path, n=32):
    """A picture of samples, half of each source."""
    random = torch.Generator().manual_seed(0)
    start = torch.randn(n, *network.START, generator=random)
    grains = [torch.randn(n, *shape, generator=random) for shape in GRAINS]
    source = torch.eye(N_SOURCES).repeat_interleave(n // N_SOURCES, dim=0)
    save_sheet(network(start, source, grains), path)


def save_sheet(pictures, path):
    """Pictures in [-1, 1] of shape (n, 3, side, side), eight in a row, as PNG."""
    pixels = (127.5 * (pictures + 1)).clamp(0, 255).byte().unflatten(0, (-1, 8))
    pixels = pixels.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    Image.fromarray(pixels.numpy()).save(path)


def keep(network, folder, name):
    """Write the weights in half precision, and a sheet of what they paint."""
    network = network.cpu().half()
    tensors = {key: value.contiguous() for key, value in network.state_dict().items()}
    save_file(tensors, folder / f"{name}.safetensors")
    sheet(network.float(), folder / f"{name}.png")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and sheets")
    parser.add_argument("--device", choices=BATCH, default="cpu")
    parser.add_argument("--minutes", type=float, default=60.0, help="of training")
    parser.add_argument("--photographs", type=int, default=6000)
    parser.add_argument("--painter", type=Path, help="weights with a painter to go on with")
    parser.add_argument("--jobs", type=int, default=-1, help="processes that make photographs")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True  # the shapes of a stage do not change
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        made = training_photographs(options.photographs, folder, options.jobs)
        studio = Studio(*made, options.device)
    print(f"{len(studio.pictures)} photographs: {time.perf_counter() - start:.0f} s", flush=True)
    seconds = {name: 60 * options.minutes * share for name, share in SHARES.items()}
    if options.painter is None:
        encoder, painter = learn_to_paint(studio, seconds["painter"])
        plans = plans_of(studio, encoder, painter)
        diffusion = learn_to_denoise(studio, plans, painter, seconds["diffusion"])
        keep(diffusion, options.out, "diffusion")
    else:
        painter = painter_of(options.painter).to(studio.device)
        encoder = learn_to_look(studio, painter, seconds["painter"] + seconds["diffusion"] / 2)
        seconds["vae"] += seconds["diffusion"] / 2
        plans = plans_of(studio, encoder, painter, scaled=False)
    with torch.no_grad():
        again = painter(plans[:32], studio.grains(32)).float()
    save_sheet(again.cpu(), options.out / "painted_again.png")
    keep(learn_to_dream(studio, plans, painter, seconds["vae"]), options.out, "vae")
    print(f"{time.perf_counter() - start:.0f} s in all", flush=True)


if __name__ == "__main__":
    main()
