"""I have a face detector of my own: how do its boxes get in, and which face is judged?

    python examples/recipes/own_face_boxes.py [--n 100] [--epochs 6] [--seed 0]

A box is (left, top, right, bottom) in fractions of the upright image, (0, 0) being its top-left
corner. A row of data is one face: a picture with several becomes several rows. n = pictures.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from _simulated import FROM_SCRATCH, command_line, people
from PIL import Image

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.photos import Face, open_photo, read_photos

PLACES = (20, 20, 200), (280, 80, 140)  # left, top and side of the two people in 480 x 240 pixels


def find(image):
    """The faces in an upright PIL image, as boxes in fractions: in the place of your detector.

    Fractions, because the encoder may hand out a smaller copy than the file, to save time.
    """
    edge = (1 - 1 / 1.6) / 2  # each person's square is 1.6 times as wide as the face in it
    scale = image.width / 480
    pixels = [
        np.array([x + edge * a, y + edge * a, x + a - edge * a, y + a - edge * a]) * scale
        for x, y, a in PLACES
    ]
    width, height = image.size
    return [tuple(box / (width, height, width, height)) for box in pixels]


def area(box):
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def every_face(record):
    """One record for each face of a picture."""
    boxes = find(open_photo(record.path))
    return [replace(record, face=Face.from_box(box)) for box in boxes]


def pictures_of_two(name, left, right):
    """Files that show the person of ``left`` and, smaller, that of ``right``."""
    made = []
    for i, pair in enumerate(zip(left, right, strict=True)):
        picture = Image.new("RGB", (480, 240), (120, 130, 140))
        with Image.open(pair[0]) as first, Image.open(pair[1]) as second:
            for person, (x, y, side) in zip((first, second), PLACES, strict=True):
                picture.paste(person.resize((side, side)), (x, y))
            made.append(str(Path(pair[0]).with_name(f"{name}-{i}.jpg")))
            picture.save(made[-1], quality=95, exif=first.getexif())
    return made


def main(folder, n=100, epochs=6, seed=0):
    def pictures(seed, kinds=("first", "first")):
        sides = (people(n, folder, 2 * seed + i, (kind,))[0] for i, kind in enumerate(kinds))
        return pictures_of_two(f"two-{seed}", *sides)

    # Each seed is a set of people: for the encoder, for the head, for the test.
    sets = [pictures(3 * seed), pictures(3 * seed + 1)]
    sets.append(pictures(3 * seed + 2, kinds=("first", "noiseless")))
    # A table holds one face a picture, the one that matters: here the largest. `open_photo` turns
    # the image upright, as EXIF says; boxes of the picture lying on its side would be wrong.
    table = {
        path: max(find(open_photo(path)), key=area) for some_paths in sets for path in some_paths
    }

    # 1. In the rows: records carry their faces, whatever locator there is (but for "whole").
    settings = {**FROM_SCRATCH, "face_locator": "haar", "max_epochs": epochs, "random_state": seed}
    of_encoder, of_head, of_test = (read_photos(paths, faces=table) for paths in sets)
    encoder = BladesEncoder(**settings).fit(of_encoder)
    features = {"records": encoder.transform(of_test)}
    # 2. As a parameter, for rows that are paths. 3. As a function: its largest face counts.
    for name, locator in (("table", table), ("function", find)):
        encoder.set_params(face_locator=locator)
        features[name] = encoder.transform(sets[2])
        error = np.abs(features[name] - features["records"]).max()
        print(f"records and {name}: features differ by {error:.1e} at most")

    # Several faces: one row for each, and one verdict for each.
    head = BladesOneClass(target_fpr=0.1, calibration_fraction=0.4, random_state=seed)
    detector = make_detector(encoder, head).fit(of_head)
    faces = [face for record in of_test for face in every_face(record)]
    flagged = (detector.predict(faces) == -1).reshape(len(of_test), -1).mean(axis=0)
    print(
        f"\nflagged: {flagged[0]:.1%} of left faces (photographs), {flagged[1]:.1%} of right ones"
    )
    return features, faces


if __name__ == "__main__":
    command_line(main, __doc__)
