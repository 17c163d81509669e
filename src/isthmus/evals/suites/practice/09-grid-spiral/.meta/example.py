def spiral(grid):
    """The values of the grid, clockwise from the top left corner inwards."""
    if len({len(row) for row in grid}) > 1:
        raise ValueError("rows of different length")
    rest, values = [list(row) for row in grid], []
    while rest and rest[0]:
        values += rest.pop(0)
        rest = [list(column) for column in zip(*rest, strict=True)][::-1]
    return values
