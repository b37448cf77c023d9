"""What lies in ``site`` and ``toy`` stands for other packages' files: put on a process's path, not collected."""

collect_ignore = ["site", "toy"]
