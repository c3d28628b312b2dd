"""Who makes what: locks on groups of keys, held while their arrays are made."""

from contextlib import ExitStack


class Claims:
    """The claims of one `ArrayCache.fill`; whatever it still holds is let go at the end.

    Claims are locks on groups of keys, so that there are never more than 4096 lock files. Several
    batches of one ``fill`` may share a group.

    Parameters
    ----------
    claim : callable
        ``claim(group, held, wait=...)`` locks a group until the ExitStack ``held`` closes, and
        returns whether it could.
    """

    def __init__(self, claim):
        self._claim, self._held, self._uses = claim, {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for lock in self._held.values():
            lock.close()

    def take(self, keys, *, wait):
        """Claim keys and return those that are ours; without ``wait`` not all may be."""
        # In one order: two that wait for the same groups cannot each have what the other needs.
        for group in sorted(_groups(keys)):
            with ExitStack() as lock:
                if group in self._held or self._claim(group, lock, wait=wait):
                    self._held.setdefault(group, lock.pop_all())
                    self._uses[group] = self._uses.get(group, 0) + 1
        return [key for key in keys if key[:3] in self._held]

    def give_back(self, keys):
        """Let go of the groups of these keys that no other batch has."""
        for group in _groups(keys):
            self._uses[group] -= 1
            if not self._uses[group]:
                del self._uses[group]
                self._held.pop(group).close()


def _groups(keys):
    return {key[:3] for key in keys}
