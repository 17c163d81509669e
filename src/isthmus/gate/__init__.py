"""How weights earn their release: policy, evidence, verdict, sign-off, publication. Runs no evaluation."""
