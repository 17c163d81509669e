class CircleError(ValueError):
    """Names that need each other; `circle` lists them."""


def build_order(needs):
    """Every name, each after all that it needs."""
    raise NotImplementedError
