"""One file a family, and what several of them share."""
