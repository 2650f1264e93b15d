"""Sinks: readers of a log that write it out for other people's tools. No actor ever calls one."""
