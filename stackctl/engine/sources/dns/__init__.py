"""The source of certificates that certbot requests from an ACME CA, validated over DNS-01 by a provider's records."""
