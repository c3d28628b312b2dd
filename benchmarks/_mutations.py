"""Files that are damaged, cut, swapped and rewritten: bytes in, other bytes out, by a seed."""

import io
import json
import struct
import zipfile

WORDS = [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"\xff\xff\xff\x7f"]
CONTENT, TENSORS = "blades.json", "tensors.safetensors"

# What stands in for a value of JSON: numbers at the ends of their types, other types, references.
VALUES = [
    None, True, False, 0, 1, -1, 2, 7, 2**31, 2**63, -(2**63), 10**30, 0.0, -0.0, 0.5, 1e-300,
    1e300,
    "", "a", "auto", "cpu", "cuda", "mps", "meta", "whole",
    "yunet:/elsewhere/yunet.onnx", "../../x",
    "hf-hub:someone/something", "local-dir:/elsewhere", "ViT-B-16-SigLIP", "RN50", "os.system",
    "a" * 10_000, [], [[]], [None], [1, 2, 3], ["a", "b"], {}, {"tuple": []}, {"dict": []},
    {"float": "nan"}, {"float": "inf"}, {"float": "-inf"}, {"path": "/elsewhere"}, {"same": 0},
    {"same": 1}, {"same": 2}, {"same": 10**9}, {"strings": ["a", "b"]}, {"strings": "a" * 1000},
    {"scalar": {"float": "nan"}}, {"object": "PCA", "number": 99, "parts": {}},
    {"object": "JointEmbedding", "number": 99, "parts": {}}, {"object": "eval", "number": 99,
    "parts": {"source": "1"}}, {"array": "0", "order": "C"}, {"objects": [None, 1]},
]  # fmt: skip


def flipped(raw, rng, others):
    """One to eight bytes are other ones."""
    data = bytearray(raw)
    for at in rng.integers(len(data), size=rng.integers(1, 9)):
        data[at] ^= rng.integers(1, 256)
    return bytes(data)


def flipped_at_an_end(raw, rng, others):
    """The same in the first or last kilobyte, where names, sizes and offsets stand."""
    data = bytearray(raw)
    for at in rng.integers(min(1024, len(data)), size=rng.integers(1, 4)):
        data[at if rng.integers(2) else len(data) - 1 - at] ^= 1 << rng.integers(8)
    return bytes(data)


def other_sizes(raw, rng, others):
    """A length or an offset is a huge one, none, or that of somewhere in the file."""
    data = bytearray(raw)
    at = rng.integers(min(1024, max(1, len(data) - 4)))
    at = at if rng.integers(2) else max(0, len(data) - 4 - at)
    words = [*WORDS, struct.pack("<I", rng.integers(len(data)))]
    data[at : at + 4] = words[rng.integers(len(words))]
    return bytes(data)


def cut(raw, rng, others):
    """The end is missing."""
    return raw[: rng.integers(len(raw))]


def lengthened(raw, rng, others):
    """There are further bytes, in the middle or behind."""
    at = len(raw) if rng.integers(2) else rng.integers(len(raw))
    return raw[:at] + rng.bytes(rng.integers(1, 300)) + raw[at:]


def blanked(raw, rng, others):
    """A block of a disk came back as zeros, or as another block."""
    size = min(int(rng.choice([64, 512, 4096])), len(raw) // 2)
    at, source = rng.integers(len(raw) - size, size=2)
    block = bytes(size) if rng.integers(2) else raw[source : source + size]
    return raw[:at] + block + raw[at + size :]


def shortened(raw, rng, others):
    """A few bytes in the middle are missing."""
    at = rng.integers(len(raw))
    return raw[:at] + raw[at + rng.integers(1, 40) :]


def edited(raw, rng, others):
    """The JSON is another one, in one to three places; all checksums are right."""
    files = _members(raw)
    content = json.loads(files[CONTENT])
    for _ in range(rng.integers(1, 4)):
        _edit(content, rng)
    return _zip({**files, CONTENT: json.dumps(content).encode()})


def renumbered(raw, rng, others):
    """The arrays are other ones, in one to eight bytes; all checksums are right."""
    files = _members(raw)
    begin = 8 + int.from_bytes(files[TENSORS][:8], "little")
    body = files[TENSORS][begin:]
    return _zip({**files, TENSORS: files[TENSORS][:begin] + flipped(body, rng, others)})


def retyped(raw, rng, others):
    """What the arrays' table says of types, shapes and offsets is something else."""
    files = _members(raw)
    length = int.from_bytes(files[TENSORS][:8], "little")
    head, body = files[TENSORS][8 : 8 + length].decode(), files[TENSORS][8 + length :]
    table = json.loads(head)
    entry = table[sorted(table)[rng.integers(len(table))]]
    if "shape" in entry:
        change = rng.integers(3)
        if change == 0:
            entry["dtype"] = str(rng.choice(["F64", "F32", "I64", "U8", "BOOL", "F16", "BF16"]))
        elif change == 1 and entry["shape"]:
            entry["shape"][rng.integers(len(entry["shape"]))] = int(rng.choice([0, 1, 3, 10**12]))
        else:
            entry["data_offsets"] = [int(n) for n in rng.integers(len(body) + 9, size=2)]
    head = json.dumps(table).encode()
    return _zip({**files, TENSORS: len(head).to_bytes(8, "little") + head + body})


def swapped(raw, rng, others):
    """Members are another file's, each other, twice there, compressed or called otherwise."""
    files, strange = _members(raw), _members(others[rng.integers(len(others))])
    change = rng.integers(6)
    if change == 0:
        files[CONTENT] = strange[CONTENT]
    elif change == 1:
        files[TENSORS] = strange[TENSORS]
    elif change == 2:
        files = {CONTENT: files[TENSORS], TENSORS: files[CONTENT]}
    elif change == 3:
        files["data.pkl"] = b"\x80\x04cos\nsystem\n."
    elif change == 4:
        return _zip(
            files, [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA][rng.integers(3)]
        )
    else:
        files = {f"../{name}" if rng.integers(2) else name.upper(): files[name] for name in files}
    return _zip(files)


DAMAGE = [flipped, flipped_at_an_end, other_sizes, cut, lengthened, blanked, shortened]
"""What disks, networks and killed programs do."""

FORGERY = [edited, edited, edited, renumbered, retyped, swapped]
"""What takes somebody who writes whole files with other contents."""


def _members(raw):
    with zipfile.ZipFile(io.BytesIO(raw)) as file:
        return {name: file.read(name) for name in file.namelist()}


def _zip(files, method=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, raw in files.items():
            file.writestr(name, raw)
    return buffer.getvalue()


def _edit(content, rng):
    """Change, take out, double or swap a value somewhere in a tree, in place."""
    places = list(_places(content))
    if not places:
        return
    container, key = places[rng.integers(len(places))]
    other, other_key = places[rng.integers(len(places))]
    value, change = container[key], rng.integers(5)
    if change == 0 and isinstance(value, int | float) and not isinstance(value, bool):
        container[key] = value * [-1, 2, 0.5, 1e9][rng.integers(4)] + int(rng.integers(-1, 2))
    elif change == 1:
        del container[key]
    elif change == 2:
        container[key] = json.loads(json.dumps(other[other_key]))
    elif change == 3 and isinstance(container, dict):
        names = [name for place, name in places if isinstance(name, str)]
        container[names[rng.integers(len(names))]] = container.pop(key)
    else:
        container[key] = json.loads(json.dumps(VALUES[rng.integers(len(VALUES))]))


def _places(node):
    """Every (container, key) in a tree."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(items):
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)
