"""Objects as trees of plain data: JSON for what they are made of, arrays beside it, no code."""

import math
from pathlib import Path, PurePath

import numpy as np

# Of all arrays of strings in one tree, in which each string is as long as the longest: 40 MB.
_MOST_LETTERS = 10_000_000
_LONGEST_EMPTY = 1_000_000  # an array without a number may claim any shape, and costs no bytes


def to_tree(value, describe):
    """Take an object apart.

    Parameters
    ----------
    value : object
    describe : callable
        Says what an object is that is no plain data: from the object and its place (a tuple of
        names and numbers) to its name and a dict of its parts. Raises where it does not know.

    Returns
    -------
    tree : what JSON can hold, without NaN and infinity
    arrays : dict of str to ndarray, C-contiguous, to which the tree refers by name

    Examples
    --------
    >>> tree, arrays = to_tree({"offset": -math.inf, "means": np.zeros((2, 3))}, None)
    >>> tree
    {'dict': [['offset', {'float': '-inf'}], ['means', {'array': '0 means', 'order': 'C'}]]}
    >>> from_tree(tree, arrays, None)["means"].shape
    (2, 3)
    """
    writer = _Writer(describe)
    return writer.node(value, ()), writer.arrays


def from_tree(tree, arrays, build):
    """Put an object together again.

    Parameters
    ----------
    tree, arrays
        Of `to_tree`. Each array is taken out of ``arrays`` when it is used, so none is used twice.
    build : callable
        From a name and a dict of parts to the object; raises where it does not know the name.

    Raises
    ------
    ValueError, TypeError, KeyError or RecursionError
        If the tree is none of `to_tree`.
    """
    return _Reader(arrays, build).value(tree)


def spell(place):
    """A place within an object as one would type it.

    >>> spell(("steps", 0, 1, "random_state"))
    'steps[0][1].random_state'
    """
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".")


class _Writer:
    def __init__(self, describe):
        self.describe, self.arrays, self.letters = describe, {}, _Letters()
        self._known = {}  # id -> number and object; the object, so that no other gets its id

    def node(self, value, place):
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is list:
            return self._nodes(value, place)
        if kind is tuple:
            return {"tuple": self._nodes(value, place)}
        if kind is dict:
            keys = self._nodes(value, place)
            values = [self.node(item, (*place, str(key))) for key, item in value.items()]
            return {"dict": [list(pair) for pair in zip(keys, values, strict=True)]}
        if isinstance(value, PurePath):
            return {"path": str(value)}
        if isinstance(value, np.generic):  # not a float: with float32 arrays it counts otherwise
            return {"scalar": self.node(np.asarray(value), place)}
        if kind in (np.ndarray, np.memmap) and (node := self._array(value, place)):
            return node
        return self._object(value, place)

    def _nodes(self, values, place):
        return [self.node(value, (*place, i)) for i, value in enumerate(values)]

    def _array(self, array, place):
        if array.dtype.kind in "biuf" and array.dtype.itemsize <= 8:
            name = f"{len(self.arrays)} {spell(place)}"
            self.arrays[name] = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
            # The order decides how BLAS sums, and so the last bit of a score.
            return {"array": name, "order": "F" if array.flags.fnc else "C"}
        if array.dtype.kind == "U" and array.ndim < 2:
            self.letters.spend(array.size * (array.dtype.itemsize // 4))
            return {"strings": array.tolist()}
        if array.dtype.kind == "O" and array.ndim == 1:
            return {"objects": self._nodes(array, place)}
        return None

    def _object(self, value, place):
        if id(value) in self._known:
            return {"same": self._known[id(value)][0]}
        name, parts = self.describe(value, place)
        number = len(self._known)
        self._known[id(value)] = number, value
        parts = {key: self.node(part, (*place, key)) for key, part in parts.items()}
        return {"object": name, "number": number, "parts": parts}


class _Reader:
    def __init__(self, arrays, build):
        self.arrays, self.build, self._known = arrays, build, {}
        self.letters = _Letters()

    def value(self, node):
        match node:
            case None | bool() | int() | float() | str():
                return node
            case list():
                return [self.value(item) for item in node]
            case {"tuple": list(items)}:
                return tuple(self.value(items))
            case {"dict": list(pairs)}:
                return {self.value(key): self.value(item) for key, item in pairs}
            case {"float": "nan" | "inf" | "-inf" as text}:
                return float(text)
            case {"path": str(text)}:
                return Path(text)
            case {"scalar": dict(inner)}:
                return self.value(inner)[()]
            case {"array": str(name), "order": "C" | "F" as order}:
                if name not in self.arrays:
                    raise ValueError(f"its tensor {name!r} is not there, or used already.")
                array = self.arrays.pop(name)
                if not array.size and max(array.shape) > _LONGEST_EMPTY:
                    raise ValueError(f"its tensor {name!r} is empty, of shape {array.shape}.")
                return np.array(array, order=order)
            case {"strings": list() | str() as words}:
                return self._strings(words)
            case {"objects": list(items)}:
                return np.fromiter(map(self.value, items), dtype=object, count=len(items))
            case {"object": str(name), "number": int(number), "parts": dict(parts)}:
                parts = {key: self.value(part) for key, part in parts.items()}
                made = self._known[number] = self.build(name, parts)
                return made
            case {"same": int(number)}:
                return self._known[number]
        raise ValueError(f"a {type(node).__name__} in its tree has no meaning: {node!r:.60}")

    def _strings(self, words):
        listed = [words] if isinstance(words, str) else words
        if not all(isinstance(word, str) for word in listed):
            raise ValueError("an array of strings holds other things.")
        self.letters.spend(len(listed) * max(map(len, listed), default=0))
        return np.array(words, dtype=str)


class _Letters:
    """What arrays of strings may still hold."""

    def __init__(self):
        self.left = _MOST_LETTERS

    def spend(self, letters):
        self.left -= letters
        if self.left < 0:
            raise ValueError(
                f"its arrays of strings take more than {_MOST_LETTERS} letters; an array of "
                "Python strings (dtype=object) takes what they have."
            )
