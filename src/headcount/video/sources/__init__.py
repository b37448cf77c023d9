"""Where frames come from: cameras, webcams, films and folders, the newest frame of each, and how it does."""
