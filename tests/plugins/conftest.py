"""What lies in ``site`` stands for another package's files: it is put on a process's path, not collected."""

collect_ignore = ["site"]
