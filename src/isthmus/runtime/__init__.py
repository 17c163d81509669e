"""One question's path: request, policy, generator, events, ledger."""
