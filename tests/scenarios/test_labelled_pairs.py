"""Scores against the sandbox's own books: 330 firms in two systems, with every mistake people make in such data.

Keys are left out, so that the score alone has to tell. Pairs come from the blocks, as in a round.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

import mappings
from connectors.sandbox.company import Company, build
from fsm_core.model import SHAPES
from fsm_core.sync.blocks import block_readers
from fsm_core.sync.similar import features, likeness
from tests.unit.test_sandbox_company import address, sap_name, sap_phone

COMPARED = features(SHAPES["customer"], ["legal_name", "billing_address.postcode", "website", "phone"])
AUTO, REVIEW = 0.97, 0.8


@pytest.fixture(scope="module")
def company() -> Company:
    return build()


@pytest.fixture(scope="module")
def scores(company: Company) -> dict[tuple[str, str], float]:
    """Of all pairs that share a block: account, partner and score."""
    sides = [_accounts(company), _partners(company)]
    blocks: defaultdict[tuple[str, str], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for at, side in enumerate(sides):
        for id_, shown in side.items():
            for name, read in block_readers(SHAPES["customer"], COMPARED):
                for value in read(shown):
                    blocks[name, value][at].append(id_)
    likely = {(a, b) for accounts, partners in blocks.values() for a in accounts for b in partners}
    assert len(likely) < len(sides[0]) * len(sides[1]) / 20  # by far not all with all
    return {(a, b): likeness(COMPARED, sides[0][a], sides[1][b]).score for a, b in likely}


def _accounts(company: Company) -> dict[str, dict[str, Any]]:
    table = mappings.load("salesforce", "customer")
    return {row["Id"]: table.decode(row).values for row in company.accounts}


def _partners(company: Company) -> dict[str, dict[str, Any]]:
    """By hand: the rows here are the simulator's own, before it turns them into what the service shows."""
    return {
        row["BusinessPartner"]: {
            "legal_name": sap_name(row),
            "billing_address": {"postcode": address(row)["PostalCode"]},
            "phone": sap_phone(row),
            "website": next((url["WebsiteURL"] for url in address(row)["to_URLAddress"]), None),
        }
        for row in company.partners
    }


@pytest.fixture(scope="module")
def same(company: Company) -> set[tuple[str, str]]:
    """Every account and partner that are one firm, second rows of a firm included."""
    accounts, partners = defaultdict(set), defaultdict(set)
    for name, where in company.defects.items():
        for first, second in where if name.startswith("duplicate_in") else ():
            (partners if name.endswith("sap") else accounts)[first].add(second)
    return {
        (one, other)
        for account, partner in company.pairs.items()
        for one in {account, *accounts[account]}
        for other in {partner, *partners[partner]}
    }


def measured(scores: dict[tuple[str, str], float], same: set[tuple[str, str]], least: float) -> tuple[float, float]:
    """Precision and recall of what scores at least so much."""
    told = {pair for pair, score in scores.items() if score >= least}
    return len(told & same) / len(told), len(told & same) / len(same)


def test_no_two_different_firms_reach_auto(scores, same):
    precision, recall = measured(scores, same, AUTO)
    print(f"from {AUTO} up: precision {precision:.3f}, recall {recall:.3f}")  # noqa: T201 - the measure itself
    assert precision == 1.0
    assert recall > 0.95


def test_questions_find_nearly_all_and_few_are_vain(scores, same):
    precision, recall = measured(scores, same, REVIEW)
    print(f"from {REVIEW} up: precision {precision:.3f}, recall {recall:.3f}")  # noqa: T201 - as above
    assert precision > 0.99
    assert recall > 0.99


def test_firms_without_a_common_key_are_found(scores, company):
    weak = [pair for pair in company.defects["weak_match_only"] if scores.get(tuple(pair), 0) >= REVIEW]
    assert len(weak) == len(company.defects["weak_match_only"])
