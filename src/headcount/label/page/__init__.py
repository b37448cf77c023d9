"""The labelling page: a folder of images served to browsers, every stroke kept in one SQLite file."""
