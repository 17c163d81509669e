def fewest_coins(coins, amount):
    """The fewest coins that add up to the amount, smallest first."""
    if amount < 0:
        raise ValueError("a negative amount")
    best = [[]] + [None] * amount
    for goal in range(1, amount + 1):
        ways = [
            sorted([coin, *best[goal - coin]])
            for coin in coins
            if coin <= goal and best[goal - coin] is not None
        ]
        best[goal] = min(ways, key=lambda way: (len(way), way), default=None)
    if best[amount] is None:
        raise ValueError(f"no coins make {amount}")
    return best[amount]
