"""The one error of the sandbox: something a person can put right, in words that say how."""


class SandboxError(Exception):
    """The sandbox cannot start, stop or read its folder; the message says why and what to do.

    Commands print the message and end with exit code 1; there is no traceback to read.
    """
