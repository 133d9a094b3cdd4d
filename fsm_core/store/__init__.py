"""The state on SQLAlchemy: schema, transactions, queries, migrations.

Not here: what the state means (`fsm_core.state`) and what is decided on it (`fsm_core.service`).
"""

from fsm_core.store.engine import SqlStore, open_engine

__all__ = ["SqlStore", "open_engine"]
