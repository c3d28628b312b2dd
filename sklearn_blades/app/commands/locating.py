"""Which locator of faces this machine has."""

from ...photos.locators import locator


def locator_here(name: str) -> str | None:
    """``"auto"`` is YuNet where its extra is installed, else Haar, else None; others stay."""
    if name != "auto":
        return name
    for known in ("yunet", "haar"):
        try:
            locator(known)
        except ImportError:
            continue
        return known
    return None
