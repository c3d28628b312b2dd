"""Saved models with one thing changed, all well but for that."""

import json
import zipfile

import numpy as np
import pytest
from safetensors import numpy as safetensors

from sklearn_blades.persistence import load


def find(node, name):
    """The first node of a class, from the top."""
    if isinstance(node, dict) and node.get("object") == name:
        return node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return next(filter(None, (find(child, name) for child in children)), None)


def change_item(node, key, value):
    """A dict's node with another value."""
    return {"dict": [[k, value if k == key else v] for k, v in node["dict"]]}


def members(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def write(path, files, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, raw in files:
            file.writestr(name, raw)
    return path


def tampered(path, folder, change):
    """A copy of a file, all well but for ``change(content, tensors)``."""
    files = members(path)
    content = json.loads(files["blades.json"])
    tensors = {k: v.copy() for k, v in safetensors.load(files["tensors.safetensors"]).items()}
    change(content, tensors)
    raw = json.dumps(content), safetensors.save(tensors)
    return write(folder / "evil.blades", zip(files, raw, strict=True))


def refuse(path, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def parts(name, **changes):
    """Change parts of the first object of a class; None takes one out."""

    def change(content, tensors):
        found = find(content, name)["parts"]
        for key, value in changes.items():
            found.pop(key) if value is None else found.update({key: value})

    return change


def tensor(ending, make):
    def change(content, tensors):
        name = next(name for name in tensors if name.endswith(ending))
        tensors[name] = np.ascontiguousarray(make(tensors[name]))

    return change
