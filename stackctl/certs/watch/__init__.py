"""Watch a stack without stackctl: metrics and alerts, from the certbot container.

It is a separate program, as the batch issuer is: :mod:`stackctl.certs.watch_files` writes these modules into a folder
of the stack, and the renewal loop runs them with certbot's Python (3.9 or later, ``cryptography`` 38 or later). The
host uses what is pure of it, so both have one set of names, thresholds and texts.

- :mod:`~stackctl.certs.watch.ends`: when a certificate is due, and when its end is near, by its own lifetime;
- :mod:`~stackctl.certs.watch.exposition`: the names of all metrics, and the text that Prometheus reads;
- :mod:`~stackctl.certs.watch.settings`: what the program gets from stackctl: sites, receivers, the proxy;
- :mod:`~stackctl.certs.watch.look`: what is on disk and on the wire;
- :mod:`~stackctl.certs.watch.judge`: which problems that is;
- :mod:`~stackctl.certs.watch.news`: what a receiver has not been sent yet, as one message;
- :mod:`~stackctl.certs.watch.send`: sends it, by HTTP or SMTP, with a limit of time;
- :mod:`~stackctl.certs.watch.program`: one look from its beginning to its end.
"""
