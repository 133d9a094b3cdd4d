"""The documentation, and the command that writes the pages which follow from the files that run."""
