"""What developers run; not a part of the package."""
