"""`python -m tests.fuzz`: coverage begins before the decoders are imported, or their first lines would be missing."""

import coverage

MODULES = (
    "gateway.wire", "gateway.identity", "gateway.enrich", "gateway.edge.request", "gateway.edge.minting",
    "gateway.edge.cors", "gateway.networks.address", "personalize.link_targets", "personalize.pages",
)  # fmt: skip
"""Where decoders live."""

if __name__ == "__main__":
    measured = coverage.Coverage(branch=True, data_file=None, source=MODULES)
    measured.start()
    from tests.fuzz.run import main

    main(measured)
