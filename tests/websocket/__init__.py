"""What a charge point meets before and around its messages."""
