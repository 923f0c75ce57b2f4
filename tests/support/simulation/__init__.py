"""Ingest without a broker and a server: the real rules in a small model of the shell, killed at any step.

`logs` makes what is recorded, `shell` is the database and the broker, `process` what a process of ingest does with
them, step by step, `run` the schedule of a seed and what must hold, `faults` what may be left out on purpose.
"""
