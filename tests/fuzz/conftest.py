"""The fuzzer is run, not collected: its own modules import each other by their plain names."""

collect_ignore = ["fuzzer.py", "guided.py", "mutations.py", "parsers.py", "ways_to_fail.py"]
