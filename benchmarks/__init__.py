"""Measurements, side by side with a peer, in one run; results with machine, versions and command.

make bench                                        all that need no data
python -m benchmarks gateway [--rounds N]         through `isthmus serve` against llama.cpp's server itself
python -m benchmarks startup                      `isthmus ask` and `isthmus --help`
python -m benchmarks handoff --data FILE.jsonl.gz easy facts stay home, hard sums are handed over
"""
