"""What a reader said, in a form that doesn't depend on where the pieces were cut."""

from itertools import pairwise

from isthmus.messages import ReasoningDelta, TextDelta, ToolCallDelta


def gathered(events):
    """What was said, by kind, each with all of it: ("thought", ...), ("text", ...), ("call NAME", ...)."""
    said = []
    for event in events:
        match event:
            case ReasoningDelta(text):
                kind = "thought"
            case TextDelta(text):
                kind = "text"
            case ToolCallDelta(name=str(name), arguments=text):
                said.append([f"call {name}", text])
                continue
            case ToolCallDelta(arguments=text):
                kind = said[-1][0]
            case _:
                continue
        if said and said[-1][0] == kind:
            said[-1][1] += text
        else:
            said.append([kind, text])
    return [tuple(each) for each in said]


def read(reader, text, cuts=()):
    """What ``reader`` says of a text that comes in pieces, cut at ``cuts``."""
    places = [0, *sorted(cuts), len(text)]
    events = [said for start, end in pairwise(places) for said in reader.feed(text[start:end])]
    return gathered([*events, *reader.end()])
