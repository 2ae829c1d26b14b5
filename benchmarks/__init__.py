"""What the server's performance is judged by; see README.md."""
