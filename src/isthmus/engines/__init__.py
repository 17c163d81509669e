"""Generators inside the trust line: the llama.cpp worker, runners that the person declares local, scripts.

Nothing is imported here: a worker process passes through this file, and its start-up time is the first
thing that a person waits for.
"""
