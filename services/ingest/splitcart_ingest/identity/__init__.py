"""Identity: the catalogue's tables, who may decide, and what was decided.

`net` and `tables` fold the events of `catalogue` into rows, live and in a replay; `standby` sees to it that one
process decides and another takes over; `redecide` makes all decisions anew beside the old ones; `showing` says
what was decided of a product. The rules are in domain/identity.py, the reasons in decision 0022.
"""
