"""What is logged of SAP: neither secrets nor values of records, also where calls fail."""

from __future__ import annotations

import logging

from fsm_core.ports import Action, KeyRef, Write
from tests.contract.harness_sap import SapHarness

NAME = "Kim Beispiel-Roe"


def test_neither_secrets_nor_data_reach_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    harness = SapHarness()
    connector = harness.connector()
    number = harness.create(NAME)
    harness.edit(number, {harness.other: NAME})
    assert [change.document[harness.text] for page in connector.changes(harness.obj, None) for change in page.changes]
    connector.read(harness.obj, [number, KeyRef("FSMHUB", NAME)])
    harness.refuse_next_write()
    fields = {harness.text: f"{NAME} BAD"}
    (refused,) = connector.write(harness.obj, [Write(Action.UPDATE, number, fields=fields)])
    token = connector.session.token()
    harness.close()
    assert refused.error is not None
    assert "simulated" not in repr(connector.settings)
    logged = [record for record in caplog.records if record.name.startswith("fsm_hub")]
    assert logged
    for secret in ("Beispiel", "Roe", "simulated", token):
        assert secret not in caplog.text
