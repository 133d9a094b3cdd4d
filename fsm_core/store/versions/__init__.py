"""Alembic versions, oldest first. Not here: the tables as they are now (`fsm_core.store.schema`)."""
