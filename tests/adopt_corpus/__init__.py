"""Stacks in the layouts of public ones: started as their owners would, adopted, and asked before and after.

Each folder with a ``tree.toml`` is one stack:

* ``trait``: what it is about; ``wild``: how often it occurs in public stacks.
* ``ask``: the URLs to compare; ``wss://`` upgrades to a WebSocket.
* ``large`` (optional): the URLs to send 1.5 MB to.
* ``certificates``: the lineages, with their names.
* ``different`` (optional): URLs that may differ, each with the text by which the plan announces it.
* ``reported`` (optional): further differences that adopt's own comparison reports, each with its reason.
* ``refused`` (optional): what ``adopt`` says, if it refuses the stack.
* ``seen`` (optional): request headers whose value at the app is compared.
* ``certs`` (optional): the folder with a copy of each certificate as ``NAME.crt`` and ``NAME.key``.
* ``broken`` (optional): URLs that no app answers, before and after.
* ``volume`` (optional): ``SERVICE:PATH`` of the named volume that certbot's tree is in.
* ``network`` (optional): the key in ``.env`` for the name of a network that exists outside the project.
* ``adopt`` (optional): arguments of ``adopt``.
* ``named`` (optional): what ``adopt`` says without these arguments, when it refuses the stack.
* ``told`` (optional): further lines of the plan.
"""
