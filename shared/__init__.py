"""What the four services stand on. Nothing here knows a service; see docs/adr for why each part is as it is."""
