"""What ran: versions as the packages say, without importing them."""

from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("sklearn-blades", "scikit-learn", "torch", "numpy", "pillow")
"""On which scores may depend."""


def version_of(package: str) -> str | None:
    """The version of an installed package, None of one that is not."""
    try:
        return version(package)
    except PackageNotFoundError:  # ours, too, in a source tree that was never installed
        return None


def versions(packages: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    """Versions by name, of what is installed."""
    return {name: found for name in packages if (found := version_of(name)) is not None}
