def leap_days(first, last):
    """The number of leap years from the first to the last, both included."""
    return max(_up_to(last) - _up_to(first - 1), 0) if last >= first else 0


def _up_to(year):
    return year // 4 - year // 100 + year // 400
