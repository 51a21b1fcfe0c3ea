"""What every service's HTTP side is made with: the application's frame, its door, preconditions, paging, pages."""
