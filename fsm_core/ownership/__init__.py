"""Ownership rules as data: the file, its conditions, and the rule in force for a field of a record.

Not here: the decision a rule leads to (`fsm_core.sync.merge`).
"""

from fsm_core.ownership.book import EntityBook
from fsm_core.ownership.rulebook import Rulebook
from fsm_core.ownership.rules import RuleFile, load, parse

__all__ = ["EntityBook", "RuleFile", "Rulebook", "load", "parse"]
