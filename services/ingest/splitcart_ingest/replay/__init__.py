"""Replay: the log folded anew into a fresh generation by the live handlers, compared, and swapped in.

`selection` says what of the log is wanted, `log` what is in it, `building` makes generations, `stretch` folds a
part of a partition, `workers` shares the parts out, `run` does it all; `digest` and `compare` hold two generations
against each other, `swap` makes another one live. Design and reasons: docs/decisions/0020-replay.md.
"""
