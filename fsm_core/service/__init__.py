"""The imperative shell around the decisions, free of any framework."""
