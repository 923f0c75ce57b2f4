"""The retailer simulator: one HTTP server that speaks the retailers' shapes over a simulated country.

``world`` is what is true, ``aldi``, ``coles``, ``iga`` and ``woolworths`` are how a company shows it, ``faults``
is what goes wrong on the way, ``truth`` tells the tests what was true, ``server`` puts them behind one port. Each
knows only the world, the values of ``web`` and the names of the faults; a further company is one more face.
"""
