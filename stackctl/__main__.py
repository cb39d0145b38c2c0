"""``stackctl`` and ``python -m stackctl``."""

from __future__ import annotations

import gc
import sys
from io import TextIOWrapper

from stackctl.cli import interruption


def main() -> None:
    """Run the command line."""
    interruption.catch()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets its code.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # A command lives for seconds and leaves few cycles: looking for them as often as usual costs a tenth of its time.
    gc.set_threshold(100_000)
    from stackctl.cli.main import app  # noqa: PLC0415  (keeps an import of this module free of cost)

    try:
        app()
    finally:
        interruption.ignore()


if __name__ == "__main__":
    main()
