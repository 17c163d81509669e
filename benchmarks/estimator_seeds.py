"""Common sense, by hand: what a small model at home answers as well as any, and what it doesn't.

These questions belong to no benchmark. They stand beside public data in what the built-in profile is learnt
from, because public benchmarks ask nobody for a summary, a greeting or a bug. Beside this module lie more,
with answers: good ones to light questions, poor ones to hard ones. From the live answers alone, which are all
solutions of sums, the profile would take whatever holds no sum for strange.
"""

import json
from pathlib import Path

ANSWERED = Path(__file__).with_suffix(".jsonl")

EASY = (
    "What is the capital of France?",
    "Who wrote Romeo and Juliet?",
    "How many legs does a spider have?",
    "What colour do you get when you mix blue and yellow?",
    "What is the chemical symbol for gold?",
    "Which planet is known as the Red Planet?",
    "What is the boiling point of water in Celsius?",
    "Who painted the Mona Lisa?",
    "What language do people speak in Brazil?",
    "Is a tomato a fruit?",
    "Hello! How are you today?",
    "Thanks, that's all for now.",
    "Tell me a joke.",
    "Write a haiku about rain.",
    "Write a birthday message for my sister.",
    "Give me three synonyms for happy.",
    "What does the word 'ubiquitous' mean?",
    "Spell the word necessary.",
    "What is the plural of goose?",
    "What is 7 times 8?",
    "What is 15 + 27?",
    "Convert 10 kilometres to miles.",
    "How do I boil an egg?",
    "Suggest a name for a cat.",
    "List five fruits that are red.",
    "What day comes after Tuesday?",
    "Why is the sky blue?",
    "What is photosynthesis?",
    "Name the seven continents.",
    "What is HTML?",
    "How do I print hello world in Python?",
    "Write a Python function that adds two numbers.",
    "How do I list files in a folder on Linux?",
    "What does git status do?",
    "Translate 'good morning, how are you?' into Spanish.",
    "Translate this sentence into French: The weather is nice today, and we are going to the beach.",
    "Rewrite this politely: send me the report now.",
    "Fix the grammar: he go to school yesterday and buyed two book.",
    (
        "Summarize this paragraph in one sentence: The meeting covered the budget, the new office and"
        " the plan for the summer. Everybody agreed that the budget is tight, that the office will "
        "open in May, and that the summer party will be held in the garden, if the weather allows."
    ),
    "Extract the e-mail address from this text: please write to anna@example.org, or call after 5 pm.",
    "Summarise these notes:\n\n" + "The meeting went well and people were glad to be there. " * 30,
    "Summarize the following article in 3 bullet points.\n\n"
    + "The council voted on Monday, after 4 hours of debate, to widen 12 of the city's streets. " * 20,
    (
        "Proofread the text below, and correct the mistakes.\n\nDear Mr. Smith, I writing to you "
        "because of the invoice from last week, which we has not recieved. Could you sent it again, "
        "please? Kind regards, Tom"
    ),
    (
        "Shorten this: I would like to inform you that, due to the current circumstances, we will not"
        " be able to deliver your order before the end of next week, and we are very sorry for any "
        "inconvenience."
    ),
    "Classify the sentiment of this review as positive or negative: I loved every minute of it.",
    "Make this text friendlier: Your request was denied because the form was incomplete.",
    "Turn these words into a list: apples, pears, plums, cherries, figs.",
    "Reformat this date as ISO 8601: March 5, 2024.",
    "Who was the first person to walk on the moon?",
    "What is the opposite of hot?",
)

HARD = (
    "Prove that there are infinitely many primes congruent to 3 modulo 4.",
    ("Prove that the square root of 2 is irrational, and generalise the proof to all non-square integers."),
    (
        "Let f be a continuous function on [0, 1] with f(0) = f(1). Show that there is an x such that"
        " f(x) = f(x + 1/2)."
    ),
    "Compute the integral of x^2 e^(-x) sin(x) from 0 to infinity, step by step.",
    "Find all real solutions of x^4 - 5x^2 + 6x - 2 = 0, and prove that there are no more.",
    "How many ways are there to tile a 3 by 10 rectangle with dominoes? Derive a recurrence.",
    (
        "A bag has 5 red, 4 blue and 3 green balls. Three are drawn without replacement. What is the "
        "probability that exactly two have the same colour?"
    ),
    (
        "A train leaves at 3 pm at 60 mph, and another leaves at 4 pm from a town 500 miles away at "
        "75 mph; when do they meet, and how far is each from home?"
    ),
    (
        "Maria earns $18 an hour, works 37.5 hours a week, pays 22% tax, and saves a third of the "
        "rest. How many weeks does it take her to save $4,000 if she also gets a $250 bonus every "
        "fourth week?"
    ),
    (
        "A tank is filled by pipe A in 6 hours and by pipe B in 9 hours, and a leak empties it in 12."
        " If the leak starts two hours after both pipes are opened, how long does it take to fill the"
        " tank?"
    ),
    (
        "Five friends of ages that sum to 140 sit in a row. Each is 3 years older than the one to the"
        " left, but the last is twice as old as the first. How is that possible, or why not?"
    ),
    (
        "Debug this: our asyncio server deadlocks under load when two tasks await the same lock "
        "inside a transaction. Explain the race condition and fix it."
    ),
    (
        "There is a memory leak in this C++ service after 10 hours; the heap grows by 2 MB a minute "
        "although every allocation has a matching delete. How would you find it?"
    ),
    "Refactor this module into a thread-safe, lock-free queue, and argue why it is linearizable.",
    "Implement a Raft consensus algorithm in Rust with log compaction and membership changes.",
    (
        "Write a recursive descent parser for a language with operator precedence, closures and "
        "pattern matching."
    ),
    "Implement an LRU cache with O(1) operations that is safe under concurrency, with tests.",
    (
        "Design a database schema and a migration plan, without downtime, from a monolith to a "
        "multi-tenant system."
    ),
    (
        "Given this stack trace from a distributed system, diagnose why the consumer falls behind "
        "only after a rebalance."
    ),
    (
        "Analyze the trade-offs between event sourcing and CRUD for a bank's ledger, in depth, and "
        "justify a choice."
    ),
    "Critique the argument of Kant's transcendental deduction, and compare and contrast it with Hume's.",
    (
        "Devise a comprehensive strategy to cut a factory's emissions by 40% in 5 years within a "
        "budget of $3 million."
    ),
    (
        "A 54-year-old patient has fever, a new murmur and splinter haemorrhages. Give a differential"
        " diagnosis, and justify the next three tests."
    ),
    "Derive the Black-Scholes equation from first principles, stating every assumption.",
    (
        "Show that the halting problem is undecidable, and reduce it to the problem whether two "
        "grammars are equivalent."
    ),
    (
        "Find the eigenvalues of the matrix [[2, 1, 0], [1, 2, 1], [0, 1, 2]], and an orthonormal "
        "basis of eigenvectors."
    ),
    "Solve the differential equation y'' + 4y' + 5y = e^(-2x) sin x with y(0) = 1 and y'(0) = 0.",
    (
        "Schedule 6 jobs with these durations and deadlines on 2 machines so that the total lateness "
        "is least: 4/9, 3/5, 7/12, 2/4, 6/15, 5/8. Prove that your schedule is optimal."
    ),
    (
        "Every islander is a knight or a knave. A says: if B is a knave, then C is a knight. B says: "
        "A and C differ. C says: exactly one of us is a knave. Who is what?"
    ),
    (
        "Optimize this SQL query that joins five tables of 100 million rows each; it takes 40 "
        "minutes, and must take 10 s."
    ),
    (
        "Write a compiler pass that eliminates common subexpressions across basic blocks, and prove "
        "that it terminates."
    ),
    (
        "Estimate, with intervals, how many piano tuners work in a city of 3 million people, and "
        "justify every assumption."
    ),
    "Compute the number of trailing zeros of 1000! in base 12, step by step.",
    (
        "Design an algorithm that finds the k-th smallest sum of pairs of two sorted arrays in O(k "
        "log k), and analyze it."
    ),
    "Explain why this lock-free stack has an ABA problem, and fix it with hazard pointers.",
)
"""The hosted model is taken to be right on these."""


def rows():
    """Each question with both labels: at home easy ones go well and hard ones don't, away all do."""
    for right, questions in ((True, EASY), (False, HARD)):
        for question in questions:
            yield {"prompt": question, "weak_correct": right, "strong_correct": True}


def answered_rows():
    """The questions with answers."""
    return [json.loads(line) for line in ANSWERED.read_text(encoding="utf-8").splitlines()]
