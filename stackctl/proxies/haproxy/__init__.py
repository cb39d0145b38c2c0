"""HAProxy: renders its configuration, and reads back what its files, its output and its log say."""
