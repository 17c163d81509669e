"""What a model says that writes several samples side by side, as a script for a `ScriptedEngine`."""

from isthmus.messages import Finish, TextDelta, TokenScore, TokenScores, Usage


def batch(*texts, finishes=(), logprobs=()):
    """The events of one answer of several choices, word by word in turn; the last to end has the usage."""
    words = [text.split(" ") if text else [] for text in texts]
    by_length = sorted(range(len(texts)), key=lambda index: (len(words[index]), index))
    events = []
    for place in range(1 + max(map(len, words))):
        for index, said in enumerate(words):
            if place < len(said):
                piece = said[place] if place == 0 else f" {said[place]}"
                logprob = logprobs[index] if logprobs else -0.2
                events.append(TokenScores((TokenScore(piece, logprob),), index))
                events.append(TextDelta(piece, index))
            elif place == len(said):
                usage = Usage(10, sum(map(len, words))) if index == by_length[-1] else None
                events.append(Finish(finishes[index] if finishes else "stop", usage, index=index))
    return events
