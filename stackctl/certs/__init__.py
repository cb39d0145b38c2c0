"""Certificates: those on disk, when they are due, requests to certbot, and dummies."""
