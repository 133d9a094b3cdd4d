"""What the connector takes from simple-salesforce, without the SOAP half of it.

The library's package imports its metadata API, which brings zeep and lxml: 12 MB of every process for something the hub
never calls. Here it is imported when somebody does. Not here: how the rest is used (`transport`, `soql`, `errors`).
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_NAME = "simple_salesforce.metadata"


class _Later(ModuleType):
    """Stands in for the metadata API until it is called."""

    def SfdcMetadataApi(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401, N802 - the library's own name
        if sys.modules.get(_NAME) is self:
            del sys.modules[_NAME]
        return import_module(_NAME).SfdcMetadataApi(*args, **options)


sys.modules.setdefault(_NAME, _Later(_NAME))

from simple_salesforce.api import Salesforce as SimpleSalesforce  # noqa: E402 - what stands in must come first
from simple_salesforce.exceptions import SalesforceError  # noqa: E402
from simple_salesforce.format import quote_soql_value  # noqa: E402

__all__ = ["SalesforceError", "SimpleSalesforce", "quote_soql_value"]
