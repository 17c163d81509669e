def changes(old, new):
    """How to get from the old lines to the new ones."""
    raise NotImplementedError


def applied(old, script):
    """The new lines: the old ones with the changes made."""
    raise NotImplementedError
