"""The source of certificates that certbot requests from an ACME CA, validated over HTTP-01 from the webroot."""
