"""The authenticator of certbot that proves names by DNS-01: it writes through a provider, and waits until it is seen.

Its modules are files of the stack, which certbot imports in its container: they import only each other, the standard
library, and certbot. So renewals need nobody, and work without stackctl.

- :mod:`~stackctl.certs.dns01.client`: one question to one DNS server;
- :mod:`~stackctl.certs.dns01.zones`: zones, their servers and their delegation, found from a name;
- :mod:`~stackctl.certs.dns01.watch`: what each server of a zone answers, until all answer alike;
- :mod:`~stackctl.certs.dns01.provider`: writes and deletes a record with a plugin of certbot's, or with a command;
- :mod:`~stackctl.certs.dns01.settings`: the zones of x-stackctl.dns;
- :mod:`~stackctl.certs.dns01.prove`: the records of one order;
- :mod:`~stackctl.certs.dns01.plugin`: the authenticator;
- :mod:`~stackctl.certs.dns01.check`: the same without a CA, as a program: the check before an order.
"""
