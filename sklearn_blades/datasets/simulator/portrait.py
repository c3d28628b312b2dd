"""A person as a height field and as colours.

Face coordinates: ``u`` to the right and ``v`` down, in sides of the face box, zero at its centre.
Nothing here knows of light or of cameras.
"""

import numpy as np

from .person import colour

EYE_U, EYE_V, MOUTH_V = 0.20, -0.15, 0.26  # where face_locator="whole" expects them
_BLACK, _WHITE_OF_EYE, _TEETH = colour(0, 0, 0), colour(0.46, 0.43, 0.41), colour(0.6, 0.56, 0.48)


def ramp(x, width):
    """0 below zero and 1 above it, over ``width``: the antialiased edge of a shape."""
    return np.clip(x / width + 0.5, 0, 1)


def _bump(u, v, at_u, at_v, width, height):
    return np.exp(-(((u - at_u) / width) ** 2) - ((v - at_v) / height) ** 2)


def _oval(person, u, v):
    """1 at the centre of the head, 0 on its outline, negative outside; narrower at the jaw."""
    width = person.width * (1 - person.jaw * np.clip(v, 0, 0.6) ** 2)
    return 1 - (u / width) ** 2 - ((v + 0.05) / person.height) ** 2


def _hair_oval(person, u, v):
    """The same for the hair: an oval, and for long hair the curtains below it."""
    oval = 1 - (u / (person.width * 1.14)) ** 2 - ((v + 0.11) / (person.height * 1.08)) ** 2
    return np.maximum(oval, np.minimum(person.width * 1.12 - np.abs(u), v + 0.11))


def relief(person, u, v):
    """Height towards the camera, in box sides: head, nose, sockets, eyeballs, cheeks, lips, chin.

    Parameters
    ----------
    person : Person
    u, v : ndarray of shape (side, side)
        Face coordinates.

    Returns
    -------
    ndarray of shape (side, side)
    """
    turn, head = person.yaw, np.maximum(_oval(person, u, v), 0)
    z = 0.42 * np.sqrt(head)
    middle = 0.10 * turn
    bridge = np.clip((v + 0.19) / (person.nose_tip + 0.19), 0, 1) ** 1.4
    nose = np.exp(-(((u - middle) / person.nose_width) ** 2)) * bridge
    z += person.nose_relief * nose * ramp(person.nose_tip + 0.025 - v, 0.06)
    for side in (-1, 1):
        at = side * EYE_U + 0.05 * turn
        z -= 0.040 * _bump(u, v, at, EYE_V, 0.115, 0.075)
        z += 0.024 * _bump(u, v, at, EYE_V, 0.06, 0.045)
        z += 0.025 * _bump(u, v, side * 0.23 + 0.05 * turn, 0.07, 0.11, 0.09)
        z += 0.012 * person.smile * _bump(u, v, side * 0.2 + 0.06 * turn, 0.17, 0.05, 0.08)
    mouth, lip = 0.07 * turn, person.lip
    z += 0.022 * _bump(u, v, mouth, MOUTH_V - 0.5 * lip, person.mouth_width * 0.8, lip * 0.7)
    z += 0.028 * _bump(u, v, mouth, MOUTH_V + 0.7 * lip, person.mouth_width * 0.7, lip * 0.8)
    z += 0.035 * _bump(u, v, 0.06 * turn, 0.41, 0.10, 0.06)
    return z * ramp(head, 0.02)


def _blend(picture, mask, paint):
    """Cover ``picture`` in place with ``paint`` (a colour or a picture) where ``mask`` is 1."""
    picture += mask * (paint - picture)


def _eye(person, side, albedo, gloss, u, v, px):
    """One eye and its brow, painted into views of the picture in place."""
    x = (u - side * EYE_U - 0.05 * person.yaw) / (person.eye_size * (1 - 0.25 * side * person.yaw))
    y = (v - EYE_V) / (0.42 * person.eye_size)
    out = side * x  # grows from the inner to the outer corner
    y = y + person.eye_tilt * out
    shape = 1 - (out + 0.12) ** 2 * np.where(out > -0.12, 0.8, 1.3)
    soft = 1.5 * px / (0.42 * person.eye_size)
    opening = ramp(np.minimum(y + shape, 0.75 * shape - y), soft)
    gaze = person.eye_gaze / person.eye_size
    radius = np.sqrt((x - gaze) ** 2 + ((y + 0.15) * 0.42) ** 2)
    _blend(albedo, opening, _WHITE_OF_EYE)
    _blend(albedo, opening * ramp(-0.72 - out, 0.2), person.lips)
    _blend(albedo, opening * ramp(0.40 - radius, soft), person.iris)
    _blend(albedo, opening * ramp(0.17 - radius, soft), _BLACK)
    gloss += 0.3 * opening * ramp(0.46 - radius, soft)
    lid = np.exp(-(((y + shape) / (0.22 + 0.10 * out)) ** 2)) * ramp(1.15 - np.abs(out), 0.2)
    _blend(albedo, 0.85 * lid, person.hair * 0.3 + person.skin * 0.05)
    crease = np.exp(-(((y + 1.25 * shape + 0.35) / 0.2) ** 2)) * ramp(1 - np.abs(out), 0.3)
    _blend(albedo, 0.4 * crease, person.skin * 0.45)
    arch = v - EYE_V + person.brow_lift + 0.025 * out * (0.7 - out) + 0.03 * person.eye_tilt * out
    thick = person.brow * np.clip(1.1 - 0.55 * out, 0.1, 1.5)
    brow = ramp(thick - np.abs(arch), 3 * px) * ramp(1.35 - np.abs(out), 0.3)
    _blend(albedo, 0.8 * brow, person.hair * 0.8 + person.skin * 0.06)


def _mouth(person, albedo, gloss, u, v, px):
    """The mouth, painted into views of the picture in place."""
    x = (u - 0.07 * person.yaw) / person.mouth_width
    bend = person.smile * 0.045 * x**2 + person.smirk * 0.05 * x
    y = v - MOUTH_V + bend
    arc = np.maximum(1 - x**2, 0)
    bow = person.lip * (0.9 * np.sqrt(arc) - 0.35 * np.exp(-((x / 0.16) ** 2)))
    gap = person.gape * arc
    inside = ramp(1 - np.abs(x), 0.08)
    upper = ramp(np.minimum(y + gap + bow, -gap - y), 2 * px) * inside
    lower = ramp(np.minimum(y - gap, gap + 1.25 * person.lip * arc - y), 2 * px) * inside
    _blend(albedo, upper, person.lips * 0.72)
    _blend(albedo, lower, person.lips)
    gloss += 0.25 * lower
    hole = ramp(gap - np.abs(y), 2 * px) * inside * (person.gape > 0)
    _blend(albedo, hole, _BLACK)
    _blend(albedo, hole * ramp(0.2 * gap - y, 2 * px), _TEETH)
    line = np.exp(-((y / (1.2 * px + 0.004)) ** 2)) * ramp(1.06 - np.abs(x), 0.1)
    _blend(albedo, 0.8 * line * (person.gape <= 0), person.lips * 0.25)
    corner = np.exp(-(((np.abs(x) - 1.03) / 0.10) ** 2) - (y / 0.016) ** 2)
    _blend(albedo, 0.55 * corner, person.skin * 0.35)


def _window(u, v, at_u, at_v, half_u, half_v):
    """Slices of the smallest rectangle that holds a rectangle of face coordinates."""
    rows, columns = np.nonzero((np.abs(u - at_u) < half_u) & (np.abs(v - at_v) < half_v))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)


def _silhouettes(person, u, v, px):
    """Masks of the parts, by name, each of shape (side, side)."""
    edge, head, hair = 2.5 * px, _oval(person, u, v), _hair_oval(person, u, v)
    low = np.clip(v - 0.5, 0, 1)
    parts = {
        "face": ramp(head, 3 * edge),
        "torso": ramp(v - 0.60 - 0.28 * u**2, edge),
        "neck": ramp(np.minimum(0.24 + 0.1 * low - np.abs(u), v), edge),
        "ears": ramp(0.012 - 3 * (np.abs(u) - person.width) ** 2 - (v + 0.06) ** 2, 0.005),
        "hair behind": ramp(np.minimum(hair, person.hair_end - v), 2 * edge),
    }
    hairline = person.fringe + person.sweep * np.abs(u - person.parting) ** 1.6
    parts["hair in front"] = ramp(np.minimum(hair, hairline - v), 2 * edge)
    if person.bald:
        parts["hair behind"][:] = parts["hair in front"][:] = 0
    return parts


def _depth(person, parts, u, v):
    """Height of everything towards the camera, shape (side, side)."""
    curve = np.sqrt(np.maximum(_hair_oval(person, u, v), 0))
    hair = np.maximum(0.46 * curve * parts["hair in front"], 0.30 * curve * parts["hair behind"])
    body = np.maximum(0.2 * parts["torso"] * (1 - u**2), (0.12 - u**2) * parts["neck"])
    return np.maximum.reduce([relief(person, u, v), hair, body])


def paint(person, u, v, px, texture):
    """Colours and shape of a person.

    Parameters
    ----------
    person : Person
    u, v : ndarray of shape (side, side)
        Face coordinates.
    px : float
        Size of a pixel in face coordinates.
    texture : ndarray of shape (side, side)
        Smooth noise of unit variance, for skin, hair and cloth.

    Returns
    -------
    albedo : ndarray of shape (3, side, side)
        Linear reflectance.
    alpha : ndarray of shape (side, side)
        1 where the person is, 0 where the background shows.
    gloss : ndarray of shape (side, side)
        How mirror-like the surface is (wet eyes, lips, hair).
    height : ndarray of shape (side, side)
        Height towards the camera, in box sides.
    """
    parts = _silhouettes(person, u, v, px)
    face, front = parts["face"], parts["hair in front"]
    strand = (u - person.parting) / (v + 1.3)
    strands = 0.75 + 0.25 * np.sin(190 * strand + 2 * texture) + 0.15 * np.sin(77 * strand)
    hair = person.hair * np.maximum(strands, 0.15)
    skin = person.skin * (1 + person.mottle * texture)
    albedo = 0.9 * skin
    _blend(albedo, parts["hair behind"], hair)
    _blend(albedo, np.maximum(parts["neck"], parts["ears"]), 0.85 * skin)
    _blend(albedo, parts["torso"], person.cloth * (1 + 0.12 * np.sign(texture)))
    _blend(albedo, face, skin)
    if person.beard:
        chin = ramp(v - 0.17 - 0.25 * (person.width - np.abs(u)), 0.1) * face
        _blend(albedo, person.beard * chin * np.clip(0.8 + 0.3 * strands, 0, 1), person.hair)
    gloss = 0.10 * face
    for side in (-1, 1):
        part = _window(u, v, side * EYE_U + 0.05 * person.yaw, EYE_V - 0.05, 0.16, 0.13)
        _eye(person, side, albedo[:, *part], gloss[part], u[part], v[part], px)
    part = _window(u, v, 0.07 * person.yaw, MOUTH_V, 0.24, 0.12)
    _mouth(person, albedo[:, *part], gloss[part], u[part], v[part], px)
    _blend(albedo, front, hair)
    gloss = np.maximum(gloss * (1 - front), 0.25 * front)
    alpha = np.maximum.reduce(list(parts.values()))
    return albedo, alpha, gloss, _depth(person, parts, u, v)
