"""What the desks share."""
