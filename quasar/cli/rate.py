"""How fast it goes, for progress bars that know their end."""

from rich.progress import ProgressColumn, Task
from rich.text import Text


class RateColumn(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        """Empty before there is anything to tell."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")
