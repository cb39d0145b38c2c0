"""Renders the files of a proxy from the model and the certificates, and reads them back: pure, no disk, no clock."""
