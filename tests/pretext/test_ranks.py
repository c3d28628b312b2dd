"""Several ranks that fit together: what one process learns, and what becomes of them in trouble."""

import io
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
import traceback
import warnings
from contextlib import redirect_stdout
from datetime import timedelta
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch

from sklearn_blades import BladesEncoder
from sklearn_blades.ground import ranks
from sklearn_blades.ground.launch import joined
from sklearn_blades.photos import crops
from sklearn_blades.pretext import CategoricalTag, Manipulated, OrdinalTag
from sklearn_blades.pretext.training import pretrain, runs
from sklearn_blades.pretext.training.loop import BilevelNet
from sklearn_blades.towers import embedding
from sklearn_blades.towers.embedding import JointEmbedding

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="ranks are forked here, to spare imports"),
    pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded"),
]

SECONDS = 60  # then ranks that wait for each other are ended
VIT = "a-vision-transformer-without-batchnorm"


def free_port():
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        return there.getsockname()[1]


def in_ranks(n, work):
    """What ``work(rank)`` returns in ``n`` ranks; the signal that ended it where it was killed."""
    port, pipes, pids = free_port(), [], []
    for rank in range(n):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            _work(work, rank, n, port, writing)
        os.close(writing)
        pipes.append(reading)
        pids.append(pid)
    watch = threading.Timer(SECONDS, lambda: [os.kill(pid, signal.SIGKILL) for pid in pids])
    watch.start()
    results = [_result(pipe) for pipe in pipes]
    watch.cancel()
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    return [end if end else result for end, result in zip(ends, results, strict=True)]


def _work(work, rank, n, port, writing):
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(n)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    try:
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(work(rank), pipe)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _result(pipe):
    with os.fdopen(pipe, "rb") as file:
        sent = file.read()
    return pickle.loads(sent) if sent else None


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    register_vit(tmp_path_factory.mktemp("configs"))


def register_vit(folder):
    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    vision = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}
    config = Path(folder) / f"{VIT}.json"
    config.write_text(json.dumps({"embed_dim": 32, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(config)


HOW = {
    "face_locator": "whole",
    "image_size": 32,
    "tasks": [OrdinalTag("ISOSpeedRatings"), CategoricalTag("Make"), Manipulated()],
    "batch_size": 12,
    "outer_fraction": 0.25,
    "freeze_text": True,
    "random_state": 0,
    "verbose": 0,
}
N = 23  # 17 to learn from, in batches of 6, 6 and 5: no number of ranks has equal shares


class Recorded(BilevelNet):
    """Keeps how long each gradient was: AdamW would hide that it is some number too long."""

    def train_step(self, batch, **params):
        taken = super().train_step(batch, **params)
        gradients = [p.grad.norm() for p in self.module_.parameters() if p.grad is not None]
        self.norms_ = [*getattr(self, "norms_", []), torch.stack(gradients).norm().item()]
        return taken

    def fit(self, *args):
        super().fit(*args)
        self.found.append(self)
        return self


def in_float64(*args, **how):
    return JointEmbedding(*args, **how).double()


def fitted(paths, n=N, net=Recorded, **params):
    """What a fit came to, as plain data; towers without BatchNorm are in float64."""
    net.found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrain, "BilevelNet", net)
        if params.get("architecture") == VIT:
            patch.setattr(embedding, "JointEmbedding", in_float64)
        encoder = BladesEncoder(**HOW | params).fit(paths[:n])
    return {
        "state": {name: value.numpy() for name, value in encoder.embedding_.state_dict().items()},
        "weights": np.array([*encoder.task_weights_.values()]),
        "losses": np.array([[*row["losses"].values()] for row in encoder.history_]),
        "outer": np.array([row["outer_loss"] for row in encoder.history_]),
        "norms": np.array(net.found[0].norms_[-2:]),
    }


def assert_equal(one, other, **tolerance):
    for part in ("weights", "losses", "outer", "norms"):
        np.testing.assert_allclose(one[part], other[part], **tolerance)
    assert one["state"].keys() == other["state"].keys()
    for name, value in one["state"].items():
        np.testing.assert_allclose(value, other["state"][name], **tolerance, err_msg=name)


EXACT = {"architecture": VIT, "max_epochs": 2, "freeze_text": False}


@pytest.fixture(scope="module")
def alone(vit, photos):
    """What one process learns in float64."""
    return fitted(photos, **EXACT)


def test_two_ranks_learn_what_one_process_learns(alone, photos):
    one, other = in_ranks(2, lambda rank: fitted(photos, **EXACT))
    assert_equal(one, other, rtol=0, atol=0)
    assert_equal(one, alone, rtol=1e-5, atol=1e-8)


def test_a_rank_that_is_killed_ends_the_run_and_any_number_goes_on(alone, photos, tmp_path):
    def cut_off(rank):
        class Killed(Recorded):
            def train_step(self, batch, **params):
                if rank == 1 and self.schedule_.last_epoch == 4:  # the second step of the second
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().train_step(batch, **params)

        runs.SAVE_SECONDS = 0  # so after each step
        try:
            fitted(photos, net=Killed, **EXACT, checkpoint_dir=str(tmp_path / "2"))
        except ConnectionError as error:
            return str(error)

    said, end = in_ranks(2, cut_off)
    assert end == -signal.SIGKILL
    assert said.startswith("Rank 0 of 2 lost another rank (")
    assert "It ended, was killed, or" in said
    assert f"The checkpoint of epoch 1 is in {tmp_path / '2'}" in said
    assert said.endswith("The same fit goes on from there, with any number of ranks.")

    def go_on(folder):
        steps = []

        class Counted(Recorded):
            def train_step(self, batch, **params):
                steps.append(self.schedule_.last_epoch)
                return super().train_step(batch, **params)

        return fitted(photos, net=Counted, **EXACT, checkpoint_dir=folder), steps

    shutil.copytree(tmp_path / "2", tmp_path / "3")
    for made, taken in [go_on(tmp_path / "2"), *in_ranks(3, lambda rank: go_on(tmp_path / "3"))]:
        assert taken == [4, 5]
        assert_equal(made, alone, rtol=1e-5, atol=1e-8)


class Doubtful(Manipulated):
    def learn(self, exifs):
        warnings.warn("a doubt", stacklevel=1)
        return self


def counted(photos, **params):
    """`fitted` on 24 photographs, its first running mean, and what it cut and said."""
    cut, kept, said, face_crop = [], [], io.StringIO(), crops.face_crop

    class Watched(Recorded):
        def train_step(self, batch, **params):
            super().train_step(batch, **params)
            kept.append(self.module_.towers.visual.bn1.running_mean.numpy().copy())

    def counting(*args, **how):
        cut.append(1)
        return face_crop(*args, **how)

    with (
        pytest.MonkeyPatch.context() as patch,
        warnings.catch_warnings(record=True) as heard,
        redirect_stdout(said),
    ):
        patch.setattr(crops, "face_crop", counting)
        warnings.simplefilter("always")
        made = fitted(photos, n=24, net=Watched, tasks=[Doubtful()], verbose=1, **params)
    return made, kept[0], len(cut), said.getvalue().count("epoch "), [str(w.message) for w in heard]


def test_two_ranks_with_batchnorm_that_torchrun_began(photos, tmp_path):
    run = ["torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}"]
    command = [sys.executable, "-m", *run, __file__, "counted", tmp_path, *photos[:24]]
    subprocess.run(command, check=True, timeout=100)
    (one, kept, *did), (other, other_kept, *other_did) = (
        pickle.loads((tmp_path / str(rank)).read_bytes()) for rank in range(2)
    )
    # They stay together to the last bit, on the seed of rank 0.
    assert_equal(one, other, rtol=0, atol=0)
    # BatchNorm keeps the mean of what they saw: after one step with 3 photographs a rank, all 6.
    whole = counted(photos, max_epochs=1, random_state=np.random.RandomState(0))[1]
    for mean in (kept, other_kept):
        np.testing.assert_allclose(mean, whole, rtol=1e-4, atol=1e-6)
    # Rank 0 alone cuts, prints and warns.
    assert did == [24, 1, ["a doubt"]]
    assert other_did == [0, 0, []]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_two_ranks_that_talk_through_nccl(alone, photos, tmp_path):
    # It refuses two ranks on one card, unless it takes them for two machines.
    port, begun = free_port(), []
    for rank in "01":
        env = {"RANK": rank, "LOCAL_RANK": "0", "WORLD_SIZE": "2", "NCCL_HOSTID": rank}
        env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        env |= {"NCCL_SOCKET_IFNAME": "lo", "GLOO_SOCKET_IFNAME": "lo"}
        command = [sys.executable, __file__, "on_cards", tmp_path, *photos[:N]]
        begun.append(subprocess.Popen(command, env=os.environ | env))
    try:
        assert [rank.wait(timeout=SECONDS) for rank in begun] == [0, 0]
    finally:
        for rank in begun:
            rank.kill()
    one, other = (pickle.loads((tmp_path / rank).read_bytes()) for rank in "01")
    assert_equal(one, other, rtol=0, atol=0)
    assert_equal(one, alone, rtol=1e-5, atol=1e-8)


def test_ranks_that_differ_end_with_one_sentence(photos, tmp_path):
    missing = [*photos[:5], str(tmp_path / "gone.jpg"), *photos[5:N]]

    def work(rank):
        said = []
        for paths, params in [
            (photos, {"batch_size": 12 + 4 * rank}),
            (photos[rank:], {}),
            (photos, {"batch_size": 2}),
            (missing, {}),
        ]:
            try:
                fitted(paths, max_epochs=1, **params)
            except ValueError as error:
                said.append(f"{type(error).__name__}: {error}")
        return said

    said, others = in_ranks(2, work)
    assert said == others
    assert said[0].startswith("ValueError: batch_size: 16 on rank 1, but 12 on rank 0. Every rank")
    assert said[1].startswith("ValueError: photographs: 23 (fingerprint ")
    assert said[2].startswith("ValueError: A batch of 1 photograph cannot be dealt to 2 ranks:")
    assert said[3].startswith(f"PhotoError: {tmp_path / 'gone.jpg'}: ")


def is_alone():
    with joined(torch.device("cpu")) as together:
        return together is ranks.ALONE


def test_threads_and_workers_of_a_rank_are_no_ranks():
    def work(rank):
        with joined(torch.device("cpu")) as together:
            found = [together.size == 2 and together.rank == rank]
            thread = threading.Thread(target=lambda: found.append(is_alone()))
            thread.start()
            thread.join()
            with multiprocessing.get_context("fork").Pool(1) as pool:
                found.append(pool.apply(is_alone))
        with multiprocessing.get_context("fork").Pool(1) as pool:
            found.append(pool.apply(is_alone))
        return found

    assert in_ranks(2, work) == [[True] * 4] * 2
    assert is_alone()


def test_a_group_that_is_there_serves_and_stays():
    def work(rank):
        torch.distributed.init_process_group("gloo")
        with joined(torch.device("cpu")) as together:
            found = together.all(rank)
        torch.distributed.barrier()
        return found

    assert in_ranks(2, work) == [[0, 1]] * 2


def test_a_rank_that_fails_and_lives_on_is_not_waited_for():
    ended, end = os.pipe()

    def work(rank):
        try:
            with joined(torch.device("cpu")) as together:
                if rank == 1:
                    raise MemoryError
                together.all("hello")
        except (MemoryError, ConnectionError) as error:  # whose traceback holds the group
            heard = os.read(ended, 1) if rank == 1 else os.write(end, b"!")
            return str(error), heard

    (said, _), (_, heard) = in_ranks(2, work)
    assert said.startswith("Rank 0 of 2 lost another rank (")
    assert heard == b"!"


def test_a_rank_that_does_not_answer_is_not_waited_for_endlessly(monkeypatch):
    monkeypatch.setattr(ranks, "TIMEOUT", timedelta(seconds=1))
    ended, end = os.pipe()

    def work(rank):
        with joined(torch.device("cpu")) as together:
            if rank == 1:
                return os.read(ended, 1)
            try:
                together.all("hello")
            except ConnectionError as error:
                os.write(end, b"!")
                return str(error)

    said, heard = in_ranks(2, work)
    assert said.startswith("Rank 0 of 2 lost another rank (")
    assert heard == b"!"


def on_cards(folder, paths):
    """What a rank learns in float64 on its card."""
    register_vit(folder)
    return fitted(paths, **EXACT, device="cuda")


if __name__ == "__main__":  # a rank of its own; counted with another seed than the others
    how, folder, *paths = sys.argv[1:]
    rank = os.environ["RANK"]
    if how == "counted":
        seed = np.random.RandomState(int(rank))
        made = counted(paths, max_epochs=1, random_state=seed)
    else:
        made = on_cards(folder, paths)
    Path(folder, rank).write_bytes(pickle.dumps(made))
