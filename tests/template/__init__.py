"""What the app synthesizes, and what the project is made of."""
