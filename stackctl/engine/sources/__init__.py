"""Sources of certificates: one package each, registered in :mod:`~stackctl.engine.sources.registered`."""
