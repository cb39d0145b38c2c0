"""``stackctl`` and ``python -m stackctl``."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command line."""
    # A command lives for seconds and leaves few cycles: looking for them as often as usual costs a tenth of its time.
    gc.set_threshold(100_000)
    from stackctl.cli.main import app  # noqa: PLC0415  (keeps an import of this module free of cost)

    app()


if __name__ == "__main__":
    main()
