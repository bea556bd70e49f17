"""What sets Kaiwa up on Google Cloud, and watches it there. None of it is uploaded with the function."""
