"""Start one program so that it does not outlive whoever started it.

Run as a script by `processes.Child`, before the program takes its place in the same process::

    python -I -S launch.py <parent pid> <death signal> <user or -> <program> [argument ...]

On Linux the kernel is asked (PR_SET_PDEATHSIG) to send the death signal when the parent dies, even by
kill -9. Elsewhere there is no such request: there the sweep of `folder.Folder` finds the orphan before the next
start. This is a program of its own and not a `preexec_fn`, because Python code between fork and exec can
dead-lock in a parent with threads, and because a change of user clears the request: it must come after.

Only the standard library is imported: the interpreter runs isolated (-I) and without site-packages (-S).
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1
NOT_STARTED = 127
"""Exit code where the program could not be started, as shells use it."""


def become(user: str) -> None:
    """Drop root for `user`; its groups are dropped too."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def die_with(parent: int, signal_number: int) -> None:
    """Ask for `signal_number` at the parent's death; leave at once if it is dead already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(NOT_STARTED)


def main() -> None:
    """Take the place of this process by the program named in the arguments."""
    parent, signal_number, user, *argv = sys.argv[1:]
    if user != "-":
        become(user)
    die_with(int(parent), int(signal_number))
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"cannot start {argv[0]}: {error}\n")
        sys.exit(NOT_STARTED)


if __name__ == "__main__":
    main()
