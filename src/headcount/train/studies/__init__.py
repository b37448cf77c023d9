"""Studies: a list of trainings that is run one after the other, measured alike, and told as one table."""
