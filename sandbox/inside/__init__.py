"""What runs in the container: the standard library and these files, nothing else of Quasar."""
