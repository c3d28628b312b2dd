"""Fitted objects on their way to workers: of all towers only the side that sees images."""

import io
from collections import ChainMap

from .embedding import JointEmbedding, from_saved

try:  # it comes with joblib: since 1.6 as a package of its own
    from cloudpickle import CloudPickler
except ImportError:
    from joblib.externals.cloudpickle import CloudPickler


def packed(fitted: object) -> bytes:
    """A pickle for workers that answer and do not learn, such as `ground.cluster.spread` sends.

    Functions of the caller's own script, such as a locator, are in it as they are. Text towers
    are not: the features of their prompts stand in for them.

    Parameters
    ----------
    fitted : object
        An encoder, a detector, or what holds them; it stays as it is.
    """
    file = io.BytesIO()
    _Packer(file).dump(fitted)
    return file.getvalue()


def _without_text(embedding):
    return from_saved, (embedding.saved(text=False),)


class _Packer(CloudPickler):
    dispatch_table = ChainMap({JointEmbedding: _without_text}, CloudPickler.dispatch_table)
