def changes(old, new):
    """How to get from the old lines to the new ones."""
    longest = _longest_common(old, new)
    script, before, after = [], 0, 0
    while before < len(old) or after < len(new):
        both = before < len(old) and after < len(new)
        if both and old[before] == new[after]:
            script.append((" ", old[before]))
            before, after = before + 1, after + 1
        elif before < len(old) and longest[before + 1][after] == longest[before][after]:
            script.append(("-", old[before]))
            before += 1
        else:
            script.append(("+", new[after]))
            after += 1
    return _ordered(script)


def _longest_common(old, new):
    """How many lines can stay from each pair of places on."""
    table = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for before in reversed(range(len(old))):
        for after in reversed(range(len(new))):
            if old[before] == new[after]:
                table[before][after] = table[before + 1][after + 1] + 1
            else:
                table[before][after] = max(table[before + 1][after], table[before][after + 1])
    return table


def _ordered(script):
    """Between lines that stay, those that go come first."""
    result, coming = [], []
    for sign, line in script:
        if sign == " ":
            result += coming
            coming = []
        if sign == "+":
            coming.append((sign, line))
        else:
            result.append((sign, line))
    return result + coming


def applied(old, script):
    """The new lines: the old ones with the changes made."""
    rest, new = list(old), []
    for sign, line in script:
        if sign not in (" ", "-", "+"):
            raise ValueError(f"an unknown sign: {sign!r}")
        if sign != "+" and (not rest or rest.pop(0) != line):
            raise ValueError(f"the line {line!r} isn't there")
        if sign != "-":
            new.append(line)
    if rest:
        raise ValueError(f"nothing is said of {rest[0]!r}")
    return new
