from heapq import heapify, heappop, heappush


class CircleError(ValueError):
    """Names that need each other; `circle` lists them."""

    def __init__(self, circle):
        super().__init__(" -> ".join([*circle, circle[0]]))
        self.circle = circle


def build_order(needs):
    """Every name, each after all that it needs."""
    missing = {name: set() for each in needs.values() for name in each}
    missing |= {name: set(each) for name, each in needs.items()}
    ready = [name for name, each in missing.items() if not each]
    heapify(ready)
    order = []
    while ready:
        order.append(heappop(ready))
        for name, each in missing.items():
            if order[-1] in each:
                each.discard(order[-1])
                if not each:
                    heappush(ready, name)
    if len(order) < len(missing):
        raise CircleError(_circle({name: each for name, each in missing.items() if each}))
    return order


def _circle(missing):
    path = [min(missing)]
    while (following := min(missing[path[-1]])) not in path:
        path.append(following)
    circle = path[path.index(following) :]
    first = circle.index(min(circle))
    return circle[first:] + circle[:first]
