"""The nightly run."""

import logging

from deposits.release import due

log = logging.getLogger("deposits.nightly")


def run(contracts, bank):
    """Release every deposit that is due; the number of transfers."""
    chosen = due(contracts)
    for contract in chosen:
        bank.transfer(contract["tenant_iban"], contract["deposit"])
        log.info("released %s for contract %s", contract["deposit"], contract["number"])
    return len(chosen)
