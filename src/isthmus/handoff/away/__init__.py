"""The hosted side: what would leave, in which order providers are asked, what it costs."""
