"""The server: counts over HTTP, jobs, what cameras see now and saw before, and the page that shows it."""
