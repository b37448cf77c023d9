"""Scene, Prediction, the model card, images, errors: what every other room speaks."""
