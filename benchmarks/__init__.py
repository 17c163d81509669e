"""Measurements, side by side with a peer, in one run; results with machine, versions and command.

make bench                                        those that need no data and take minutes
python -m benchmarks gateway [--rounds N]         through `isthmus serve` against llama.cpp's server itself
python -m benchmarks startup                      `isthmus ask` and `isthmus --help`
python -m benchmarks handoff --data FILE.jsonl.gz easy facts stay home, hard sums are handed over
python -m benchmarks agents                       an agent that crosses over and comes back
python -m benchmarks speed [--quick] [--resume]   Isthmus against other servers of the same models
python -m benchmarks lm-eval --data FILE --lm-eval PROGRAM   the same verdicts as lm-eval's
python -m benchmarks several [--minutes N]        three models in turn under 1.4 GB, eight clients
"""
