"""What the strip service of the demo loads instead of the C library. This folder is all that its child can import."""
