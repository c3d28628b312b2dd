"""A made-up scene: a person, the light that falls on them from one side, and what is behind.

All light is linear and relative: 1 is a white surface that faces the key light.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .person import Person, colour, muted, sample_person
from .portrait import paint

FACE_MARGIN = 1.6  # the picture is this many times as wide as the face box
_BOX_METRES = 0.20  # side of a face box in the world
_HEAD_METRES = 0.09  # from the plane of the ears to the plane of the eyes


@dataclass(frozen=True)
class Scene:
    """What stands before the camera.

    ``ev`` is the incident light as an exposure value at ISO 100 (3: a dim room, 15: full sun),
    ``kelvin`` its colour temperature, ``key`` the unit vector towards the key light (x right,
    y down, z to the camera), ``ambient`` the share of light without direction.
    """

    person: Person
    ev: float
    kelvin: float
    key: np.ndarray
    ambient: float
    outdoors: bool
    depth: float
    motion: float
    roll: float
    scale: float
    shift: np.ndarray
    texture_seed: int


def sample_scene(rng):
    """Draw a scene from ``rng`` (numpy Generator)."""
    outdoors = rng.random() < 0.45
    sideways = rng.uniform(0.5, 0.85) * float(rng.choice([-1, 1]))
    upwards = -rng.uniform(0.1, 0.45)
    return Scene(
        person=sample_person(rng),
        ev=rng.uniform(9.0, 15.0) if outdoors else rng.uniform(3.0, 9.0),
        kelvin=1e6 / (rng.uniform(130, 200) if outdoors else rng.uniform(180, 360)),
        key=np.array([sideways, upwards, np.sqrt(1 - sideways**2 - upwards**2)], np.float32),
        ambient=rng.uniform(0.15, 0.45),
        outdoors=bool(outdoors),
        depth=rng.uniform(0.6, 3.0) * (4.0 if outdoors else 1.0),
        motion=rng.gamma(2.0, 15.0),
        roll=rng.normal(0.0, 0.06),
        scale=rng.uniform(0.95, 1.05),
        shift=rng.normal(0.0, 0.012, 2),
        texture_seed=int(rng.integers(2**32)),
    )


def illuminant(kelvin):
    """Colour of a black body, green = 1; daylight of 5,500 K is white."""
    mired = 1e6 / kelvin - 1e6 / 5500
    return colour(np.exp(0.0022 * mired), 1.0, np.exp(-0.0034 * mired))


@dataclass(frozen=True)
class View:
    """A scene as one camera position sees it, before any light is chosen.

    All arrays are of shape (side, side) or (3, side, side). ``key_shade`` and ``front_shade`` are
    the Lambertian factors under the key light and under a light at the camera; ``shine`` and
    ``catch`` are the mirror images of the two. ``distance`` and ``depth`` (metres) are from the
    camera to the face and from the face to the backdrop.
    """

    albedo: np.ndarray
    alpha: np.ndarray
    key_shade: np.ndarray
    front_shade: np.ndarray
    shine: np.ndarray
    catch: np.ndarray
    backdrop: np.ndarray
    distance: float
    depth: float

    def ambient_light(self, scene):
        """Radiance of the subject and of the backdrop under the light of the scene."""
        light = illuminant(scene.kelvin)
        shade = scene.ambient + (1 - scene.ambient) * self.key_shade
        return (self.albedo * shade + self.shine) * light, self.backdrop * light

    def flash_light(self):
        """Radiance of subject and backdrop under a flash at the camera, 1 at the face."""
        falloff = (self.distance / (self.distance + self.depth)) ** 2
        return self.albedo * self.front_shade + self.catch, self.backdrop * falloff


def look(scene, side, focal_35mm, framing):
    """See a scene from where a lens of ``focal_35mm`` (mm, full frame) puts the camera.

    ``framing`` is the share of the frame's width that the face box takes: a short lens comes
    close (a bulging face before a wide backdrop), a long one stands back.
    """
    distance = focal_35mm / 36 * _BOX_METRES / framing
    u, v, px = _face_grid(scene, side, _HEAD_METRES / distance)
    rng = np.random.default_rng(scene.texture_seed)
    texture = smooth_noise(rng, side // 4, side)
    albedo, alpha, gloss, height = paint(scene.person, u, v, px, texture)
    normal = _normals(height, px)
    key = np.maximum(dot(scene.key, normal), 0) * _cast_shadow(height, scene.key, px)
    seen = 36 / focal_35mm * (distance + scene.depth) * framing * FACE_MARGIN
    return View(
        albedo=albedo,
        alpha=alpha,
        key_shade=key,
        front_shade=normal[2],
        shine=gloss * _mirror(normal, scene.key) * (1 - scene.ambient),
        catch=gloss * _mirror(normal, np.array([0, 0, 1], np.float32)),
        backdrop=_backdrop(rng, scene.outdoors, side, seen),
        distance=distance,
        depth=scene.depth,
    )


def smooth_noise(rng, cells, side):
    """Noise of unit variance in ``cells`` x ``cells`` blots, shape (side, side), float32."""
    coarse = Image.fromarray(rng.standard_normal((cells, cells), dtype=np.float32))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)) * np.float32(1.2)


def _face_grid(scene, side, nearness):
    """Face coordinates of every pixel, and the size of a pixel in them."""
    px = FACE_MARGIN / (side * scene.scale)
    line = (np.arange(side, dtype=np.float32) - (side - 1) / 2) * np.float32(px)
    x, y = line[None, :] - np.float32(scene.shift[0]), line[:, None] - np.float32(scene.shift[1])
    cos, sin = np.float32(np.cos(scene.roll)), np.float32(np.sin(scene.roll))
    u, v = cos * x + sin * y, cos * y - sin * x
    # What is nearer to the camera looks larger; the ring of the eyes and the mouth stays put.
    near = np.clip(1 - (u / 0.43) ** 2 - (v / 0.53) ** 2, -0.6, 1)
    warp = 1 + np.float32(nearness) * (np.float32(0.7) - near)
    return u * warp, v * warp, px


def _normals(height, px):
    """Unit normals of a height field, shape (3, side, side), y down, z to the camera."""
    slope_y, slope_x = np.gradient(height, np.float32(px))
    normal = np.stack([-slope_x, -slope_y, np.ones_like(height)])
    return normal / np.sqrt(1 + slope_x**2 + slope_y**2)


def dot(vector, field):
    """Weighted sum of the planes of ``field``; not through BLAS, whose threads would only wait."""
    return vector[0] * field[0] + vector[1] * field[1] + vector[2] * field[2]


def _cast_shadow(height, key, px):
    """0 where something near stands between the surface and the key light, soft-edged."""
    lit = np.ones_like(height)
    for reach in (0.04, 0.08, 0.12):
        step = np.rint(reach * key[:2] / px).astype(int)
        nearer = np.roll(height, (-step[1], -step[0]), axis=(0, 1))
        blocked = nearer - height - reach * key[2]
        lit = np.minimum(lit, 1 - np.clip(blocked / 0.03, 0, 0.8))
    return lit


def _mirror(normal, light):
    """Blinn's highlight for a camera in front."""
    half = light + np.array([0, 0, 1], np.float32)
    return np.clip(dot(half / np.linalg.norm(half), normal), 0, 1) ** 48


def _backdrop(rng, outdoors, side, metres):
    """What is behind, shape (3, side, side): a wall or a landscape ``metres`` wide in view."""
    base = muted(rng, 0.05, 0.6) * (0.35 if rng.random() < 0.3 else 1.0)
    picture = np.empty((3, side, side), np.float32)
    picture[:] = base * np.linspace(rng.uniform(0.5, 1.5), 1.0, side)[:, None]
    if outdoors:
        horizon = int(side * rng.uniform(0.2, 0.8))
        picture[:, :horizon] = colour(0.5, 0.62, 0.8) * rng.uniform(0.5, 1.8)
        picture[:, horizon:] *= colour(0.7, 1.0, 0.5)
    for _ in range(14):
        centre, size = rng.uniform(-2.5, 2.5, 2), rng.uniform(0.05, 0.7, 2) * (1 + 2 * outdoors)
        ends = (np.stack([centre - size, centre + size]) / metres + 0.5) * side
        (left, top), (right, bottom) = np.clip(ends, 0, side).astype(int)
        picture[:, top:bottom, left:right] = muted(rng, 0.02, 0.8) * rng.uniform(0.3, 1.5)
    cells = int(np.clip(6 * metres, 2, side // 3))
    leaves = 0.25 * smooth_noise(rng, cells, side) + 0.15 * smooth_noise(rng, 3, side)
    return picture * np.exp(leaves * rng.uniform(0.2, 1.5))
