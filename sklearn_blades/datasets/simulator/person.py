"""A made-up person: proportions and colours.

Colours are arrays of shape (3, 1, 1) and pictures of shape (3, side, side), so that a colour, a
mask and a picture broadcast as they are.
"""

from dataclasses import dataclass

import numpy as np


def colour(*values):
    """A linear reflectance in [0, 1], shape (3, 1, 1), float32."""
    return np.array(values, np.float32).reshape(3, 1, 1)


def muted(rng, low, high):
    """A random colour of which half is grey."""
    return colour(*(0.5 * rng.uniform(low, high) + 0.5 * rng.uniform(low, high, 3)))


_LIGHT_SKIN, _DARK_SKIN = colour(0.75, 0.50, 0.39), colour(0.19, 0.105, 0.07)
_HAIR = (
    colour(0.012, 0.010, 0.010),
    colour(0.05, 0.025, 0.014),
    colour(0.13, 0.065, 0.03),
    colour(0.42, 0.28, 0.12),
    colour(0.25, 0.07, 0.025),
    colour(0.38, 0.38, 0.39),
)
_IRIS = (
    colour(0.05, 0.025, 0.012),
    colour(0.12, 0.07, 0.03),
    colour(0.13, 0.16, 0.07),
    colour(0.12, 0.22, 0.36),
)


@dataclass(frozen=True)
class Person:
    """One face: proportions in box sides, colours as linear reflectances in [0, 1]."""

    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    cloth: np.ndarray
    lips: np.ndarray
    width: float
    height: float
    jaw: float
    eye_size: float
    eye_tilt: float
    eye_gaze: float
    brow: float
    brow_lift: float
    nose_width: float
    nose_tip: float
    nose_relief: float
    mouth_width: float
    lip: float
    smile: float
    gape: float
    smirk: float
    parting: float
    fringe: float
    sweep: float
    hair_end: float
    bald: bool
    beard: float
    mottle: float
    yaw: float


def sample_person(rng):
    """Draw a person from ``rng`` (numpy Generator)."""
    melanin = rng.beta(1.2, 1.4)
    skin = _LIGHT_SKIN ** (1 - melanin) * _DARK_SKIN**melanin
    skin = skin * colour(*rng.uniform(0.9, 1.1, 3))
    hair = _HAIR[rng.choice(6, p=[0.34, 0.26, 0.14, 0.12, 0.05, 0.09])]
    uniform = rng.uniform
    return Person(
        skin=skin,
        hair=hair * np.float32(uniform(0.7, 1.4)),
        iris=_IRIS[rng.integers(4)] * np.float32(uniform(0.7, 1.3)),
        cloth=muted(rng, 0.03, 0.7),
        lips=skin * colour(uniform(0.75, 1.0), uniform(0.4, 0.62), uniform(0.42, 0.68)),
        width=uniform(0.40, 0.46),
        height=uniform(0.50, 0.56),
        jaw=uniform(0.1, 0.9),
        eye_size=uniform(0.075, 0.098),
        eye_tilt=uniform(-0.12, 0.22),
        eye_gaze=uniform(-0.02, 0.02),
        brow=uniform(0.012, 0.028),
        brow_lift=uniform(0.09, 0.125),
        nose_width=uniform(0.045, 0.075),
        nose_tip=uniform(0.06, 0.11),
        nose_relief=uniform(0.09, 0.15),
        mouth_width=uniform(0.12, 0.175),
        lip=uniform(0.025, 0.05),
        smile=uniform(-0.25, 1.0),
        gape=max(0.0, uniform(-0.03, 0.03)),
        smirk=uniform(-0.25, 0.25),
        parting=uniform(0.05, 0.16) * float(rng.choice([-1, 1])),
        fringe=uniform(-0.50, -0.39),
        sweep=uniform(0.4, 0.85),
        hair_end=uniform(-0.2, 0.75),
        bald=rng.random() < 0.1,
        beard=uniform(0.2, 0.9) if rng.random() < 0.25 else 0.0,
        mottle=uniform(0.01, 0.05),
        yaw=uniform(-0.6, 0.6),
    )
