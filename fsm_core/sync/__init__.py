"""The pure decisions of synchronisation: no I/O, no clock, no randomness."""
