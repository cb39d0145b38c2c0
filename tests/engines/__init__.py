"""The end-to-end tests on the engines that people run: ``make engines``."""
