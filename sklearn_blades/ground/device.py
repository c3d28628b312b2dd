"""Where the arithmetic runs, and how precisely."""

from contextlib import contextmanager, nullcontext

import torch

from .launch import own_card

PRECISIONS = ("float32", "bfloat16")


def resolve_device(device="auto"):
    """Turn ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` ... into a usable ``torch.device``.

    ``"auto"`` is the first CUDA device where there is one, else the CPU. Of a process that torchrun
    started ``"auto"`` and ``"cuda"`` are its own card.

    Raises
    ------
    ValueError
        If the name is no device that computes, or the device is not on this machine.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    resolved = parse_device(device)
    if resolved.type == "cpu":
        return resolved
    n_devices = _kinds()[resolved.type].device_count()
    if resolved.type == "cuda" and resolved.index is None:
        card = own_card()
        if card is not None and 0 < n_devices <= card:
            raise ValueError(
                f"Rank {card} of this machine wants a card for itself, but it shows {n_devices}: "
                f"start {n_devices} ranks (--nproc-per-node={n_devices}), or use device='cpu'."
            )
        resolved = torch.device("cuda", card)
    if (resolved.index or 0) >= n_devices:
        raise ValueError(
            f"device={device!r}: this machine shows {n_devices} {resolved.type.upper()} devices; "
            "use device='auto' or device='cpu'."
        )
    return resolved


def parse_device(device):
    """The ``torch.device`` of a name, on this machine or not.

    Raises
    ------
    ValueError
        If the name is no device of torch, or one that only stands for others, as ``"meta"`` does.
    """
    try:
        named = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={device!r} is not a device; use 'auto', 'cpu' or 'cuda'."
        ) from error
    if named.type not in _kinds():
        raise ValueError(f"device={device!r} does not compute here; use 'auto', 'cpu' or 'cuda'.")
    return named


def _kinds():
    """Where this torch can compute, and what counts the devices of each kind."""
    named = {kind: getattr(torch, kind, None) for kind in ("cpu", "cuda", "mps", "xpu")}
    return {kind: place for kind, place in named.items() if hasattr(place, "device_count")}


def resolve_precision(precision, device):
    """The precision that ``precision`` means on ``device``: ``"float32"`` or ``"bfloat16"``.

    ``"auto"`` is float32 everywhere: features in bfloat16 under a mixture fitted in float32 move
    its false alarms far from the promise, so lower precision is only ever the user's own choice.
    """
    if precision == "auto":
        return "float32"
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r}; use 'auto', 'float32' or 'bfloat16'.")
    return precision


def autocast(device, precision):
    """The context in which a tower's forward pass runs."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)


def random_state(device):
    """The states of torch's generators that a computation on ``device`` draws from.

    None while the computation is recorded as a CUDA graph: nothing is drawn in one, nor may the
    generator be asked.
    """
    states = [torch.get_rng_state()]
    if torch.device(device).type == "cuda":
        if torch.cuda.is_current_stream_capturing():
            return []
        states.append(torch.cuda.get_rng_state(device))
    return states


def set_random_state(states, device):
    """Put back what `random_state` took; what it took on a CPU says nothing of a GPU."""
    if not states:
        return
    torch.set_rng_state(states[0].cpu())
    if torch.device(device).type == "cuda" and len(states) > 1:
        torch.cuda.set_rng_state(states[1].cpu(), device)


@contextmanager
def replayed(states, device):
    """Draw inside what was drawn from ``states`` on; outside nothing has been drawn."""
    outside = random_state(device)
    set_random_state(states, device)
    try:
        yield
    finally:
        set_random_state(outside, device)


@contextmanager
def full_precision(device):
    """Multiply float32 in float32: an accelerator's TF32 keeps 10 bits, too few for differences."""
    if torch.device(device).type != "cuda":
        yield
        return
    products, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions
