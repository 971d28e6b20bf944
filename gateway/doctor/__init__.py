"""What `tuttu doctor` finds out about a deployment from outside, as a browser would meet it."""
