"""Persons of the hub: who they are, what their roles let them do, and what takes two of them.

Not here: what a person's decision does to a record (`fsm_core.service.resolve`).
"""
