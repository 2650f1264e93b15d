"""Numbers that flags take: what lies outside is one line, before anything starts."""

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

Port = Annotated[int, Parameter(validator=Number(gte=0, lte=65535))]
"""Of TCP; 0 takes a free one."""
Seconds = Annotated[float, Parameter(validator=Number(gt=0, lte=10**9))]
"""Between two looks; never none, which would be a busy loop."""
Mebibytes = Annotated[float, Parameter(validator=Number(gte=0, lte=10**12))]
"""Of a disk, to stay free."""
Miners = Annotated[int, Parameter(validator=Number(gte=1, lte=4096))]
"""Of a forecast, for subnets that are larger one day."""
Processes = Annotated[int, Parameter(validator=Number(gte=1, lte=256))]
"""Miners of a demo: as many as a subnet has places."""
Tempo = Annotated[int, Parameter(validator=Number(gte=1, lte=65535))]
"""Blocks of a chain epoch, less one: 16 bits on chain."""
Rounds = Annotated[int, Parameter(validator=Number(gte=1, lte=10**9))]
"""To be played."""
