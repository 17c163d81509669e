"""Who answers, and what may leave. The only room that talks to hosted models."""
