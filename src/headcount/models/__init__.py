"""Networks: backbones, necks, and one file per method."""
