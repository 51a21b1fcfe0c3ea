"""What the service can be asked, one question a file."""
