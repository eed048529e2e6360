"""Works with orders through the client that openapi-python-client generated as `office`. Prints what
it saw as JSON.

usage: openapi_client.py URL TOKEN SERVICE register|follow
"""

import io
import json
import sys

from office import AuthenticatedClient, models
from office.api.events import list_events
from office.api.orders import (
    cancel_order,
    export_orders,
    get_order,
    import_orders,
    patch_order,
    put_order,
)
from office.api.payments import list_payments
from office.types import UNSET, File

url, token, service, part = sys.argv[1:]
# What the document does not say is an error.
client = AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)


def put(key):
    order = models.Order(
        reason=models.LocalizedReason(ro="Taxă", ru="Сбор"),
        customer_type=models.CustomerType.PERSON,
        metadata=models.Metadata.from_dict({"cost_centre": "4512"}),
        lines=[models.Line(line_id="1", reason="Taxă locală", amount_due="100")],
    )
    return put_order.sync_detailed(service, key, client=client, body=order, if_none_match="*")


def import_(table, dry_run):
    return import_orders.sync(client=client, body=File(io.BytesIO(table.encode())), dry_run=dry_run)


def pages(operation, member):
    cursor = UNSET
    while True:
        page = operation.sync(client=client, cursor=cursor, limit=1)
        yield from getattr(page, member)
        cursor = page.next_
        if cursor is UNSET:
            return


def register():
    first, again = put("first"), put("first")
    put("other")
    etag = get_order.sync_detailed(service, "first", client=client).headers["ETag"]
    patch = models.OrderPatch(
        reason=models.LocalizedReasonPatch(ru=None, en="Fee"),
        customer_type=None,
        allow_partial_payments=True,
    )
    amended = patch_order.sync(service, "first", client=client, body=patch, if_match=etag)
    stale = patch_order.sync(service, "first", client=client, body=patch, if_match=etag)
    return {
        "first": [first.status_code, first.parsed.to_dict()],
        "again": [again.status_code, again.parsed.to_dict()],
        "amended": amended.to_dict(),
        "stale": type(stale).__name__,
    }


def follow():
    table = export_orders.sync(client=client, format_=models.ExportOrdersFormat.CSV)
    unchanged = import_(table, dry_run=False)
    new = table.replace("first", "imported")
    tried = import_(new, dry_run=True)
    missing = get_order.sync(service, "imported", client=client)
    import_(new, dry_run=False)
    return {
        "paid": get_order.sync(service, "first", client=client).to_dict(),
        "payments": [payment.to_dict() for payment in pages(list_payments, "payments")],
        "unchanged": unchanged,
        "tried": tried,
        "missing": missing.status,
        "imported": get_order.sync(service, "imported", client=client).to_dict(),
        "cancelled": cancel_order.sync(service, "other", client=client).to_dict(),
        "events": [
            [type(event).__name__, event.to_dict()] for event in pages(list_events, "events")
        ],
    }


json.dump({"register": register, "follow": follow}[part](), sys.stdout)
