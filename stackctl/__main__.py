"""``stackctl`` and ``python -m stackctl``."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from stackctl.cli.main import app  # noqa: PLC0415  (keeps an import of this module free of cost)

    app()


if __name__ == "__main__":
    main()
