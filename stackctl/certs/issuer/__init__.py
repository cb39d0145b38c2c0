"""The batch issuer: many lineages at once, in one certbot container.

A program of its own, not a library of the host's: ``program.text`` joins the modules of this package
into one text, and ``python3 -`` in the certbot container runs it. So they need nothing but the
standard library and the certbot found there (certbot 2.0 or later, Python 3.9 or later).

- :mod:`~stackctl.certs.issuer.program`: the text, its specification, and the run as a whole;
- :mod:`~stackctl.certs.issuer.batch`: the parent, which starts a forked child for every lineage;
- :mod:`~stackctl.certs.issuer.worker`: the child, which calls the public ``certbot.main.main``;
- :mod:`~stackctl.certs.issuer.single`: the ``certbot`` command instead, where there can be no child;
- :mod:`~stackctl.certs.issuer.accounts`: registering, also of a key that the CA has forgotten;
- :mod:`~stackctl.certs.issuer.merge`: the files, on their way into the shared tree;
- :mod:`~stackctl.certs.issuer.locks`: certbot's lock, and one among issuers.

certbot is imported once. It locks its configuration, work and logs directories, so every child has
three of its own, under ``CONFIG_DIR/.stackctl-issuer``. A finished lineage is marked ``done`` and then
adopted into the shared tree, under certbot's own lock. Adopting can be repeated, so a run that was
killed needs no journal: the next one adopts what is ``done`` and removes the rest.
"""
