"""One suite of cases for the three faces of the client."""
