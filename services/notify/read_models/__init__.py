"""What notify shows and looks up."""
