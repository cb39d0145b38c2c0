"""The batch issuer: issue many lineages at once, in one certbot container.

It is a separate program, not a library of the host: ``program.text`` joins the modules of this package
into one text, and ``python3 -`` in the certbot container runs it. So they import only the
standard library and what is found there: certbot (2.0 or later, Python 3.9 or later), and the
``cryptography`` that it depends on.

- :mod:`~stackctl.certs.issuer.program`: the text, its specification, and the run as a whole;
- :mod:`~stackctl.certs.issuer.batch`: the parent, which starts a forked child for every lineage;
- :mod:`~stackctl.certs.issuer.worker`: the child, which calls the public ``certbot.main.main``;
- :mod:`~stackctl.certs.issuer.single`: the ``certbot`` command, used if no child can be forked;
- :mod:`~stackctl.certs.issuer.accounts`: registration, also of a key that the CA does not know any more;
- :mod:`~stackctl.certs.issuer.merge`: merging finished lineages into the shared tree;
- :mod:`~stackctl.certs.issuer.pair`: the judgement of a chain and its key, which the host uses too;
- :mod:`~stackctl.certs.issuer.versions`: the judgement of a lineage, which the host uses too;
- :mod:`~stackctl.certs.issuer.repair`: mending lineages without a CA;
- :mod:`~stackctl.certs.issuer.settings`: a second program, which replaces settings in the tree;
- :mod:`~stackctl.certs.issuer.locks`: certbot's lock, and a lock between issuers.

certbot is imported once. It locks its configuration, work and logs directories, so every child has
its own three, under ``CONFIG_DIR/.stackctl-issuer``. A finished lineage is marked ``done`` and then
merged into the shared tree, under certbot's own lock. Merging is idempotent, so a run that was
killed needs no journal: the next one merges what is ``done`` and removes the rest.
"""
