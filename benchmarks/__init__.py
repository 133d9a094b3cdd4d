"""Comparable, repeatable measurements."""
