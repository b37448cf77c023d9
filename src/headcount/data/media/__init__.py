"""What a user names: images, folders, lists, videos."""
