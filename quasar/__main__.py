"""``python -m quasar`` is the ``quasar`` command."""

from quasar.cli import main

main()
