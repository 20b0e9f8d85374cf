"""What the functions of several stacks share."""
