"""Certificates: what is on disk, when it is due, how certbot is asked, and the dummies."""
