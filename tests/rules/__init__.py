"""The rule language beyond the engine: its analyser, its tables for people, its versions."""
