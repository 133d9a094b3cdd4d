"""What a system changed of its own fields since the description that is known: pure comparison and what it means.

Not here: keeping descriptions, telling of drift and living with it (`fsm_core.service.drifting`).
"""
