"""Versions of the packages that a result depends on."""

from __future__ import annotations

from importlib.metadata import version

_DETERMINING = ("bioae", "brian2", "numpy")


def versions() -> dict[str, str]:
    """Return the versions of the packages that a result depends on."""
    return {package: version(package) for package in _DETERMINING}
