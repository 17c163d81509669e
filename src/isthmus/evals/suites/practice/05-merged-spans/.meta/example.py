def merged(spans):
    """The spans in order, those that overlap or touch made one."""
    result = []
    for start, end in sorted(spans):
        if start > end:
            raise ValueError(f"a span from {start} to {end}")
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result
