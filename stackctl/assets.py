"""Where the templates are: in an installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path


def assets_root() -> Path:
    """The directory that holds ``compose/`` and ``nginx/``."""
    package = Path(__file__).resolve().parent
    installed = package / "_assets"
    return installed if installed.is_dir() else package.parent
