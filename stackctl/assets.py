"""Finds the templates: in an installed package, or next to it in a checkout."""

from __future__ import annotations

from pathlib import Path


def assets_root() -> Path:
    """Return the directory of ``compose/`` and of the folders of the proxies."""
    package = Path(__file__).resolve().parent
    installed = package / "_assets"
    return installed if installed.is_dir() else package.parent
