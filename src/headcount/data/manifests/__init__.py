"""What is to be counted, named in bulk: folders, patterns, lists, tables, WebDataset tars, on disk or at addresses."""
