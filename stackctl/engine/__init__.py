"""Workflows that use the ports: observe, probe, apply, issue, back up and adopt."""
