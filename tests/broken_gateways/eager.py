"""The gateway of a scenario with the mistake that its peers make: it acknowledges, then stores.

`python -m tests.broken_gateways.eager SETTINGS CLOCK`, as `simulators.scenario.gateway_process`.
"""

import gateway.service
from simulators.scenario import gateway_process
from tests.chaos.eager_gateway import EagerWriter

if __name__ == "__main__":
    gateway.service.StoreWriter = EagerWriter
    gateway_process.main()
