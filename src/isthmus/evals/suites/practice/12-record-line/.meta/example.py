def parse(line):
    """The fields of a line of comma-separated values."""
    fields, position = [], 0
    while True:
        read = _quoted if line[position : position + 1] == '"' else _plain
        field, position = read(line, position)
        fields.append(field)
        if position == len(line):
            return fields
        if line[position] != ",":
            raise ValueError(f"unexpected character at {position}")
        position += 1


def _quoted(line, opening):
    field, position = "", opening + 1
    while True:
        closing = line.find('"', position)
        if closing < 0:
            raise ValueError(f"the quote at {opening} is never closed")
        field += line[position:closing]
        if line[closing + 1 : closing + 2] != '"':
            return field, closing + 1
        field, position = field + '"', closing + 2


def _plain(line, position):
    comma = line.find(",", position)
    end = len(line) if comma < 0 else comma
    quote = line.find('"', position, end)
    if quote >= 0:
        raise ValueError(f"a quote inside a field at {quote}")
    return line[position:end], end


def render(fields):
    """The line of comma-separated values that holds the fields."""
    return ",".join(_rendered(field) for field in fields)


def _rendered(field):
    if not any(sign in field for sign in ',"\r\n'):
        return field
    return '"' + field.replace('"', '""') + '"'
