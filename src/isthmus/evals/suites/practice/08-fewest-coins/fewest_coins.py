def fewest_coins(coins, amount):
    """The fewest coins that add up to the amount, smallest first."""
    raise NotImplementedError
