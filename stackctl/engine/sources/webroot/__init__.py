"""Certificates of an ACME CA that certbot requests, validated over HTTP-01 from the webroot."""
