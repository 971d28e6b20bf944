"""What can be wrong with network data.

GatewayError
├── DataBroken           a file of the data cannot be used; the message names it and says why
└── StartupError
    └── OwnListInvalid   a site's own list of companies has errors; its text has one line for each
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import GatewayError, StartupError
from personalize.errors import Problem


class DataBroken(GatewayError):
    """A file of the network data cannot be used; whoever reads it keeps what it had."""

    code = "data_broken"


class OwnListInvalid(StartupError):
    """A site's own list of companies has errors; `problems` holds every one, with its place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
