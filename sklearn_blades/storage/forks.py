"""The lock of all that is stored in this process, which no forked copy finds held."""

import os
import threading

LOCK = threading.RLock()
"""Held for moments. One for all: a fork waits until nobody holds it, so that no copy of the process
has it held by a thread that is not there, or sees half of a change."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=LOCK.acquire, after_in_parent=LOCK.release, after_in_child=LOCK.release
    )
